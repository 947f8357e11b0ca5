"""Taps reach every layer, nested ones too, share its weights and add no second run."""

import keras
import numpy as np
import pytest

from distiller import Distiller
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS, penultimate, tap


def backbone():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(3, 3, activation="relu", name="low")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(4, 3, name="high")(x), name="backbone")


def nested():
    inputs = keras.Input((6, 6, 2))
    x = backbone()(inputs)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(x))


def sequential():
    return keras.Sequential(
        [keras.Input((6, 6, 2)), backbone(), keras.layers.Flatten(name="flat"), keras.layers.Dense(3, name="head")]
    )


IMAGES = np.random.default_rng(0).normal(size=(4, 6, 6, 2)).astype("float32")


def grown():
    """A Sequential model of which each `add` makes the graph anew."""
    model = keras.Sequential()
    for layer in (
        keras.Input((4,)),
        keras.layers.Dense(3, name="low"),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.Dense(2, name="head"),
    ):
        model.add(layer)
    return model


def test_a_model_that_was_added_to_runs_once():
    x = np.arange(12, dtype="float32").reshape(3, 4)
    model = grown()
    norm = model.layers[1]
    tapped = tap(model, ["low", norm.name], role="student")
    tapped(x, training=True)
    mean = np.mean(model.layers[0](x), axis=0)
    np.testing.assert_allclose(norm.moving_mean, 0.5 * mean, rtol=1e-5)
    np.testing.assert_allclose(tapped(x)["low"], model.layers[0](x), rtol=1e-5)
    np.testing.assert_allclose(keras.Model(model.inputs[0], penultimate(model))(x), norm(model.layers[0](x)), rtol=1e-5)


def test_a_layer_of_two_models_is_tapped_in_each():
    shared = keras.layers.Dense(3, name="shared")
    models = []
    for factor in (1.0, 2.0):
        inputs = keras.Input((4,))
        x = keras.layers.Rescaling(factor)(inputs)
        models.append(keras.Model(inputs, keras.layers.Dense(2)(shared(x))))
    x = np.ones((1, 4), "float32")
    for factor, model in zip((1.0, 2.0), models, strict=True):
        np.testing.assert_allclose(tap(model, ["shared"], role="student")(x)["shared"], shared(factor * x), rtol=1e-5)


def test_the_outputs_of_a_nested_network_keep_their_places():
    inputs = keras.Input((6, 6, 2), name="image")
    low = keras.layers.Conv2D(3, 3, activation="relu", name="low")(inputs)
    inner = keras.Model({"image": inputs}, {n: keras.layers.Conv2D(4, 3, name=n)(low) for n in ("a", "b")}, name="two")
    image = keras.Input((6, 6, 2), name="photo")
    answers = inner({"image": image})
    flat = keras.layers.Flatten()(keras.ops.subtract(answers["a"], 2.0 * answers["b"]))
    for model in (keras.Model([image], flat), keras.Model({"photo": image}, flat)):
        expected = model([IMAGES] if isinstance(model.input, list) else {"photo": IMAGES})
        tapped = tap(model, ["two/low", "two"], role="student")(IMAGES)
        np.testing.assert_allclose(tapped[LOGITS], expected, rtol=1e-5)
        np.testing.assert_allclose(tapped["two"]["b"], inner({"image": IMAGES})["b"], rtol=1e-5)
        np.testing.assert_allclose(tapped["two/low"], inner.get_layer("low")(IMAGES), rtol=1e-5)


def test_a_layer_that_is_called_twice_has_no_one_output():
    inputs = keras.Input((6, 6, 2))
    relu, twice = keras.layers.ReLU(name="relu"), backbone()
    x = keras.layers.Flatten(name="flat")(relu(keras.ops.add(twice(inputs), twice(relu(inputs)))))
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    for name, called in (("relu", "relu"), ("backbone/low", "backbone")):
        with pytest.raises(InputError, match=f"teacher layer '{name}' .* '{called}' is called 2 times"):
            tap(model, [name, "flat"], role="teacher")


