"""Weights of samples and of classes, in every form in which targets come."""

import typing

import keras
import numpy as np
import pytest
from references import logits as reference
from support.small_training import IMAGES, LABELS, SPARSE, in_batches, losses, network

from distiller import Distiller, objectives, teachers
from distiller.errors import InputError

WEIGHTS = np.linspace(0, 2, 32).astype("float32")
IDS = np.arange(32)
CATEGORICAL = keras.losses.CategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def weighted():
    return losses(fit={"sample_weight": WEIGHTS})


def test_of_labels_with_ids(weighted):
    named = losses({"labels": LABELS, "ids": IDS}, fit={"sample_weight": WEIGHTS})
    np.testing.assert_allclose(named, weighted, rtol=1e-5)


@pytest.mark.parametrize("feed", [None, in_batches], ids=["arrays", "tf.data"])
@pytest.mark.parametrize("columns", [1, 4])
def test_of_classes_of_labels_with_ids(feed, columns):
    labels = LABELS if columns == 1 else np.eye(4, dtype="float32")[LABELS]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True) if columns == 4 else None
    options = {"loss": loss} if loss else {}
    by_sample = losses(labels, fit={"sample_weight": np.where(LABELS == 2, 3.0, 1.0)}, **options)
    by_class = losses({"labels": labels, "ids": IDS}, feed=feed, fit={"class_weight": {2: 3.0}}, **options)
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


@pytest.mark.parametrize("feed", [None, in_batches], ids=["arrays", "tf.data"])
@pytest.mark.parametrize("column", [False, True])
def test_class_weights_are_those_of_keras(feed, column):
    """Doubling a class is the same as doubling the weight of its samples; unlabelled and unnamed ones keep weight 1."""
    labels = np.where(np.arange(32) % 3 == 0, -1, LABELS)
    by_sample = losses(labels, fit={"sample_weight": np.where(labels == 1, 2.0, 1.0)})
    by_class = losses(labels[:, None] if column else labels, feed=feed, fit={"class_weight": {0: 1.0, 1: 2.0}})
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


@pytest.mark.parametrize("feed", [None, in_batches], ids=["arrays", "tf.data"])
def test_class_weights_of_labels_that_are_vectors(feed):
    """An unlabelled sample is a row of −1, and of no class."""
    known = np.arange(32) % 3 > 0
    labels = np.where(known[:, None], np.eye(4)[LABELS], -1.0).astype("float32")
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    by_sample = losses(labels, loss=loss, fit={"sample_weight": np.where(known & (LABELS == 0), 3.0, 1.0)})
    by_class = losses(labels, loss=loss, feed=feed, fit={"class_weight": {0: 3.0}})
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


class TestValidationSplit:
    """Weights of classes are those of a training: what is held out counts as it is."""

    WEIGHTS: typing.ClassVar = {0: 9.0, 1: 0.5}

    def history(self, labels, loss, share=0.375):
        made = Distiller(teacher=network(2), student=network(1), objectives={"soft": "hinton"}, weights={"soft": 0.0})
        made.compile(keras.optimizers.SGD(0.0), loss=loss, metrics=["accuracy"])
        options = {"class_weight": self.WEIGHTS, "validation_split": share, "verbose": 0, "shuffle": False}
        return {name: numbers[0] for name, numbers in made.fit(IMAGES, labels, **options).history.items()}

    def expected(self, share=0.375):
        """As Keras trains the student alone."""
        alone = network(1)
        alone.compile(keras.optimizers.SGD(0.0), loss=SPARSE, weighted_metrics=["accuracy"])
        options = {"class_weight": self.WEIGHTS, "validation_split": share, "verbose": 0, "shuffle": False}
        return {name: numbers[0] for name, numbers in alone.fit(IMAGES, LABELS, **options).history.items()}

    @pytest.mark.parametrize("share", [0.375, 0.3])
    @pytest.mark.parametrize("form", ["classes", "vectors", "with ids", "vectors with ids"])
    def test_is_not_weighted(self, form, share):
        vectors = form.startswith("vectors")
        labels = np.eye(4, dtype="float32")[LABELS] if vectors else LABELS
        given = {"labels": labels, "ids": IDS} if form.endswith("ids") else labels
        found, expected = self.history(given, CATEGORICAL if vectors else SPARSE, share), self.expected(share)
        names = ["loss", "accuracy", "val_loss", "val_accuracy"]
        assert [found[name] for name in names] == pytest.approx([expected[name] for name in names], rel=1e-5)
        assert expected["val_loss"] != pytest.approx(expected["loss"], rel=0.1)

    def test_nor_is_that_of_students_that_teach_each_other(self):
        made = teachers.Mutual([network(1), network(2)], peers=0.0)
        made.compile(keras.optimizers.SGD(0.0), loss=CATEGORICAL)
        vectors = np.eye(4, dtype="float32")[LABELS]
        options = {"class_weight": self.WEIGHTS, "validation_split": 0.375, "verbose": 0, "shuffle": False}
        history = made.fit(IMAGES, vectors, **options).history
        expected = self.expected()
        found = [history[name][0] for name in ("student1_labels", "val_student1_labels")]
        assert found == pytest.approx([expected["loss"], expected["val_loss"]], rel=1e-5)


