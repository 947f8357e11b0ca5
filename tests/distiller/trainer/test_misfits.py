"""Misfits are said in the words of whoever passed it, with the way out."""

import typing

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.special import log_softmax, softmax
from support.small import CLASSES, batch, distiller, network

from distiller import Distiller, bridges, objectives, teachers
from distiller.errors import InputError
from tflite.errors import ModelError
from tflite.quantization.saved import keras_model

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def two_outputs(seed=2):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, [keras.layers.Dense(CLASSES, name="kind")(x), keras.layers.Dense(1, name="size")(x)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectives": objectives.Hinton()}, "dict of name → objective.*Received: 'Hinton'"),
        ({"objectives": "hinton"}, "dict of name → objective.*Received: 'hinton'"),
        ({"objectives": [objectives.Hinton()]}, "dict of name → objective.*Received: 'list'"),
        ({"objectives": {"soft": objectives.Hinton}}, r"objectives.Hinton\(\).*Received: 'Hinton'"),
        ({"objectives": {"soft": objectives.hinton}}, "Expected an objective.*Received: 'hinton'"),
        ({"weights": 0.5}, "`weights` as a dict.*'labels', 'soft'. Received: 0.5"),
        ({"weights": [0.1, 0.9]}, "`weights` as a dict"),
        ({"bridge": "subset"}, "one of `distiller.bridges`.*Received: 'subset'"),
        ({"bridge": bridges.AuxiliaryHead}, "one of `distiller.bridges`.*Received: 'AuxiliaryHead'"),
        ({"teacher": two_outputs()}, r"outputs \['kind', 'size'\].*teacher_layer='kind'"),
        ({"teacher": keras.Sequential([keras.layers.Dense(4)])}, "teacher to be built.*keras.Input"),
        ({"student": keras.Sequential([keras.layers.Dense(4)])}, "student to be built.*keras.Input"),
    ],
)
def test_arguments_of_another_kind(options, message):
    with pytest.raises(InputError, match=message) as raised:
        distiller(**options)
    assert "@" not in str(raised.value)


def test_an_output_of_several_teaches_a_student_of_one():
    teacher, (x, y) = two_outputs(), batch()
    model = distiller(teacher=teacher, objectives={"soft": objectives.Hinton(temperature=2.0, teacher_layer="kind")})
    expected = reference.hinton(np.asarray(teacher(x)[0]), np.asarray(model.student(x)), None, 2.0).mean()
    assert model.train_on_batch(x, y, return_dict=True)["soft"] == pytest.approx(expected, rel=1e-4)


class TestLabels:
    @pytest.mark.parametrize("way", ["fit", "train_on_batch"])
    def test_none(self, way):
        with pytest.raises(InputError, match=r"Expected labels. Received: none. .*numpy.full\(len\(x\), -1\)"):
            getattr(distiller(), way)(batch()[0])

    def test_the_way_out(self):
        x, _ = batch()
        history = distiller().fit(x, np.full(len(x), -1), verbose=0).history
        assert history["labels"] == [0.0]
        assert history["soft"][0] > 0

    def test_of_an_output_that_has_a_loss(self):
        model = Distiller(
            teacher=two_outputs(),
            student=two_outputs(1),
            objectives={"soft": {"name": "hinton", "teacher_layer": "kind", "student_layer": "kind"}},
        )
        model.compile("sgd", loss={"kind": SPARSE, "size": "mse"})
        x, y = batch()
        with pytest.raises(InputError, match="labels of the output 'size', which has a loss"):
            model.fit(x, {"kind": y}, verbose=0)

    def test_by_the_name_of_the_only_output(self):
        """As Keras takes them; losses and metrics too."""
        x, y = batch()
        model, named = distiller(), distiller()
        named.compile("sgd", loss={"logits": SPARSE}, metrics={"logits": ["accuracy"]})
        y = np.roll(np.asarray(model.student(x)).argmax(-1), 1)  # some right, some wrong
        expected = model.train_on_batch(x, y, return_dict=True)
        assert 0 < expected["accuracy"] < 1
        assert named.train_on_batch(x, {"logits": y}, return_dict=True) == pytest.approx(expected)

    @pytest.mark.parametrize("part", ["labels", "loss"])
    def test_by_another_name(self, part):
        x, y = batch()
        model = distiller()
        call = {
            "labels": lambda: model.fit(x, {"kind": y}, verbose=0),
            "loss": lambda: model.compile("sgd", loss={"kind": SPARSE}),
        }[part]
        with pytest.raises(InputError, match=r"only output, or a dict of its name \['logits'\].*\['kind'\]") as raised:
            call()
        assert "@" not in str(raised.value)


