"""Accuracy, counted by hand, from every kind of data set."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tflite
from tflite import ModelError
from tflite.model_file.interpreter import Runner


class Batches(keras.utils.PyDataset):
    """Ends only by its length, as Keras allows."""

    def __init__(self, images, labels, size):
        super().__init__()
        self.images, self.labels, self.size = images, labels, size

    def __len__(self):
        return -(-len(self.labels) // self.size)

    def __getitem__(self, index):
        part = np.arange(index * self.size, (index + 1) * self.size)
        part = part[part < len(self.labels)] if index < len(self) else part % len(self.labels)
        return self.images[part].astype("float32"), self.labels[part]


class Endless(Batches):
    @property
    def num_batches(self):
        return None


def test_accuracy_is_what_a_count_says(files, network, held_out):
    guesses = np.asarray(network(held_out.images.astype("float32"), training=False)).argmax(axis=1)
    correct = sum(int(g) == int(y) for g, y in zip(guesses, held_out.labels, strict=True))
    got = tflite.evaluate(files["float32"].path, (held_out.images, held_out.labels))
    assert (got.correct, got.samples, got.skipped) == (correct, 797, 0)
    assert got.accuracy == correct / 797
    assert got.accuracy > 0.8
    assert got.threads == 1
    assert got.seconds > 0


def test_integer_file_is_as_accurate_as_the_float_file(files, held_out):
    data = (held_out.images, held_out.labels)
    accuracies = [tflite.evaluate(files[scheme].path, data).accuracy for scheme in ("float32", "int8")]
    assert abs(accuracies[0] - accuracies[1]) < 0.02


def test_threads_of_numpy(files, held_out):
    data = (held_out.images[:5], held_out.labels[:5])
    assert tflite.evaluate(files["int8"].path, data, threads=np.int64(2)).to_dict()["threads"] == 2


@pytest.mark.parametrize("kind", ["PyDataset", "list", "generator", "tf.data", "column"])
def test_kinds_of_data_sets(files, held_out, kind):
    images, labels = held_out.images[:100], held_out.labels[:100]
    dataset = {
        "PyDataset": Batches(images, labels, 32),
        "list": [(images[:64], labels[:64]), (images[64:], labels[64:])],
        "generator": ((images[i : i + 30], labels[i : i + 30]) for i in range(0, 100, 30)),
        "tf.data": tf.data.Dataset.from_tensor_slices((images, labels)).batch(32),
        "column": (images, labels[:, None]),
    }[kind]
    expected = tflite.evaluate(files["int8"].path, (images, labels))
    got = tflite.evaluate(files["int8"].path, dataset, threads=2)
    assert (got.correct, got.samples) == (expected.correct, 100)


def test_unlabelled_samples_count_in_nothing(files, network, held_out):
    """Of sixty samples, twenty have no label and some of the others a wrong one: 28 of 40 are right."""
    images = held_out.images[:60]
    labels = Runner(files["int8"].path).integers(images).argmax(axis=1)
    labels[1::3] = -1
    labels[:36:3] = (labels[:36:3] + 1) % 10
    got = tflite.evaluate(files["int8"].path, (images, labels))
    assert (got.correct, got.samples, got.skipped) == (28, 40, 20)
    assert got.accuracy == 28 / 40
    compared = tflite.compare(network, files["int8"].path, images, labels=labels)
    guesses = np.asarray(network(images.astype("float32"), training=False)).argmax(axis=1)
    known = [place for place in range(60) if place % 3 != 1]
    right = sum(int(guesses[place]) == int(labels[place]) for place in known)
    assert 0 < right < 40
    assert (compared.accuracy, compared.keras_accuracy, compared.samples) == (28 / 40, right / 40, 60)


def test_progress_is_told(files, held_out):
    told = []
    data = (held_out.images[:300], held_out.labels[:300])
    tflite.evaluate(files["int8"].path, data, progress=lambda done, total: told.append((done, total)))
    assert told == [(256, 300), (300, 300)]
    told.clear()
    tflite.evaluate(files["int8"].path, [data], progress=lambda done, total: told.append((done, total)))
    assert told == [(300, None)]


def test_data_sets_that_do_not_fit(files, held_out):
    images, labels = held_out.images[:10], held_out.labels[:10]
    for dataset, message in [
        ((images, labels + 10), r"Expected labels from −1 to 9. Received: 1\d"),
        ((images, np.full(10, -2)), "Expected labels from −1 to 9. Received: -2"),
        ((images, np.full(10, -1)), "at least one labelled sample. Received: 10 samples without a label"),
        ((images[:0], labels[:0]), "at least one labelled sample. Received: 0 samples"),
        ((images, labels[:9]), r"as many integer labels as images. Received: images \(10, 8, 8, 1\), labels \(9,\)"),
        ((images, labels.astype("float32")), "do not tell the task"),
        ((images, np.eye(10)[labels]), "do not tell the task"),
        ((images[..., 0], labels), r"images of shape \(n, 8, 8, 1\).*Received: \(10, 8, 8\)"),
        (images, "Expected images with labels. Received: images alone"),
        ([(images, labels, labels)], r"batches \(images, labels\). Received: tuple of 3"),
        ("digits", "an iterable of batches. Received: str"),
        (Endless(images, labels, 5), "data set that ends. Received: a PyDataset"),
        (tf.data.Dataset.from_tensors((images, labels)).repeat(), "data set that ends. Received: an infinite"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.evaluate(files["int8"].path, dataset)


def test_only_classifiers_have_an_accuracy(held_out, tmp_path):
    inputs = keras.Input((8, 8, 1))
    path = tmp_path / "a.tflite"
    tflite.convert(keras.Model(inputs, keras.layers.Rescaling(2.0)(inputs)), path)
    with pytest.raises(ModelError, match=r"outputs \(batch, classes\). Received: .*\(1, 8, 8, 1\)"):
        tflite.evaluate(path, (held_out.images, held_out.labels))


def test_unsigned_labels(files, held_out):
    data = (held_out.images[:20], held_out.labels[:20])
    got = tflite.evaluate(files["int8"].path, (data[0], data[1].astype("uint8")))
    assert got.correct == tflite.evaluate(files["int8"].path, data).correct
