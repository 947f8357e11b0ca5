"""Metrics of binary, several labels, regression and segmentation, against their definitions computed by hand."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers

import tflite

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 6, 6, 3)).astype("float32")


def network(outputs, activation=None, maps=False):
    keras.utils.set_random_seed(0)
    pixels = keras.Input((6, 6, 3))
    x = layers.Rescaling(1 / 128, -1)(pixels)
    if maps:
        return keras.Model(pixels, layers.Conv2D(outputs, 3, padding="same")(x))
    return keras.Model(pixels, layers.Dense(outputs, activation=activation)(layers.Flatten()(x)))


def written(model, folder, scheme="float32"):
    representative = IMAGES if scheme == "int8" else None
    return tflite.convert(model, folder / f"{scheme}.tflite", scheme=scheme, representative=representative).path


def noisy(scores, share=0.2):
    """Labels that the scores tell, but for a share of them."""
    wrong = RNG.random(scores.shape) < share
    return ((scores > np.median(scores, axis=0)) ^ wrong).astype("int64")


def area(scores, labels):
    """The share of pairs of a positive and a negative that are in order: the area under the ROC curve."""
    pairs = list(itertools.product(scores[labels == 1], scores[labels == 0]))
    return np.mean([1.0 if one > other else 0.5 if one == other else 0.0 for one, other in pairs])


def average_precision(scores, labels):
    order = np.argsort(-scores, kind="stable")
    hits = labels[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return (precision * hits).sum() / hits.sum()


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_binary(activation, tmp_path):
    """The threshold is 0 of a logit, and 0.5 of a probability."""
    model = network(1, activation)
    scores = model.predict(IMAGES, verbose=0)[:, 0]
    labels = noisy(scores)
    labels[:3] = -1
    found = tflite.evaluate(written(model, tmp_path), (IMAGES, labels))
    assert (found.task, found.samples, found.skipped) == ("binary", 57, 3)
    guesses = scores[3:] > (0.5 if activation else 0.0)
    assert 0 < found.metrics["accuracy"] < 1
    assert found.metrics["accuracy"] == pytest.approx((guesses == labels[3:]).mean())
    assert found.metrics["auc"] == pytest.approx(area(scores[3:], labels[3:]))


def test_several_labels(tmp_path):
    model = network(4)
    scores = model.predict(IMAGES, verbose=0)
    labels = noisy(scores)
    labels[:, 3] = 0  # no sample has it
    found = tflite.evaluate(written(model, tmp_path), (IMAGES, labels))
    assert found.task == "multi_label"
    each = [average_precision(scores[:, i], labels[:, i]) for i in range(3)]
    assert found.metrics["map"] == pytest.approx(np.mean(each), rel=1e-5)
    guesses = scores[:, :3] > 0
    truth = labels[:, :3] == 1
    right, asked, there = ((guesses & truth).sum(0), guesses.sum(0), truth.sum(0))
    assert found.metrics["f1_macro"] == pytest.approx((2 * right / (asked + there)).mean())
    assert found.metrics["f1_micro"] == pytest.approx(2 * right.sum() / (asked.sum() + there.sum()))


def test_regression(tmp_path):
    model = network(2)
    values = model.predict(IMAGES, verbose=0)
    labels = values + RNG.normal(size=values.shape)
    labels[5] = np.nan
    labels[6, 0] = -1.0  # a number like others
    kept = np.arange(60) != 5
    found = tflite.evaluate(written(model, tmp_path), (IMAGES, labels))
    assert (found.task, found.samples, found.skipped) == ("regression", 59, 1)
    error = (values - labels)[kept]
    assert found.metrics["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert found.metrics["rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-4)


def test_segmentation(tmp_path):
    model = network(3, maps=True)
    guesses = model.predict(IMAGES, verbose=0).argmax(-1)
    labels = np.where(RNG.random(guesses.shape) < 0.3, RNG.integers(0, 3, guesses.shape), guesses)
    labels[0] = -1
    labels[1, :2] = -1
    found = tflite.evaluate(written(model, tmp_path), (IMAGES, labels))
    assert (found.task, found.samples, found.skipped) == ("segmentation", 59, 1)
    known = labels >= 0
    overlaps = []
    for one in range(3):
        mine, truth = (guesses == one) & known, labels == one
        overlaps.append((mine & truth).sum() / (mine | truth).sum())
    assert found.metrics["miou"] == pytest.approx(np.mean(overlaps))
    assert found.metrics["accuracy"] == pytest.approx((guesses == labels)[known].mean())
    # Keras's own metric is of the same definition.
    reference = keras.metrics.MeanIoU(3, ignore_class=-1)
    reference.update_state(labels, guesses)
    assert found.metrics["miou"] == pytest.approx(float(reference.result()), rel=1e-5)


@pytest.mark.parametrize("task", ["binary", "multi_label", "regression", "segmentation"])
def test_integer_files_are_close_to_the_model(task, tmp_path):
    model = network(
        {"binary": 1, "multi_label": 4, "regression": 2, "segmentation": 3}[task], maps=task == "segmentation"
    )
    outputs = model.predict(IMAGES, verbose=0)
    labels = outputs.argmax(-1) if task == "segmentation" else outputs if task == "regression" else noisy(outputs, 0.0)
    found = tflite.evaluate(written(model, tmp_path, "int8"), (IMAGES, labels), task=task)
    metrics = found.metrics
    if task == "regression":
        assert 0 < metrics["mae"] < 0.05 * np.ptp(outputs)
    else:
        assert min(metrics[name] for name in metrics if name in ("auc", "map", "miou")) > 0.9


def test_batches_give_what_arrays_give(tmp_path):
    model = network(4)
    labels = noisy(model.predict(IMAGES, verbose=0))
    path = written(model, tmp_path)
    whole = tflite.evaluate(path, (IMAGES, labels))
    parts = tflite.evaluate(path, [(IMAGES[i : i + 7], labels[i : i + 7]) for i in range(0, 60, 7)])
    assert parts.metrics == pytest.approx(whole.metrics)
    assert parts.samples == 60


def test_labels_that_tell_no_task_or_another(tmp_path):
    one, many = written(network(1), tmp_path), tmp_path / "many.tflite"
    tflite.convert(network(4), many)
    zeros = np.zeros((60, 4))
    for path, labels, task, message in [
        (many, zeros, None, "do not tell the task .* task= one of classification, binary"),
        (many, np.zeros(60, int), "clasification", "Did you mean 'classification'"),
        (many, zeros[:, :3].astype(int), "multi_label", r"Expected labels \(n, 4\) of 0 and 1"),
        (many, np.full((60, 4), 2), "multi_label", r"Expected labels \(n, 4\) of 0 and 1"),
        (many, np.zeros(60, int), "binary", "Expected one output a sample"),
        (one, np.arange(60), "binary", r"Expected labels \(n,\) of 0 and 1"),
        (many, zeros[:, :2], "regression", r"Expected labels of shape \(n, 4\)"),
        (many, np.zeros((60, 6, 6), int), "segmentation", "Expected outputs .batch, height, width, classes"),
        (one, np.full(60, -1), "binary", "at least one labelled sample. Received: 60"),
        (many, np.zeros((60, 4), int), "multi_label", "a sample with a label of 1"),
    ]:
        with pytest.raises(tflite.ModelError, match=message):
            tflite.evaluate(path, (IMAGES, labels), task=task)
    # Zeros and ones as floating-point numbers may be of either.
    assert tflite.evaluate(many, (IMAGES, zeros), task="regression").metrics["mae"] > 0
