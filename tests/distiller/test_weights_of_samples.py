"""Weights of samples and of classes, in every form in which targets come."""

import typing

import keras
import numpy as np
import pytest
from small_training import IMAGES, LABELS, SPARSE, in_batches, losses, network

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

    def test_weights_by_output_are_refused(self):
        labels = {"a": LABELS, "b": LABELS}
        with pytest.raises(InputError, match="one weight a sample for all outputs"):
            self.made().fit(IMAGES, labels, sample_weight={"a": WEIGHTS, "b": WEIGHTS}, verbose=0)