def test_a_layer_inside_a_subclassed_one_cannot_be_tapped():
    class Block(keras.Model):
        def __init__(self):
            super().__init__(name="block")
            self.inner = keras.layers.Dense(3, name="inner")

        def call(self, inputs):
            return self.inner(inputs)

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(Block()(inputs)))
    with pytest.raises(InputError, match="student layer 'block/inner' is inside 'block', a subclassed model"):
        tap(model, ["block/inner"], role="student")


def test_maps_of_channels_first_are_refused():
    inputs = keras.Input((2, 6, 6))
    maps = keras.layers.ReLU(name="maps")(keras.layers.Conv2D(3, 3, data_format="channels_first")(inputs))
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_first", name="pooled")(maps)
    model = keras.Model(inputs, keras.layers.Dense(3)(pooled))
    tap(model, ["pooled"], role="student")
    with pytest.raises(InputError, match=r"layers \['maps'\] of a student with data_format='channels_first'"):
        tap(model, ["maps"], role="student")


@pytest.mark.parametrize("build", [nested, sequential])
class TestNested:
    def test_values_are_those_of_the_layers(self, build):
        model = build()
        inner = model.get_layer("backbone")
        outputs = tap(model, ["backbone/low", "backbone/high", "flat"], role="teacher")(IMAGES)
        low = keras.Model(inner.input, inner.get_layer("low").output)(IMAGES)
        np.testing.assert_allclose(outputs["backbone/low"], low, rtol=1e-5)
        np.testing.assert_allclose(outputs["backbone/high"], inner(IMAGES), rtol=1e-5)
        np.testing.assert_allclose(outputs["flat"], np.reshape(inner(IMAGES), (4, -1)), rtol=1e-5)
        np.testing.assert_allclose(outputs[LOGITS], model(IMAGES), rtol=1e-5)

    def test_weights_are_shared_and_the_model_is_as_it_was(self, build):
        model = build()
        before = np.asarray(model(IMAGES))
        tapped = tap(model, ["backbone/low"], role="teacher")
        assert {id(v) for v in tapped.variables} == {id(v) for v in model.variables}
        np.testing.assert_array_equal(before, model(IMAGES))
        again = tap(model, ["backbone/low", "flat"], role="teacher")
        np.testing.assert_allclose(again(IMAGES)["backbone/low"], tapped(IMAGES)["backbone/low"])

    def test_places_stand_for_names(self, build):
        model = build()
        place = [layer.name for layer in model.layers].index("backbone")
        by_place = tap(model, [f"{place}/low"], role="teacher")(IMAGES)[f"{place}/low"]
        np.testing.assert_array_equal(by_place, tap(model, ["backbone/low"], role="teacher")(IMAGES)["backbone/low"])

    @pytest.mark.parametrize("name", ["backbone/lwo", "flat/low", "99", ""])
    def test_unknown_layers_have_the_nearest(self, build, name):
        with pytest.raises(InputError, match="Unknown student layer"):
            tap(build(), [name], role="student")


def test_the_nearest_is_named_with_its_path():
    with pytest.raises(InputError, match="Did you mean 'backbone/low'"):
        tap(nested(), ["backbone/lwo"], role="student")


def test_two_levels():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Flatten()(keras.Sequential([keras.Input((6, 6, 2)), backbone()], name="outer")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    found = tap(model, ["outer/backbone/low"], role="teacher")(IMAGES)["outer/backbone/low"]
    inner = model.get_layer("outer").get_layer("backbone")
    np.testing.assert_allclose(found, keras.Model(inner.input, inner.get_layer("low").output)(IMAGES), rtol=1e-5)


def test_several_outputs_have_their_names():
    inputs = keras.Input((2,))
    kind, size = keras.layers.Dense(3, name="kind")(inputs), keras.layers.Dense(1, name="size")(inputs)
    for outputs in ([kind, size], {"kind": kind, "size": size}):
        model = keras.Model(inputs, outputs)
        tapped = tap(model, [], role="teacher")
        assert set(tapped.output) == {"kind", "size"}
        x = np.ones((4, 2), "float32")
        np.testing.assert_allclose(tapped(x)["kind"], model.get_layer("kind")(x), rtol=1e-6)


def test_a_softmax_that_is_no_layer_is_refused():
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.ops.softmax(keras.layers.Dense(3)(inputs)))
    with pytest.raises(InputError, match="is a softmax"):
        Distiller(teacher=network, student=keras.models.clone_model(network), objectives={"soft": "hinton"})