def test_of_classes_of_labels_in_a_tensor():
    plain = losses(fit={"class_weight": {2: 3.0}})
    for labels, options in ((LABELS, {}), (np.eye(4, dtype="float32")[LABELS], {"loss": CATEGORICAL})):
        found = losses(keras.ops.convert_to_tensor(labels), fit={"class_weight": {2: 3.0}}, **options)
        np.testing.assert_allclose(found, plain, rtol=1e-5)


class TestSeveralOutputs:
    def network(self, seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((5, 5, 1))
        x = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, {name: keras.layers.Dense(4, name=name)(x) for name in "ab"})

    def made(self):
        soft = objectives.Hinton(teacher_layer="a", student_layer="a")
        networks = {"teacher": self.network(2), "student": self.network(1)}
        model = Distiller(**networks, objectives={"soft": soft}, weights={"soft": 0.0})
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss={"a": loss, "b": loss})
        return model

    def expected(self, model):
        answers = model.student(IMAGES)
        each = [keras.losses.sparse_categorical_crossentropy(LABELS, answers[n], from_logits=True) for n in "ab"]
        return float(np.mean(WEIGHTS * (np.asarray(each[0]) + np.asarray(each[1]))))

    @pytest.mark.parametrize("nested", [False, True])
    def test_one_weight_a_sample_is_that_of_all(self, nested):
        model, labels = self.made(), {"a": LABELS, "b": LABELS}
        y = {"labels": labels, "ids": IDS} if nested else labels
        expected = self.expected(model)
        found = model.evaluate(IMAGES, y, sample_weight=WEIGHTS, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(expected, rel=1e-5)
        held = model.fit(
            IMAGES, y, batch_size=32, sample_weight=WEIGHTS, validation_data=(IMAGES, y, WEIGHTS), verbose=0
        )
        assert held.history["loss"][0] == pytest.approx(expected, rel=1e-5)
        assert held.history["val_loss"][0] == pytest.approx(self.expected(model), rel=1e-5)

    BY_OUTPUT: typing.ClassVar = {"a": WEIGHTS, "b": WEIGHTS[::-1] ** 2}

    def expected_by_output(self, model, weights):
        answers = model.student(IMAGES)
        each = {n: keras.losses.sparse_categorical_crossentropy(LABELS, answers[n], from_logits=True) for n in "ab"}
        return float(sum(np.mean(weights.get(n, np.ones(32)) * np.asarray(loss)) for n, loss in each.items()))

    @pytest.mark.parametrize("given", [("a", "b"), ("b",)], ids=["both", "one"])
    @pytest.mark.parametrize("nested", [False, True])
    def test_weights_by_output(self, given, nested):
        model, labels = self.made(), {"a": LABELS, "b": LABELS}
        weights = {name: self.BY_OUTPUT[name] for name in given}
        y = {"labels": labels, "ids": IDS} if nested else labels
        expected = self.expected_by_output(model, weights)
        found = model.evaluate(IMAGES, y, sample_weight=weights, verbose=0, return_dict=True)
        assert found["loss"] == pytest.approx(expected, rel=1e-5)
        options = {"batch_size": 32, "verbose": 0, "validation_data": (IMAGES, y, weights)}
        history = model.fit(IMAGES, y, sample_weight=weights, **options).history
        assert history["labels"][0] == pytest.approx(expected, rel=1e-5)
        assert history["val_loss"][0] == pytest.approx(self.expected_by_output(model, weights), rel=1e-5)
        expected = self.expected_by_output(model, weights)
        found = model.train_on_batch(IMAGES, y, sample_weight=weights, return_dict=True)
        assert found["labels"] == pytest.approx(expected, rel=1e-5)

    def test_an_objective_has_the_weights_of_the_output_that_it_compares(self):
        teacher, student = self.network(2), self.network(1)
        soft = {name: objectives.Hinton(2.0, teacher_layer=name, student_layer=name) for name in "ab"}
        model = Distiller(teacher=teacher, student=student, objectives=soft)
        model.compile(keras.optimizers.SGD(0.0), loss={"a": SPARSE, "b": SPARSE}, metrics={"a": ["accuracy"]})
        found = model.fit(
            IMAGES, {"a": LABELS, "b": LABELS}, batch_size=32, sample_weight={"a": WEIGHTS}, verbose=0
        ).history
        answers = {n: [np.asarray(one(IMAGES)[n]) for one in (teacher, student)] for n in "ab"}
        each = {n: reference.hinton(*pair, None, 2.0) for n, pair in answers.items()}
        assert found["a"][0] == pytest.approx((WEIGHTS * each["a"]).mean(), rel=1e-4)
        assert found["b"][0] == pytest.approx(each["b"].mean(), rel=1e-4)
        right = answers["a"][1].argmax(-1) == LABELS
        assert found["a_accuracy"][0] == pytest.approx((WEIGHTS * right).sum() / WEIGHTS.sum(), rel=1e-5)

    def test_weights_of_an_output_that_there_is_not(self):
        labels = {"a": LABELS, "b": LABELS}
        with pytest.raises(InputError, match=r"Unknown output with weights 'c'|output with weights"):
            self.made().fit(IMAGES, labels, sample_weight={"c": WEIGHTS}, verbose=0)

    def test_boxes_count_only_where_there_is_an_object(self):
        """A detector: a class of every cell of a grid, and a box of those with an object."""

        def network(seed):
            keras.utils.set_random_seed(seed)
            inputs = keras.Input((5, 5, 1))
            return keras.Model(inputs, {n: keras.layers.Conv2D(4, 2, name=n)(inputs) for n in ("kind", "box")})

        made = Distiller(teacher=network(2), student=network(1), objectives={})
        made.compile(keras.optimizers.SGD(0.0), loss={"kind": SPARSE, "box": "huber"})
        rng = np.random.default_rng(1)
        there = rng.random((32, 4, 4)) < 0.4
        kinds, boxes = rng.integers(0, 4, (32, 4, 4)), rng.normal(size=(32, 4, 4, 4)).astype("float32")
        y, weights = {"kind": kinds, "box": boxes}, {"box": there.astype("float32")}
        answers = network(1).predict(IMAGES, verbose=0)
        z = answers["kind"].astype("float64")
        of_kinds = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, kinds[..., None], -1)[..., 0]
        apart = np.abs(answers["box"] - boxes)
        of_boxes = np.where(apart <= 1, apart**2 / 2, apart - 0.5).mean(-1)
        expected = of_kinds.mean() + (of_boxes * there).mean()
        assert made.evaluate(IMAGES, y, sample_weight=weights, verbose=0)[0] == pytest.approx(expected, rel=1e-4)
        history = made.fit(IMAGES, y, sample_weight=weights, batch_size=32, verbose=0).history
        assert history["labels"][0] == pytest.approx(expected, rel=1e-4)
