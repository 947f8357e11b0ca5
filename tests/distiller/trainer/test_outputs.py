"""Networks that answer with more than one vector of logits a sample: several outputs, sequences with masks."""

import keras
import numpy as np
import pytest
from references import logits as reference
from scipy.special import log_softmax

from distiller import Distiller, objectives
from distiller.errors import InputError

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
KERAS = objectives.FromKeras(keras.distillation.LogitsDistillation())
RNG = np.random.default_rng(0)


def cross_entropy(logits, labels):
    """Of logits (…, classes) and integer labels (…)."""
    picked = np.take_along_axis(log_softmax(np.asarray(logits, "float64"), -1), labels[..., None], -1)
    return -picked[..., 0]


class TestSeveralOutputs:
    """Two labels of an image: what it shows, four classes, and how big it is, a number."""

    X = RNG.normal(size=(6, 3)).astype("float32")
    KIND = np.array([0, 1, 2, 3, -1, 0], "int32")
    SIZE = RNG.normal(size=(6, 1)).astype("float32")  # may be negative: that marks nothing

    def network(self, seed, as_dict):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((3,))
        x = keras.layers.Dense(8, activation="relu", name="low")(inputs)
        outputs = {"kind": keras.layers.Dense(4, name="kind")(x), "size": keras.layers.Dense(1, name="size")(x)}
        return keras.Model(inputs, outputs if as_dict else list(outputs.values()))

    def distiller(self, as_dict=True, **compile):
        made = Distiller(
            teacher=self.network(2, as_dict),
            student=self.network(1, as_dict),
            objectives={"soft": objectives.Hinton(temperature=2.0, teacher_layer="kind", student_layer="kind")},
        )
        options = {"loss": {"kind": SPARSE, "size": "mse"}, "metrics": {"kind": ["accuracy"], "size": ["mae"]}}
        made.compile("sgd", **{**options, **compile})
        return made

    def expected(self, model, kind=1.0, size=1.0):
        answers = keras.tree.map_structure(np.asarray, model.student(self.X))
        answers = answers if isinstance(answers, dict) else dict(zip(["kind", "size"], answers, strict=True))
        hard = cross_entropy(answers["kind"], np.maximum(self.KIND, 0))[self.KIND >= 0].mean()
        return kind * hard + size * np.square(answers["size"] - self.SIZE).mean(), answers

    def test_the_labels_term_is_the_sum_of_both_losses(self):
        model = self.distiller()
        labels, answers = self.expected(model)
        teacher = np.asarray(model.teacher(self.X)["kind"])
        soft = reference.hinton(teacher, answers["kind"], None, 2.0).mean()
        found = model.train_on_batch(self.X, {"kind": self.KIND, "size": self.SIZE}, return_dict=True)
        assert found["labels"] == pytest.approx(labels, rel=1e-4)
        assert found["soft"] == pytest.approx(soft, rel=1e-4)
        assert found["loss"] == pytest.approx(labels + soft, rel=1e-4)
        assert found["size_mae"] == pytest.approx(np.abs(answers["size"] - self.SIZE).mean(), rel=1e-4)
        known = self.KIND >= 0
        assert found["kind_accuracy"] == pytest.approx((answers["kind"].argmax(-1) == self.KIND)[known].mean())

    def test_goes_on_after_loading(self, tmp_path):
        model = self.distiller()
        targets = {"kind": self.KIND, "size": self.SIZE}
        model.fit(self.X, targets, verbose=0, shuffle=False)
        model.save(tmp_path / "distiller.keras")
        loaded = keras.saving.load_model(tmp_path / "distiller.keras")
        found = [one.fit(self.X, targets, verbose=0, shuffle=False).history for one in (model, loaded)]
        assert found[1].keys() == found[0].keys()
        assert found[1]["loss"] == pytest.approx(found[0]["loss"], rel=1e-5)

    def test_every_number_of_a_training_is_one_that_is_counted(self):
        history = self.distiller().fit(self.X, {"kind": self.KIND, "size": self.SIZE}, verbose=0).history
        assert set(history) == {"loss", "labels", "soft", "kind_accuracy", "size_mae"}

    def test_loss_weights_are_those_of_keras(self):
        model = self.distiller(loss_weights={"kind": 2.0, "size": 0.5})
        labels, _ = self.expected(model, 2.0, 0.5)
        found = model.train_on_batch(self.X, {"kind": self.KIND, "size": self.SIZE}, return_dict=True)
        assert found["labels"] == pytest.approx(labels, rel=1e-4)

    def test_lists_of_outputs_have_lists_of_labels(self):
        model = self.distiller(as_dict=False, loss=[SPARSE, "mse"], metrics=None)
        labels, _ = self.expected(model)
        found = model.train_on_batch(self.X, [self.KIND, self.SIZE], return_dict=True)
        assert found["labels"] == pytest.approx(labels, rel=1e-4)

    def test_fit_and_evaluate(self):
        model = self.distiller()
        y = {"kind": self.KIND, "size": self.SIZE}
        history = model.fit(self.X, y, epochs=3, verbose=0, validation_data=(self.X, y)).history
        assert history["loss"][-1] < history["loss"][0]
        assert {"val_kind_accuracy", "val_size_mae", "val_labels"} <= history.keys()

    def test_an_objective_names_what_it_compares(self):
        with pytest.raises(InputError, match="several outputs"):
            Distiller(teacher=self.network(2, True), student=self.network(1, True), objectives={"soft": "hinton"})

    def test_losses_name_outputs(self):
        with pytest.raises(InputError, match=r"`loss` by output: \['kind', 'size'\]"):
            self.distiller(loss=SPARSE)

    def test_one_weight_a_sample(self):
        model = self.distiller()
        weights = np.array([0, 1, 2, 0, 1, 1], "float32")
        _, answers = self.expected(model)
        known = self.KIND >= 0
        hard = (weights * cross_entropy(answers["kind"], np.maximum(self.KIND, 0)))[known].sum() / known.sum()
        size = (weights * np.square(answers["size"] - self.SIZE)[:, 0]).mean()
        y = {"kind": self.KIND, "size": self.SIZE}
        found = model.train_on_batch(self.X, y, sample_weight=weights, return_dict=True)
        assert found["labels"] == pytest.approx(hard + size, rel=1e-4)