def test_a_softmax_in_the_middle_is_none_at_the_end():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3)(inputs)
    network = keras.Model(inputs, keras.layers.Softmax()(x) @ keras.ops.ones((3, 5)))
    made = Distiller(teacher=network, student=keras.models.clone_model(network), objectives={"soft": "hinton"})
    np.testing.assert_allclose(made(np.ones((2, 4))), np.ones((2, 5)), rtol=1e-6)  # shares add up to one


def test_a_softmax_among_several_outputs_is_refused():
    inputs = keras.Input((2,))
    outputs = [keras.layers.Dense(3, name="kind", activation="softmax")(inputs), keras.layers.Dense(1)(inputs)]
    with pytest.raises(InputError, match="'kind' is a softmax"):
        tap(keras.Model(inputs, outputs), [], role="teacher")


class Mine(keras.Model):
    """A subclassed network that names its features."""

    def __init__(self):
        super().__init__()
        self.low = keras.layers.Dense(5, activation="relu")
        self.head = keras.layers.Dense(3)

    def named_features(self, inputs, training=None):
        low = self.low(inputs)
        return {"low": low, "logits": self.head(low)}

    def call(self, inputs, training=None):
        return self.named_features(inputs, training)["logits"]


class TestSubclassed:
    def test_it_names_its_features(self):
        model, x = Mine(), np.ones((4, 2), "float32")
        model(x)
        outputs = tap(model, ["low"], role="student")(x)
        np.testing.assert_allclose(outputs["low"], model.low(x), rtol=1e-6)
        np.testing.assert_allclose(outputs[LOGITS], model(x), rtol=1e-6)

    def test_without_names_it_has_its_logits(self):
        class Plain(keras.Model):
            def __init__(self):
                super().__init__()
                self.head = keras.layers.Dense(3)

            def call(self, inputs):
                return self.head(inputs)

        model, x = Plain(), np.ones((4, 2), "float32")
        model(x)
        np.testing.assert_allclose(tap(model, [], role="student")(x)[LOGITS], model(x), rtol=1e-6)
        with pytest.raises(InputError, match="Unknown feature of the student 'low'"):
            tap(model, ["low"], role="student")

    def test_weights_are_shared(self):
        model = Mine()
        model(np.ones((4, 2), "float32"))
        assert {id(v) for v in tap(model, [], role="student").variables} == {id(v) for v in model.variables}

    def test_the_nearest_feature_is_named(self):
        model = Mine()
        model(np.ones((4, 2), "float32"))
        with pytest.raises(InputError, match="Did you mean 'low'"):
            tap(model, ["lwo"], role="teacher")

    def test_it_has_to_be_built(self):
        with pytest.raises(InputError, match="built by a call on one tensor"):
            tap(Mine(), [], role="student")

    def test_its_features_have_logits(self):
        class Wrong(Mine):
            def named_features(self, inputs, training=None):
                return {"low": self.low(inputs)}

            def call(self, inputs):
                return self.head(self.low(inputs))

        model = Wrong()
        model(np.ones((4, 2), "float32"))
        with pytest.raises(InputError, match=r"dict with 'logits'. Received: \['low'\]"):
            tap(model, [], role="student")


def test_a_subclassed_network_of_indices_in_half_precision_is_refused():
    class Words(keras.Model):
        def __init__(self, dtype):
            super().__init__(dtype=dtype)
            self.embedding = keras.layers.Embedding(500, 3, dtype=dtype)

        def call(self, inputs):
            return self.embedding(inputs)

    for dtype in ("float32", "mixed_bfloat16"):
        model = Words(dtype)
        model(np.array([[257]]))
        if dtype == "float32":
            np.testing.assert_allclose(
                tap(model, [], role="student")(np.array([[257]]))[LOGITS], model(np.array([[257]]))
            )
        else:
            with pytest.raises(InputError, match="bfloat16 does not hold every index of an Embedding"):
                tap(model, [], role="student")


def test_penultimate_needs_a_dense_head():
    inputs = keras.Input((4, 4, 2))
    with pytest.raises(InputError, match="last layer is Dense"):
        penultimate(keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)))
