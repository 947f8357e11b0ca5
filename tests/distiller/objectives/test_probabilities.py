"""Probabilities are never taken for logits, wherever the softmax is; and the advice that says so works."""

import keras
import numpy as np
import pytest
from keras import ops
from references import logits as reference
from scipy.special import softmax
from support.small import CLASSES, batch, distiller, network

from distiller import Distiller, bridges, models, objectives, teachers
from distiller.data import Split
from distiller.errors import InputError
from distiller.objectives.probabilities import are_probabilities

X, Y = batch()
ADVICE = r"distiller.models.logits_of\(network\)"


def features():
    keras.utils.set_random_seed(2)
    inputs = keras.Input((5, 5, 1))
    return inputs, keras.layers.Flatten()(inputs)


def ending(*layers):
    """A network that ends in these."""
    inputs, x = features()
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="ending")


def dense(activation=None, name="classes"):
    return keras.layers.Dense(CLASSES, activation=activation, name=name)


def nested(*layers):
    inner_inputs = keras.Input((25,))
    x = inner_inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inner_inputs, x, name="inner")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.head = keras.layers.Flatten(), dense()

    def call(self, inputs):
        return ops.softmax(self.head(self.flat(inputs)))


class Loaded(keras.layers.Layer):
    """Computes what its layers do not show, as a layer around a SavedModel."""

    def __init__(self):
        super().__init__()
        self.inner = dense()

    def call(self, inputs):
        return ops.softmax(self.inner(inputs))


class Own(keras.layers.Dense):
    """A dense layer with a softmax of its own."""

    def call(self, inputs, training=None):
        return ops.softmax(super().call(inputs))


def subclassed():
    keras.utils.set_random_seed(2)
    made = Subclassed()
    made(X)
    return made


def average():
    inputs, x = features()
    return keras.Model(inputs, keras.layers.Average()([dense("softmax", f"member{n}")(x) for n in range(2)]))


# Where the layers show the softmax it is taken off, and where they do not the logarithm is taken.
SHOWN = {
    "activation": lambda: ending(dense("softmax")),
    "layer": lambda: ending(dense(), keras.layers.Softmax()),
    "activation layer": lambda: ending(dense(), keras.layers.Activation("softmax")),
    "operation": lambda: ending(dense(), ops.softmax),
    "float32 behind": lambda: ending(dense("softmax"), keras.layers.Activation("linear", dtype="float32")),
    "reshape behind": lambda: ending(dense("softmax"), keras.layers.Reshape((CLASSES,)), keras.layers.Dropout(0.5)),
    "reshape operation": lambda: ending(dense("softmax"), lambda x: ops.reshape(x, (-1, CLASSES))),
    "nested": lambda: ending(nested(dense("softmax"))),
    "nested layer": lambda: ending(nested(dense(), keras.layers.Softmax()), keras.layers.Identity()),
    "Sequential": lambda: keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Flatten(), dense("softmax")]),
    "nested Sequential": lambda: ending(keras.Sequential([keras.Input((25,)), dense(), keras.layers.Softmax()])),
    "nested twice": lambda: ending(nested(nested(dense("softmax")))),
}
HIDDEN = {
    "subclassed": subclassed,
    "layer around": lambda: ending(Loaded()),
    "Lambda": lambda: ending(dense(), keras.layers.Lambda(lambda x: ops.softmax(x), output_shape=(CLASSES,))),
    "function": lambda: ending(dense(lambda x: ops.softmax(x))),
    "average": average,
    "by hand": lambda: ending(dense(ops.exp), lambda x: x / ops.sum(x, axis=-1, keepdims=True)),
    "subclass of Dense": lambda: ending(Own(CLASSES)),
    "TimeDistributed": lambda: ending(
        keras.layers.Reshape((5, 5)), keras.layers.TimeDistributed(keras.layers.Dense(CLASSES, "softmax"))
    ),
}


