"""Labels and outputs of other tasks that would lead to a wrong number: each is right, or a refusal in words."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite.parity.task_metrics import MultiLabel

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(40, 4)).astype("float32")


def scored(folder, outputs, ending=None, activation=None):
    """File of a dense layer on `ROWS`, and what its model answers."""
    keras.utils.set_random_seed(0)
    rows = keras.Input((4,))
    x = layers.Dense(outputs, activation=activation)(rows)
    model = keras.Model(rows, x if ending is None else ending(x))
    return tflite.convert(model, folder / "scored.tflite").path, model.predict(ROWS, verbose=0)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64"])
def test_masks_of_any_integers(dtype, tmp_path):
    """21 classes: the number of a pair of classes is beyond a byte."""
    keras.utils.set_random_seed(0)
    maps = RNG.normal(size=(10, 6, 6, 3)).astype("float32")
    pixels = keras.Input((6, 6, 3))
    model = keras.Model(pixels, layers.Conv2D(21, 3, padding="same")(pixels))
    guesses = model.predict(maps, verbose=0).argmax(-1)
    labels = np.where(RNG.random(guesses.shape) < 0.3, RNG.integers(0, 21, guesses.shape), guesses).astype(dtype)
    path = tflite.convert(model, tmp_path / "maps.tflite").path
    reference = keras.metrics.MeanIoU(21)
    reference.update_state(labels.astype("int64"), guesses)
    found = tflite.evaluate(path, (maps, labels), task="segmentation")
    assert 0 < found.metrics["miou"] < 1
    assert found.metrics["miou"] == pytest.approx(float(reference.result()), rel=1e-5)
    assert found.threshold is None


def test_a_position_with_nan_is_not_right(tmp_path):
    maps = RNG.normal(size=(10, 6, 6, 3)).astype("float32")
    pixels = keras.Input((6, 6, 3))
    path = tflite.convert(keras.Model(pixels, keras.ops.log(pixels)), tmp_path / "maps.tflite").path
    whole = (maps > 0).all(axis=-1)
    assert 0 < whole.mean() < 1
    largest = np.log(maps, where=maps > 0, out=np.full_like(maps, np.nan)).argmax(-1)  # of NaN the first
    found = tflite.evaluate(path, (maps, largest), task="segmentation")
    assert found.metrics["accuracy"] == pytest.approx(whole.mean())
    # Guesses there are no class of their own: they miss in the union alone.
    overlaps = [(whole & (largest == one)).sum() / (largest == one).sum() for one in range(3)]
    assert found.metrics["miou"] == pytest.approx(np.mean(overlaps))


def test_outputs_of_nan_are_not_right(tmp_path):
    path, scores = scored(tmp_path, 3, keras.ops.log)
    nan = np.isnan(scores)
    assert 0 < nan.mean() < 1
    labels = ((scores > 0) | (RNG.random(scores.shape) < 0.2)).astype("int64")
    labels[nan] = np.arange(nan.sum()) % 2
    found = tflite.evaluate(path, (ROWS, labels), task="multi_label")
    assert np.isnan(found.metrics["map"])
    guesses = np.where(nan, 1 - labels, scores > 0)
    right, of = (guesses * labels).sum(0), guesses.sum(0) + labels.sum(0)
    assert found.metrics["f1_macro"] == pytest.approx((2 * right / of).mean())
    path, scores = scored(tmp_path, 1, keras.ops.log)
    wrong = np.isnan(scores[:, 0])
    labels = (scores[:, 0] > 0).astype("int64")  # no where the score is NaN
    found = tflite.evaluate(path, (ROWS, labels), task="binary")
    assert 0 < wrong.mean() < 1
    assert found.metrics["accuracy"] == pytest.approx(1 - wrong.mean())
    assert np.isnan(found.metrics["auc"])


@pytest.mark.parametrize("ending", ["hard_sigmoid", "mean"])
def test_probabilities_of_no_sigmoid_ask_for_the_threshold(ending, tmp_path):
    if ending == "mean":  # of two sigmoids, as of an ensemble
        path, scores = scored(tmp_path, 2, lambda x: keras.ops.mean(x, axis=-1, keepdims=True), "sigmoid")
    else:
        path, scores = scored(tmp_path, 1, activation=ending)
    labels = (scores[:, 0] > 0.5).astype("int64")
    labels[:8] = 1 - labels[:8]
    with pytest.raises(tflite.ModelError, match=r"threshold=0.5 of probabilities, threshold=0 of logits"):
        tflite.evaluate(path, (ROWS, labels))
    found = tflite.evaluate(path, (ROWS, labels), threshold=0.5)
    assert found.metrics["accuracy"] == pytest.approx(0.8)
    assert found.threshold == 0.5


@pytest.mark.parametrize(("activation", "threshold"), [(None, 0.0), ("sigmoid", 0.5)])
def test_the_threshold_is_told(activation, threshold, tmp_path):
    path, scores = scored(tmp_path, 1, activation=activation)
    labels = (scores[:, 0] > threshold).astype("int64")
    assert tflite.evaluate(path, (ROWS, labels)).threshold == threshold
    # One that is given is used: at the median half of the samples are a yes.
    middle = float(np.median(scores))
    found = tflite.evaluate(path, (ROWS, np.ones(40, int)), task="binary", threshold=middle)
    assert (found.threshold, found.metrics["accuracy"]) == (middle, 0.5)


def test_a_threshold_of_a_task_without_one(tmp_path):
    path, scores = scored(tmp_path, 3)
    for labels, task in [(scores, "regression"), (scores.argmax(-1), None)]:
        with pytest.raises(tflite.ModelError, match="with the tasks binary and multi_label alone"):
            tflite.evaluate(path, (ROWS, labels), task=task, threshold=0.5)


def test_labels_that_are_shares_of_classes_tell_no_task(tmp_path):
    path, scores = scored(tmp_path, 5)
    shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    for labels in (np.eye(5, dtype="int64")[scores.argmax(-1)], shares):
        with pytest.raises(tflite.ModelError, match=r"integers \(n,\), such as labels.argmax"):
            tflite.evaluate(path, (ROWS, labels))
    found = tflite.evaluate(path, (ROWS, shares), task="regression")
    assert found.metrics["mae"] == pytest.approx(np.abs(scores - shares).mean(), rel=1e-5)


def test_numbers_keep_their_places(tmp_path):
    path, scores = scored(tmp_path, 6, layers.Reshape((2, 3)))
    with pytest.raises(tflite.ModelError, match=r"Expected labels of shape \(n, 2, 3\) .* \(40, 3, 2\)"):
        tflite.evaluate(path, (ROWS, scores.transpose(0, 2, 1)), task="regression")
    found = tflite.evaluate(path, (ROWS, scores[..., None] + 0.25), task="regression")
    assert found.metrics["mae"] == pytest.approx(0.25, rel=1e-5)


def test_f1_of_a_single_label_counts_no_right_zeros():
    metrics = MultiLabel(threshold=0.0)
    # Two of three yeses are right, one yes is missed, and five noes are right.
    metrics.update(np.array([[1.0, 1, 1, -1, -1, -1, -1, -1, -1]]).T, np.array([[1, 1, 0, 1, 0, 0, 0, 0, 0]]).T)
    result = metrics.result()
    assert result["f1_micro"] == pytest.approx(2 / 3)
    assert result["f1_macro"] == pytest.approx(2 / 3)
