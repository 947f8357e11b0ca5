"""Learning rates by layer, and AdamW."""

import keras
import numpy as np
import pytest

from distiller.errors import InputError
from distiller.recipes.training import Training
from distiller.runs.fit import check_rates, optimizer, scale_rates


def network():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, name="stage1")(inputs)
    x = keras.layers.Dense(5, name="stage1_b")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))


def moved(made):
    """How far each layer's weights are after three steps, each with gradients of its own."""
    model, rng = network(), np.random.default_rng(0)
    before = {layer.name: layer.get_weights() for layer in model.layers[1:]}
    made.build(model.trainable_variables)
    for _ in range(3):
        drawn = [rng.normal(size=v.shape).astype("float32") for v in model.trainable_variables]
        made.apply([keras.ops.convert_to_tensor(gradient) for gradient in drawn], model.trainable_variables)
    return {
        layer.name: [after - start for after, start in zip(layer.get_weights(), before[layer.name], strict=True)]
        for layer in model.layers[1:]
    }


@pytest.mark.parametrize(
    "plan",
    [
        {"learning_rate": 0.1},
        {"learning_rate": 0.001, "optimizer": "adamw"},
        {"learning_rate": 0.1, "dot": 0.05},
        # Gradients of a scaled loss: 2¹⁵ times as large.
        {"learning_rate": 3000.0, "precision": "mixed_float16"},
    ],
    ids=lambda plan: "-".join(map(str, plan.values())),
)
def test_the_steps_of_a_layer_have_its_factor(plan):
    """The reference is Keras's optimiser without factors; the longest beginning of a name counts."""
    plan = {"epochs": 1, "warmup": 0, "weight_decay": 0, **plan}
    plain = moved(optimizer(Training(**plan), 100))
    scaled = moved(optimizer(Training(**plan, rates={"logits": 3, "stage1": 0.5, "stage1_b": 2}), 100))
    for name, factor in {"stage1": 0.5, "stage1_b": 2.0, "logits": 3.0}.items():
        for with_factor, without in zip(scaled[name], plain[name], strict=True):
            np.testing.assert_allclose(with_factor, factor * without, rtol=1e-4, atol=1e-7)
            assert np.abs(without).max() > 1e-5


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_it_is_that_of_keras(kind):
    """Beta 1 is the plan's momentum, and SGD's is Nesterov's; vectors do not decay."""
    plan = Training(epochs=1, optimizer=kind, learning_rate=0.01, momentum=0.8, warmup=0, weight_decay=0.3)
    rate = keras.optimizers.schedules.CosineDecay(0.01, 50)
    reference = (
        keras.optimizers.AdamW(rate, beta_1=0.8, weight_decay=0.3)
        if kind == "adamw"
        else keras.optimizers.SGD(rate, momentum=0.8, nesterov=True, weight_decay=0.3)
    )
    reference.exclude_from_weight_decay(var_names=["bias"])
    ours, theirs = moved(optimizer(plan, 50)), moved(reference)
    for name in ours:
        for mine, other in zip(ours[name], theirs[name], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-5)


def test_a_name_of_no_layer_is_refused():
    with pytest.raises(InputError, match=r"training\.rates: .*Received: head"):
        check_rates(network(), {"logits": 2.0, "head": 2.0})
    model = network()
    model.get_layer("logits").trainable = False
    with pytest.raises(InputError, match=r"layer that trains. Received: logits"):
        check_rates(model, {"logits": 2.0})


def test_a_factor_of_one_changes_nothing():
    made = keras.optimizers.SGD(0.1)
    scale_rates(made, {"logits": 1.0})
    for name, steps in moved(made).items():
        for ours, theirs in zip(steps, moved(keras.optimizers.SGD(0.1))[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"dot": 0.05, "learning_rate": 0.1}, "expected one of dot and optimizer adamw"),
        ({}, r"expected a learning_rate with optimizer adamw, such as 0\.001"),
    ],
)
def test_what_adamw_cannot_be_is_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        Training(epochs=1, optimizer="adamw", **plan)
