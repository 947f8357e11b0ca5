"""A frozen teacher answers as its teacher does, with fewer operations, and in bfloat16 only where that is close."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import rel_entr, softmax

from distiller import Distiller, models, objectives, recipes, teachers
from distiller.errors import InputError
from distiller.runs.bridges import RecipeBridges, asked_bridges
from distiller.teachers.closeness import closeness


def lively(model, seed=0):
    """Moving statistics, scales and shifts that a training could have left; returns the model."""
    random = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            count = layer.gamma.shape[0]
            drawn = [random.uniform(0.5, 2, count), *random.normal(size=(2, count)), random.uniform(0.5, 2, count)]
            layer.set_weights(drawn)
    return model


def pixels(count=16, size=32, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3)).astype("float32")


def kinds(model, kind):
    return [layer.name for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v2", "wide"])
def test_answers_are_those_of_the_teacher_within_rounding(name):
    teacher = lively(models.build(name, 10))
    before = [w.copy() for w in teacher.get_weights()]
    copy, images = teachers.frozen(teacher, dtype=None), pixels()
    expected = teacher.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), expected, atol=1e-5 * np.abs(expected).max())
    assert not copy.trainable_variables
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert len(teacher.trainable_variables) > 0


def test_a_kernel_and_a_bias_by_hand():
    """x ↦ 2x + 1, then (· - 3) / √(15 + 1) · 8 + 5 = 4x + 1."""
    x = keras.Input((1, 1, 1))
    norm = layers.BatchNormalization(epsilon=1.0)
    teacher = keras.Model(x, layers.Flatten()(norm(layers.Conv2D(1, 1, name="conv")(x))))
    teacher.get_layer("conv").set_weights([np.full((1, 1, 1, 1), 2.0), np.array([1.0])])
    norm.set_weights([np.array([8.0]), np.array([5.0]), np.array([3.0]), np.array([15.0])])
    kernel, bias = teachers.frozen(teacher, dtype=None).get_layer("conv").get_weights()
    assert (kernel.item(), bias.item()) == (4.0, 1.0)


def test_every_normalization_of_a_residual_network_is_folded():
    teacher = lively(models.build("resnet20", 10))
    assert len(kinds(teacher, layers.BatchNormalization)) == 21  # 1 + 9 units of 2, and 2 of the shortcuts
    assert kinds(teachers.frozen(teacher), layers.BatchNormalization) == []


def small(between=None, twice=False, activation=None, also=False):
    """Conv2D and BatchNormalization, with something that keeps them apart."""
    x = keras.Input((4, 4, 3))
    conv = layers.Conv2D(3, 3, padding="same", activation=activation, name="conv")
    h = conv(conv(x)) if twice else conv(x)
    y = layers.BatchNormalization(name="norm")(between(h) if between else h)
    if also:
        y = layers.Add()([y, h])
    return lively(keras.Model(x, layers.Dense(5, name="logits")(layers.GlobalAveragePooling2D()(y))))


@pytest.mark.parametrize(
    "apart",
    [{"between": layers.MaxPooling2D()}, {"twice": True}, {"activation": "relu"}, {"also": True}],
    ids=["a layer between", "a shared kernel", "an activation", "another that takes the result"],
)
def test_what_is_kept_apart_is_not_folded(apart):
    teacher = small(**apart)
    copy, images = teachers.frozen(teacher, dtype=None), pixels(size=4)
    assert kinds(copy, layers.BatchNormalization) == ["norm"]
    expected = teacher.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), expected, atol=1e-5 * np.abs(expected).max())


def test_maps_compute_in_bfloat16_and_the_rest_in_float32():
    copy = teachers.frozen(models.build("resnet8", 10))
    computing = {layer.name: layer.compute_dtype for layer in copy.layers}
    assert {computing[name] for name in ("scale", "features", "logits")} == {"float32"}
    assert {computing[name] for name in ("stem_norm", "stage1", "stage2", "stage3", "stage3_add")} == {"bfloat16"}
    assert {weights.dtype for weights in copy.weights} == {"float32"}


def test_taps_are_where_they_were():
    teacher, images = lively(models.build("resnet8", 10)), pixels()
    copy = teachers.frozen(teacher, dtype=None)
    for name in ("stem_norm", "stage1", "stage2", "stage3_add", "features"):
        a, b = (
            keras.Model(network.inputs, network.get_layer(name).output).predict(images, verbose=0)
            for network in (teacher, copy)
        )
        np.testing.assert_allclose(b, a, atol=1e-5 * np.abs(a).max())


def test_a_nested_teacher_becomes_one_network():
    inner = models.build("resnet8", 10)
    x = keras.Input((32, 32, 3))
    teacher = lively(keras.Model(x, layers.Dense(4, name="head")(inner(x))))
    copy, images = teachers.frozen(teacher, dtype=None), pixels()
    expected = teacher.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), expected, atol=1e-5 * np.abs(expected).max())


def test_a_student_learns_the_same_of_both():
    teacher, images = lively(models.build("resnet8", 10)), pixels(64)
    labels = np.arange(64) % 10
    losses = []
    for network in (teacher, teachers.frozen(teacher, dtype=None)):
        keras.utils.set_random_seed(3)
        wanted = {
            "soft": objectives.Hinton(temperature=4.0),
            "hint": objectives.Hint(teacher_layer="stage2", student_layer="stage2"),
        }
        learner = Distiller(student=models.build("resnet8", 10, width=8), teacher=network, objectives=wanted)
        learner.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses.append(learner.fit(images, labels, batch_size=32, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


class TestTolerance:
    def test_of_a_teacher_that_is_sure(self):
        teacher = models.build("resnet8", 10)
        teacher.get_layer("logits").set_weights([np.zeros((64, 10)), np.arange(10.0)])
        copy = teachers.frozen(teacher, images=pixels())
        assert copy.get_layer("stage1").compute_dtype == "bfloat16"

    def test_of_more_than_bfloat16_can_keep(self):
        teacher = lively(models.build("resnet8", 10))
        with pytest.warns(UserWarning, match="says the same class for .* It keeps its precision"):
            copy = teachers.frozen(teacher, images=pixels(), divergence=1e-6)
        assert copy.get_layer("stage1").compute_dtype == "float32"

    def test_of_a_teacher_in_that_precision_already(self, recwarn):
        """Held against its float32 self, not against itself, and there is nothing to fall back to."""
        teacher = lively(models.build("resnet8", 10, dtype="mixed_bfloat16"))
        copy = teachers.frozen(teacher, images=pixels(), divergence=0.0)
        assert copy.get_layer("stage1").compute_dtype == "bfloat16"
        assert not [warning for warning in recwarn if "says the same class" in str(warning.message)]

    def test_is_of_float32(self):
        """Maps in bfloat16 but for one: not the teacher's own answers but exact ones are what counts."""
        teacher = lively(models.build("resnet8", 10, dtype="mixed_bfloat16"))
        teacher.get_layer("stage3").dtype_policy = keras.DTypePolicy("float32")
        with pytest.warns(UserWarning, match="It keeps its precision"):
            teachers.frozen(teacher, images=pixels(), divergence=1e-9)

    def test_needs_one_output(self):
        x = keras.Input((4, 4, 3))
        h = layers.Conv2D(4, 3)(x)
        pooled = layers.GlobalAveragePooling2D()(h)
        teacher = keras.Model(x, {"a": layers.Dense(2)(pooled), "b": layers.Dense(3)(pooled)})
        with pytest.raises(InputError, match="with one output"):
            teachers.frozen(teacher, images=pixels(size=4))