class TestSequences:
    """Logits (batch, positions, classes); a mask hides the padding."""

    WORDS = np.array([[3, 1, 2, 0], [4, 4, 0, 0], [1, 2, 3, 4]])
    LABELS = np.array([[0, 1, 2, 0], [2, -1, 0, 0], [1, 1, 0, 2]], "int32")

    def network(self, seed, mask_zero):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((4,))
        x = keras.layers.Embedding(5, 6, keras.initializers.RandomNormal(stddev=2.0), mask_zero=mask_zero)(inputs)
        return keras.Model(inputs, keras.layers.Dense(3)(x))

    def distiller(self, mask_zero):
        made = Distiller(
            teacher=self.network(2, mask_zero),
            student=self.network(1, mask_zero),
            objectives={"soft": objectives.Hinton(temperature=2.0)},
        )
        made.compile("sgd", loss=SPARSE, metrics=["accuracy"])
        return made

    @pytest.mark.parametrize("mask_zero", [False, True])
    def test_every_term_is_a_mean_over_what_is_not_hidden(self, mask_zero):
        model = self.distiller(mask_zero)
        shown = self.WORDS > 0 if mask_zero else np.ones_like(self.WORDS, bool)
        known = shown & (self.LABELS >= 0)
        student, teacher = np.asarray(model.student(self.WORDS)), np.asarray(model.teacher(self.WORDS))
        hard = cross_entropy(student, np.maximum(self.LABELS, 0))
        soft = reference.hinton(teacher.reshape(-1, 3), student.reshape(-1, 3), None, 2.0).reshape(3, 4)
        found = model.train_on_batch(self.WORDS, self.LABELS, return_dict=True)
        assert found["labels"] == pytest.approx(hard[known].mean(), rel=1e-4)
        assert found["soft"] == pytest.approx(soft[shown].mean(), rel=1e-4)
        assert found["accuracy"] == pytest.approx((student.argmax(-1) == self.LABELS)[known].mean())

    @pytest.mark.parametrize("named", [False, True])
    def test_the_mask_of_a_subclassed_student_counts(self, named):
        class Tagger(keras.Model):
            def __init__(self, network):
                super().__init__()
                self.network = network

            def call(self, inputs):
                return self.network(inputs)

        class Named(Tagger):
            def named_features(self, inputs, training=None):
                return {"logits": self.network(inputs)}

        functional = self.distiller(True)
        student = (Named if named else Tagger)(functional.student)
        student(self.WORDS)
        made = Distiller(
            teacher=functional.teacher, student=student, objectives={"soft": objectives.Hinton(temperature=2.0)}
        )
        made.compile("sgd", loss=SPARSE, metrics=["accuracy"])
        expected = functional.evaluate(self.WORDS, self.LABELS, verbose=0, return_dict=True)
        found = made.evaluate(self.WORDS, self.LABELS, verbose=0, return_dict=True)
        assert found == pytest.approx(expected, rel=1e-5)
        answers = (model.predict(self.WORDS, verbose=0) for model in (made, functional))
        np.testing.assert_allclose(*answers, rtol=1e-5)
        expected = self.distiller(True).train_on_batch(self.WORDS, self.LABELS, return_dict=True)
        found = made.train_on_batch(self.WORDS, self.LABELS, return_dict=True)
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)

    @pytest.mark.parametrize(
        "objective",
        [
            "dist",
            "multi_level",
            {"name": "standardized", "objective": "dist"},
            KERAS,
            "projector",
            *(name for name, kind in objectives.OBJECTIVES.items() if kind.compares == "relations"),
        ],
    )
    def test_what_is_hidden_is_not_compared_with_what_is_not(self, objective):
        with pytest.raises(
            InputError, match=r"'soft' compares the samples of a batch .* that the student's mask hides"
        ):
            Distiller(teacher=self.network(2, True), student=self.network(1, True), objectives={"soft": objective})
        Distiller(teacher=self.network(2, False), student=self.network(1, False), objectives={"soft": objective})

    @pytest.mark.parametrize("ignored", [0, 255])
    def test_a_class_that_the_loss_ignores_counts_for_no_label(self, ignored):
        model = self.distiller(False)
        model.compile(
            "sgd",
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored),
            metrics=["accuracy"],
        )
        labels = np.where(self.WORDS == 1, ignored, np.maximum(self.LABELS, 1)).astype("uint8")
        known = labels != ignored
        student = np.asarray(model.student(self.WORDS))
        hard = cross_entropy(student, np.where(known, labels, 0))[known].mean()
        accuracy = (student.argmax(-1) == labels)[known].mean()
        found = model.fit(self.WORDS, labels, verbose=0).history
        assert found["labels"][0] == pytest.approx(hard, rel=1e-4)
        assert found["accuracy"][0] == pytest.approx(accuracy)

    def test_weights_of_samples_and_of_positions(self):
        by_sample = np.array([0.5, 2.0, 1.0], "float32")
        by_position = np.repeat(by_sample[:, None], 4, axis=1)
        losses = [
            self.distiller(True).train_on_batch(self.WORDS, self.LABELS, sample_weight=w, return_dict=True)
            for w in (by_sample, by_position)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