class TestEndings:
    @pytest.mark.parametrize("kind", SHOWN)
    def test_that_layers_show(self, kind):
        with pytest.raises(InputError, match=f"teacher to return logits. .* is a softmax.*{ADVICE}"):
            distiller(teacher=SHOWN[kind]())
        with pytest.raises(InputError, match=f"student to return logits. .* is a softmax.*{ADVICE}"):
            distiller(student=SHOWN[kind]())

    @pytest.mark.parametrize("kind", HIDDEN)
    def test_that_only_numbers_show(self, kind):
        made = HIDDEN[kind]()
        positions = len(made(X).shape) > 2
        other = ending(keras.layers.Reshape((5, 5)), dense()) if positions else network()
        y = np.repeat(Y[:, None], 5, axis=1) if positions else Y
        for role, pair in (
            ("teacher", {"teacher": made, "student": other}),
            ("student", {"student": made, "teacher": other}),
        ):
            model = distiller(**pair)
            before = model.student.get_weights()
            with pytest.raises(InputError, match=f"{role} answers probabilities.*{ADVICE}"):
                model.fit(X, y, verbose=0)
            for one, same in zip(model.student.get_weights(), before, strict=True):
                np.testing.assert_array_equal(one, same)

    @pytest.mark.parametrize("kind", [*SHOWN, *HIDDEN])
    def test_the_advice_works(self, kind):
        made = {**SHOWN, **HIDDEN}[kind]()
        answers = np.array(made(X))
        found = models.logits_of(made)
        np.testing.assert_allclose(softmax(np.asarray(found(X)), axis=-1), answers, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(made(X), answers, rtol=1e-6)  # as it was
        if answers.ndim == 2:
            model = distiller(teacher=found)
            expected = reference.hinton(np.log(answers), np.asarray(model.student(X)), None, 2.0).mean()
            assert model.fit(X, Y, verbose=0).history["soft"] == [pytest.approx(expected, rel=1e-3)]

    def test_a_sigmoid_goes_too(self):
        for made in (ending(dense("sigmoid")), ending(dense(), ops.sigmoid), ending(nested(dense("sigmoid")))):
            found = models.logits_of(made)
            np.testing.assert_allclose(1 / (1 + np.exp(-np.asarray(found(X)))), made(X), rtol=1e-4)

    def test_of_several_outputs_those_that_need_it(self):
        inputs, x = features()
        made = keras.Model(inputs, {"kind": dense("softmax", "kind")(x), "size": keras.layers.Dense(1, name="size")(x)})
        found = models.logits_of(made)(X)
        np.testing.assert_allclose(softmax(np.asarray(found["kind"]), -1), made(X)["kind"], rtol=1e-4)
        np.testing.assert_allclose(found["size"], made(X)["size"])

    def test_logits_have_none(self):
        with pytest.raises(InputError, match="whose last layers give logits"):
            models.logits_of(network())

    def test_it_is_saved_and_loaded(self, tmp_path):
        found = models.logits_of(SHOWN["nested layer"]())
        found.save(tmp_path / "logits.keras")
        np.testing.assert_allclose(keras.saving.load_model(tmp_path / "logits.keras")(X), found(X), rtol=1e-5)


class TestBehindABridge:
    """A bridge makes other numbers of the teacher's, in which nobody could see what they were made of."""

    @pytest.mark.parametrize("bridge", [bridges.Subset([0, 1, 3]), bridges.ClassMap([[0], [1, 2], [3]])])
    def test_that_takes_logits(self, bridge):
        model = distiller(teacher=HIDDEN["layer around"](), student=network(3), bridge=bridge)
        with pytest.raises(InputError, match="teacher answers probabilities"):
            model.fit(X, np.minimum(Y, 2), verbose=0)

    def test_in_an_ensemble(self):
        members = [network(seed=3), teachers.Member(HIDDEN["layer around"](), temperature=2.0)]
        model = distiller(teacher=teachers.ensemble(members, CLASSES))
        with pytest.raises(InputError, match="teacher answers probabilities"):
            model.fit(X, Y, verbose=0)

    def test_features_are_no_logits(self):
        """A tensor that nothing takes for logits may be anything."""
        inputs, x = features()
        x = keras.layers.Softmax(name="attention")(x)
        teacher, student = (keras.Model(inputs, dense()(x)) for _ in range(2))
        hint = objectives.Hint(teacher_layer="attention", student_layer="attention")
        model = distiller(teacher=teacher, student=student, objectives={"hint": hint, "soft": "hinton"})
        found = model.fit(X, Y, verbose=0).history
        assert found["hint"][0] > 0
        assert found["soft"][0] > 0

    def test_named_layers_are_compared_as_logits(self):
        inputs, x = features()
        probabilities = keras.layers.Softmax(name="shares")(dense()(x))
        teacher = keras.Model(inputs, keras.layers.Dense(CLASSES)(probabilities))
        model = distiller(teacher=teacher, objectives={"soft": objectives.Hinton(teacher_layer="shares")})
        with pytest.raises(InputError, match="teacher answers probabilities"):
            model.fit(X, Y, verbose=0)


def test_transport_is_not_fitted_to_them():
    with pytest.raises(InputError, match="teacher answers probabilities"):
        bridges.Transport().fit(HIDDEN["layer around"](), (X, Y), (X, Y), CLASSES)


class TestStored:
    def test_in_targets(self):
        model = distiller()
        shares = softmax(np.asarray(model.teacher(X)), -1)
        with pytest.raises(InputError, match="stored answers 'logits' of the teacher are probabilities"):
            model.fit(X, {"labels": Y, "taught": {"logits": shares}}, verbose=0)

    def test_in_a_cache(self, tmp_path):
        split = Split(np.random.default_rng(0).integers(0, 256, (6, 5, 5, 1)).astype("uint8"), np.zeros(6, "int32"))
        with pytest.raises(InputError, match="teacher answers probabilities"):
            teachers.Cache(tmp_path / "cache", HIDDEN["layer around"]()).build(split, passes=1)


class TestNumbers:
    def test_shares_in_half_precision(self):
        shares = softmax(np.random.default_rng(0).normal(size=(8, 100)) * 3, -1)
        assert are_probabilities(shares.astype("float16"))
        assert not are_probabilities(shares.astype("float16") * 1.2)

    @pytest.mark.parametrize(
        "logits",
        [np.zeros((3, 4)), np.full((3, 1), 1.0), np.array([[2.0, -1.0]]), np.full((2, 2), np.nan), np.ones((0, 3))],
    )
    def test_logits(self, logits):
        assert not are_probabilities(logits)


def test_networks_that_end_in_a_product_are_not_asked(monkeypatch):
    """They would run once more, for nothing."""
    import distiller.objectives.probabilities

    asked = []
    monkeypatch.setattr(distiller.objectives.probabilities, "are_probabilities", asked.append)
    teacher = ending(dense())
    model = Distiller(teacher=teacher, student=network(), objectives={"soft": "hinton"})
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, verbose=0)
    assert asked == []
