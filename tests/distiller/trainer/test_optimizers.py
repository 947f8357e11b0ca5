"""DOT against trajectories that NumPy computes from the formula."""

import keras
import numpy as np
import pytest
from keras import ops

from distiller.errors import InputError
from distiller.optimizers import DOT
from distiller.recipes.training import Training
from distiller.runs import fit

TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture
def gradients():
    """Of a task and a distillation, for two variables and four steps."""
    rng = np.random.default_rng(3)
    return [
        [[rng.normal(size=shape).astype("float32") for shape in ((3,), (2, 2))] for _ in range(2)] for _ in range(4)
    ]


def variables():
    return [keras.Variable(np.linspace(-1, 1, 3), name="a"), keras.Variable(np.eye(2), name="b")]


def tensors(arrays):
    return [ops.convert_to_tensor(a) for a in arrays]


def run(optimizer, moved, gradients):
    for task, distillation in gradients:
        optimizer.apply_both(tensors(task), tensors(distillation), moved)
    return [v.numpy() for v in moved]


def trajectory(gradients, rates, task_momentum, distillation_momentum, nesterov=False, decay=0.0):
    values = [v.numpy().astype("float64") for v in variables()]
    velocities = [[np.zeros_like(v) for v in values] for _ in range(2)]
    for rate, both in zip(rates, gradients, strict=True):
        for i in range(len(values)):
            values[i] = values[i] * (1 - rate * decay)
            for kind, momentum in enumerate((task_momentum, distillation_momentum)):
                velocities[kind][i] = momentum * velocities[kind][i] + both[kind][i]
                step = both[kind][i] + momentum * velocities[kind][i] if nesterov else velocities[kind][i]
                values[i] = values[i] - rate * step
    return values


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [None, 0.1])
def test_trajectory_is_the_papers(gradients, nesterov, decay):
    optimizer = DOT(0.1, momentum=0.9, delta=0.075, nesterov=nesterov, weight_decay=decay)
    expected = trajectory(gradients, [0.1] * 4, 0.825, 0.975, nesterov, decay or 0.0)
    for found, value in zip(run(optimizer, variables(), gradients), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations) == 4


def test_rate_may_be_a_schedule(gradients):
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.01])
    expected = trajectory(gradients, [0.1, 0.1, 0.01, 0.01], 0.8, 1.0 - 0.05)
    optimizer = DOT(schedule, momentum=0.875, delta=0.075)
    for found, value in zip(run(optimizer, variables(), gradients), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
def test_without_delta_it_is_sgd_on_the_sum(gradients, nesterov):
    found = run(DOT(0.1, delta=0.0, nesterov=nesterov), variables(), gradients)
    moved = variables()
    sgd = keras.optimizers.SGD(0.1, momentum=0.9, nesterov=nesterov)
    for task, distillation in gradients:
        sgd.apply(tensors([t + d for t, d in zip(task, distillation, strict=True)]), moved)
    for one, other in zip(found, moved, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-6)


def test_plain_gradients_have_the_plain_momentum(gradients):
    moved, optimizer = variables(), DOT(0.1, momentum=0.9)
    for task, _ in gradients:
        optimizer.apply(tensors(task), moved)
    expected = trajectory([[task, [0 * t for t in task]] for task, _ in gradients], [0.1] * 4, 0.9, 0.9)
    for found, value in zip(moved, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), value, rtol=1e-5, atol=1e-6)


def test_variable_of_one_loss_has_the_plain_momentum(gradients):
    moved, optimizer = variables(), DOT(0.1, momentum=0.9)
    for task, distillation in gradients:
        optimizer.apply_both([ops.array(task[0]), None], [None, ops.array(distillation[1])], moved)
    alone = [[[t[0], 0 * t[1]], [0 * d[0], d[1]]] for t, d in gradients]
    for found, value in zip(moved, trajectory(alone, [0.1] * 4, 0.9, 0.9), strict=True):
        np.testing.assert_allclose(found.numpy(), value, rtol=1e-5, atol=1e-6)


def test_variable_of_no_loss_stays(gradients):
    moved, optimizer = variables(), DOT(0.1)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply_both([ops.ones(3), None], [ops.ones(3), None], moved)
    np.testing.assert_array_equal(moved[1].numpy(), np.eye(2))
    assert (moved[0].numpy() != variables()[0].numpy()).all()