def test_a_normalization_of_two_convolutions_is_not_folded():
    x = keras.Input((4, 4, 3))
    norm = layers.BatchNormalization(name="norm")
    both = layers.Add()([norm(layers.Conv2D(4, 3)(x)), norm(layers.Conv2D(4, 3)(x))])
    teacher = lively(keras.Model(x, layers.Dense(2)(layers.Flatten()(both))))
    copy, images = teachers.frozen(teacher, dtype=None), pixels(size=4)
    assert kinds(copy, layers.BatchNormalization) == ["norm"]
    expected = teacher.predict(images, verbose=0)
    np.testing.assert_allclose(copy.predict(images, verbose=0), expected, atol=1e-5 * np.abs(expected).max())


def test_logits_of_a_convolution_keep_their_precision():
    x = keras.Input((8, 8, 3))
    h = layers.Conv2D(4, 3, name="maps")(x)
    h = layers.GlobalAveragePooling2D(keepdims=True, name="pooled")(h)
    h = layers.Conv2D(5, 1, name="head")(h)
    copy = teachers.frozen(keras.Model(x, layers.Flatten(name="logits")(h)))
    computing = {layer.name: layer.compute_dtype for layer in copy.layers}
    assert computing["maps"] == "bfloat16"
    assert {computing[name] for name in ("pooled", "head", "logits")} == {"float32"}