class TestStoredAnswers:
    def stored(self, taught, **options):
        x, y = batch()
        model = distiller(**options)
        return model.train_on_batch(x, {"labels": y, "taught": taught(np.asarray(model.teacher(x)))}, return_dict=True)

    @pytest.mark.parametrize("taught", [lambda z: z, lambda z: {"logits": z}, lambda z: {"@logits": z}])
    def test_logits(self, taught):
        x, y = batch()
        expected = distiller().train_on_batch(x, y, return_dict=True)
        assert self.stored(taught) == pytest.approx(expected, rel=1e-5)

    HINT: typing.ClassVar = {
        "hint": {"name": "hint", "teacher_layer": "features", "student_layer": "features"},
        "soft": "hinton",
    }

    @pytest.mark.parametrize("taught", [lambda z: z, lambda z: {"logits": z}])
    def test_of_less_than_is_compared(self, taught):
        with pytest.raises(InputError, match=r"dict of the outputs \['features', 'logits'\]") as raised:
            self.stored(taught, objectives=self.HINT)
        assert "@" not in str(raised.value)


def test_a_training_is_not_a_network(tmp_path):
    """The student is converted and exported."""
    model = distiller()
    mutual = teachers.Mutual([network(seed=1), network(seed=2)])
    for one, message in ((model, r"distiller.student.export"), (mutual, r"mutual.students\['student1'\].export")):
        with pytest.raises(InputError, match=message):
            one.export(tmp_path / "saved")
    with pytest.raises(ModelError, match=r"trains a network. Pass that: `.student`"):
        keras_model(model)
    with pytest.raises(ModelError, match=r"Pass one of its `.students`: \['student1', 'student2'\]"):
        keras_model(mutual)


class TestLabelsByPosition:
    """A segmentation: an objective that reads labels finds those of each position, in every form."""

    RNG = np.random.default_rng(5)
    X = RNG.normal(size=(2, 3, 4, 2)).astype("float32")
    Y = RNG.integers(-1, 3, size=(2, 3, 4)).astype("int32")

    def network(self, seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((3, 4, 2))
        return keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))

    @pytest.mark.parametrize("objective", ["decoupled", "virtual"])
    @pytest.mark.parametrize("form", ["(B,H,W)", "(B,H,W,1)", "one-hot"])
    def test_forms(self, form, objective):
        made = {"decoupled": objectives.Decoupled(temperature=2.0), "virtual": teachers.Virtual()}[objective]
        model = Distiller(teacher=self.network(2), student=self.network(1), objectives={"soft": made})
        sparse = form != "one-hot"
        model.compile("sgd", loss=SPARSE if sparse else keras.losses.CategoricalCrossentropy(from_logits=True))
        one_hot = np.where(self.Y[..., None] < 0, -1, np.eye(3)[np.maximum(self.Y, 0)]).astype("float32")
        labels = {"(B,H,W)": self.Y, "(B,H,W,1)": self.Y[..., None], "one-hot": one_hot}[form]
        z_t, z_s = (np.asarray(one(self.X)).reshape(-1, 3) for one in (model.teacher, model.student))
        flat = self.Y.reshape(-1)
        if objective == "decoupled":
            targets = np.where(flat < 0, z_t.argmax(-1), flat)
            expected = reference.decoupled(z_t, z_s, targets, 1.0, 8.0, 2.0).mean()
        else:
            p = softmax(np.where(np.eye(3)[flat] > 0, 0.99, 0.005) / 20.0, axis=-1)
            divergence = (p * (np.log(p) - log_softmax(z_s.astype("float64"), axis=-1))).sum(-1)
            expected = np.where(flat < 0, 0.0, divergence).mean()
        found = model.fit(self.X, labels, verbose=0, batch_size=2, shuffle=False).history
        assert found["soft"][0] == pytest.approx(expected, rel=1e-4)

    def test_labels_that_are_not_one_a_position(self):
        """Then the teacher's likeliest class is the target of a position, as without labels."""
        model = Distiller(
            teacher=self.network(2),
            student=self.network(1),
            objectives={"soft": objectives.Decoupled(temperature=2.0)},
        )
        model.compile("sgd", loss=SPARSE)
        labels = np.array([0, 1], "int32")
        x, targets = model.targets((self.X, labels))
        loss = distiller_term(model, x, targets)
        z_t, z_s = (np.asarray(one(self.X)).reshape(-1, 3) for one in (model.teacher, model.student))
        assert loss == pytest.approx(reference.decoupled(z_t, z_s, z_t.argmax(-1), 1.0, 8.0, 2.0).mean(), rel=1e-4)


def distiller_term(model, x, targets):
    from distiller.trainer.distillation_loss import objective_term

    outputs = model.student_outputs(x)
    taught = model.teacher_outputs(x)
    return float(
        objective_term("soft", model.objectives["soft"], model.pairing, taught, outputs, targets, lambda value: value)
    )