def test_accumulates_gradients(gradients):
    found = run(DOT(0.1, gradient_accumulation_steps=2), variables(), gradients)
    means = [
        [[(a + b) / 2 for a, b in zip(*kind, strict=True)] for kind in zip(*gradients[first : first + 2], strict=True)]
        for first in (0, 2)
    ]
    for one, value in zip(found, trajectory(means, [0.1] * 2, 0.825, 0.975), strict=True):
        np.testing.assert_allclose(one, value, rtol=1e-5, atol=1e-6)


def test_clips_the_pair(gradients):
    moved, optimizer = variables()[:1], DOT(1.0, clipnorm=1.0)
    optimizer.apply_both([ops.array([3.0, 0.0, 0.0])], [ops.array([0.0, 4.0, 0.0])], moved)
    np.testing.assert_allclose(moved[0].numpy(), [-1.6, -0.8, 1.0], rtol=1e-5, atol=1e-6)


def test_goes_on_after_a_restart(gradients):
    whole = run(DOT(0.1), variables(), gradients)
    first, moved = DOT(0.1), variables()
    run(first, moved, gradients[:2])
    state = {}
    first.save_own_variables(state)
    second = DOT.from_config(first.get_config())
    second.build(moved)
    second.load_own_variables(state)
    for one, other in zip(run(second, moved, gradients[2:]), whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


if not TENSORFLOW:  # there, variables have their state

    def test_works_without_state_of_its_own(gradients):
        """`stateless_apply` of packed gradients."""
        expected = run(DOT(0.1), variables(), gradients)
        kept, optimizer = variables(), DOT(0.1)
        optimizer.build(kept)
        values, state = [v.value for v in kept], [v.value for v in optimizer.variables]
        for task, distillation in gradients:
            values, state = optimizer.stateless_apply(
                state, optimizer.pack(tensors(task), tensors(distillation)), values
            )
        for one, other in zip(values, expected, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(one), other, rtol=1e-5, atol=1e-6)


if TENSORFLOW:  # Keras traces this through `stateless_apply` alone elsewhere

    def test_under_a_loss_scale(gradients):
        expected = run(DOT(0.1), variables(), gradients)
        moved, scaled = variables(), keras.optimizers.LossScaleOptimizer(DOT(0.1), initial_scale=8.0)
        for both in gradients:
            times8 = [tensors([8 * g for g in kind]) for kind in both]
            scaled.apply(scaled.inner_optimizer.pack(*times8, moved), moved)
        for one, other in zip(moved, expected, strict=True):
            np.testing.assert_allclose(one.numpy(), other, rtol=1e-5, atol=1e-6)


def test_trains_a_compiled_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(DOT(0.05), loss="mse")
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    losses = model.fit(x, x.sum(axis=1), epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]


def test_config_round_trip():
    optimizer = DOT(keras.optimizers.schedules.CosineDecay(0.1, 10), momentum=0.8, delta=0.1, nesterov=True)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(copy) is DOT
    assert copy.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    "arguments", [{"momentum": 0.95}, {"momentum": 0.05}, {"delta": -0.1}, {"delta": float("nan")}]
)
def test_refuses_momenta_out_of_range(arguments):
    with pytest.raises(InputError, match=r"Expected 0 ≤ momentum.*Received"):
        DOT(**arguments)


def test_refuses_missing_gradients():
    with pytest.raises(InputError, match="2 and 1 gradients for 2 variables"):
        DOT().apply_both([None, None], [None], variables())


def test_what_adapters_normalize_with_does_not_decay():
    """Without a gradient a kernel shrinks by rate × decay, and what scales or shifts stays."""
    names = ["kernel", "bias", "gamma", "beta", "scale", "offset"]
    variables = [keras.Variable([1.0], name=name) for name in names]
    plan = Training(epochs=1, learning_rate=0.1, warmup=0.0, weight_decay=0.05)
    chosen = fit.optimizer(plan, 10)
    chosen.build(variables)
    chosen.apply([keras.ops.zeros(1)] * len(names))
    found = {name: float(variable.value[0]) for name, variable in zip(names, variables, strict=True)}
    assert found == pytest.approx({name: 1.0 if name != "kernel" else 1 - 0.1 * 0.05 for name in names})