def test_a_layer_that_does_not_come_back_is_one_message():
    x = keras.Input((4, 4, 3))
    teacher = keras.Model(x, layers.Flatten()(layers.Lambda(lambda each: 2 * each, name="twice")(x)))
    with pytest.raises(InputError, match="come back from their configuration"):
        teachers.frozen(teacher)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_a_subclassed_teacher_is_one_message():
    with pytest.raises(InputError, match="functional or sequential"):
        teachers.frozen(Subclassed())


def test_closeness_by_hand():
    """Two samples; of the second the answer flips between odds of 3 : 1 and 1 : 3."""
    odds = np.log([[3.0, 1.0], [3.0, 1.0]])
    found = closeness(odds, np.array([odds[0] + 7, odds[1][::-1]]), temperature=1.0)
    assert found.agreement == 0.5
    assert found.divergence == pytest.approx(0.5 * (0.75 - 0.25) * np.log(3))
    assert found.largest_difference == pytest.approx(np.log(3))
    assert found.mean_difference == pytest.approx(np.log(3) / 2)
    assert found.within(0.5, 0.3)
    assert not found.within(0.6, 0.3)
    assert not found.within(0.5, 0.2)


def test_closeness_is_between_soft_targets():
    exact = np.float32([[1.0, 4.0, 0.0], [2.0, 0.0, 1.0]])
    other = np.float32([[1.5, 4.5, 0.5], [0.0, 2.0, 1.0]])  # the same but for a shift; another class
    found = closeness(exact, other, temperature=4.0)
    assert found.largest_difference == pytest.approx(2.0)
    assert found.mean_difference == pytest.approx(4.0 / 6)
    expected = rel_entr(softmax(exact / 4, axis=1), softmax(other / 4, axis=1)).sum(axis=1).mean()
    assert found.divergence == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("asked", [False, True])
def test_a_recipe_freezes_its_teacher_and_what_a_bridge_fitted(tmp_path, asked):
    changes = ["bridge={name: fine_tune, training: {epochs: 1}}", f"teacher.frozen={str(asked).lower()}"]
    recipe = recipes.read_run("demo", changes)
    run_bridges = RecipeBridges(asked_bridges(recipe), ["a", "b"], lambda: None, frozen=recipe.teacher.frozen)
    models.build("resnet8", 2, (8, 8, 1), width=4).save(tmp_path / "network.keras")
    teacher = models.build("resnet8", 10, (8, 8, 1), width=4)
    fitted = run_bridges.of({"soft": recipe.bridge}, lambda stage: tmp_path)["soft"].teacher(teacher, 2)
    for network in (run_bridges.for_inference(teacher), fitted):
        assert (kinds(network, layers.BatchNormalization) == []) == asked
        assert network.get_layer("stage1").compute_dtype == ("bfloat16" if asked else "float32")
