"""The teacher that is the average of its student, in a step of every kind."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from distiller import objectives
from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.teachers import MeanTeacher
from distiller.teachers.mean_teacher import decay_at

X = np.random.default_rng(0).normal(size=(16, 5, 5, 1)).astype("float32")
Y = (np.arange(16) % 4 - 1).astype("int32")
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(seed=1):
    """With weights that are trained, that are not, and that are frozen."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Conv2D(4, 3, name="frozen", trainable=False)(inputs)
    x = keras.layers.BatchNormalization(momentum=0.5, name="normal")(x)
    x = keras.layers.Flatten()(x)
    return fuse(keras.Model(inputs, keras.layers.Dense(3, name="logits")(x)))


def made(optimizer=None, decay=0.7, student=None, **compile):
    student = student or network()
    model = MeanTeacher(student=student, objectives={"soft": objectives.Hinton(temperature=2.0)}, decay=decay)
    model.compile(optimizer or sgd(), loss=SPARSE, metrics=["accuracy"], **compile)
    return model


def sgd(**options):
    return keras.optimizers.SGD(0.1, momentum=0.9, **options)


def weights(model):
    return [np.asarray(keras.ops.convert_to_numpy(v.value), "float64") for v in model.weights]


def fit(model, epochs=2, **options):
    return model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **options).history


class Watch(keras.callbacks.Callback):
    """Weights of the student and of its teacher after each batch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self.seen.append((weights(self.model.student), weights(self.model.teacher)))


def averages(start, students, decay, trained, moves):
    """The formula of the paper, in float64; `moves` says of each batch whether it ended a step."""
    average, steps = start, 0
    for student, moved in zip(students, moves, strict=True):
        steps += moved
        a = min(1 - 1 / (steps + 1), decay) if moved else 1.0
        average = [a * x + (1 - a) * y if t else y for x, y, t in zip(average, student, trained, strict=True)]
        yield average


def is_trained(model):
    trained = {id(v) for v in model.trainable_variables}
    return [id(v) in trained for v in model.weights]


@pytest.mark.parametrize(("every", "decay"), [(1, 0.7), (2, 0.6)])
def test_the_teacher_is_the_average_after_each_step(every, decay):
    model = made(sgd(gradient_accumulation_steps=every) if every > 1 else sgd(), decay)
    start, watch = weights(model.student), Watch()
    assert all(np.array_equal(a, b) for a, b in zip(start, weights(model.teacher), strict=True))
    fit(model, callbacks=[watch])
    trained = is_trained(model.student)
    assert trained == [False, False, True, True, False, False, True, True]
    moves = [number % every == every - 1 for number in range(8)]
    expected = averages(start, [student for student, _ in watch.seen], decay, trained, moves)
    for (_, teacher), average in zip(watch.seen, expected, strict=True):
        for found, wanted in zip(teacher, average, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_student_learns_from_the_average_as_it_is_now():
    model = made()
    for first in (0, 4, 8):
        x, y = X[first : first + 4], Y[first : first + 4]
        answers = model.teacher(x, training=False), model.student(x, training=True)
        log_p, log_q = (log_softmax(np.asarray(keras.ops.convert_to_numpy(z), "float64") / 2, -1) for z in answers)
        expected = 4 * (np.exp(log_p) * (log_p - log_q)).sum(-1).mean()
        assert model.train_on_batch(x, y, return_dict=True)["soft"] == pytest.approx(expected, rel=1e-3)


@pytest.fixture(scope="module")
def plain():
    model = made()
    return fit(model)["soft"], weights(model.teacher)


@pytest.mark.parametrize("options", [{"steps_per_execution": 2}, {"jit_compile": True}], ids=str)
def test_however_keras_runs_the_step(plain, options):
    model = made(**options)
    np.testing.assert_allclose(fit(model)["soft"], plain[0], rtol=1e-4)
    for found, expected in zip(weights(model.teacher), plain[1], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_goes_on_after_loading(tmp_path):
    model = made()
    fit(model, epochs=1)
    model.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    assert fit(loaded, epochs=1) == fit(model, epochs=1)
    for a, b in zip(weights(model), weights(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("every", "batches"), [(1, 4), (1, 1), (2, 4), (2, 3)])
def test_a_second_phase_keeps_the_average(every, batches):
    """Another optimizer counts its own steps; the average counts all of them."""

    def optimizer():
        return sgd(gradient_accumulation_steps=every) if every > 1 else sgd()

    def phase():
        model.fit(X[: 4 * batches], Y[: 4 * batches], batch_size=4, shuffle=False, verbose=0, callbacks=[watch])

    model, watch = made(optimizer(), decay=0.99), Watch()
    start = weights(model.student)
    phase()
    model.compile(optimizer(), loss=SPARSE)
    phase()
    moves = 2 * [number % every == every - 1 for number in range(batches)]
    expected = averages(start, [student for student, _ in watch.seen], 0.99, is_trained(model.student), moves)
    for (_, teacher), average in zip(watch.seen, expected, strict=True):
        for found, wanted in zip(teacher, average, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_second_phase_with_the_same_optimizer_counts_no_step_twice():
    model = made(sgd(gradient_accumulation_steps=2))
    fit(model, epochs=1)
    model.compile(model.optimizer, loss=SPARSE)
    before = weights(model.teacher)
    model.train_on_batch(X[:4], Y[:4])  # the first half of a step
    for after, kept, trained in zip(weights(model.teacher), before, is_trained(model.student), strict=True):
        if trained:
            np.testing.assert_array_equal(after, kept)


def test_a_second_phase_after_loading(tmp_path):
    model = made(decay=0.99)
    fit(model, epochs=1)
    model.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    for one in (model, loaded):
        one.compile(sgd(), loss=SPARSE)
        fit(one, epochs=1)
    assert int(loaded.updates) == 8
    for a, b in zip(weights(model), weights(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_both_are_plain_models():
    model = made()
    for network_ in (model.student, model.teacher):
        assert type(network_) is type(network())
    assert model.teacher.count_params() == model.student.count_params()
    assert not {id(v) for v in model.teacher.variables} & {id(v) for v in model.trainable_variables}


def test_decay():
    assert [float(decay_at(step, 0.9)) for step in (1, 3, 9, 10, 1000)] == pytest.approx([0.5, 0.75, 0.9, 0.9, 0.9])


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_refuses_a_decay(decay):
    with pytest.raises(InputError, match=f"Expected 0 ≤ decay < 1. Received: decay={decay}"):
        made(decay=decay)


def test_refuses_a_student_that_cannot_be_copied():
    with pytest.raises(InputError, match=r"Sequential student, which can be copied. Received: Sequential"):
        made(student=keras.Sequential([keras.layers.Dense(3)]))
