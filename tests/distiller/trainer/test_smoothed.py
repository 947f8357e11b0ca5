"""Label smoothing with integer labels is that of Keras with one-hot labels."""

import keras
import numpy as np
import pytest

from distiller import data
from distiller.recipes.training import Mixing, Training
from distiller.runs import fit
from distiller.trainer.losses import SmoothedCrossentropy
from distiller.utils.progress import Reporter

LABELS = np.array([2, 0, 1, 2])
LOGITS = np.array([[1.0, -2.0, 0.5], [30.0, 0.0, -30.0], [0.0, 0.0, 0.0], [-1.0, 4.0, 2.0]], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_it_is_the_loss_of_smoothed_one_hot_labels(smoothing):
    reference = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    found = SmoothedCrossentropy(smoothing)
    assert float(found(LABELS, LOGITS)) == pytest.approx(float(reference(np.eye(3)[LABELS], LOGITS)), rel=1e-6)
    assert found.call(LABELS, LOGITS).shape == (4,)


def test_it_survives_saving():
    again = keras.losses.deserialize(keras.losses.serialize(SmoothedCrossentropy(0.2)))
    assert float(again(LABELS, LOGITS)) == float(SmoothedCrossentropy(0.2)(LABELS, LOGITS))


@pytest.mark.parametrize("mixing", [None, Mixing(name="mixup")])
def test_a_recipe_asks_for_it(mixing):
    plan = Training(epochs=1, label_smoothing=0.1, mixing=mixing)
    labels = np.eye(3, dtype=np.float32)[LABELS] if mixing else LABELS
    # −Σ (0.9 · onehot + 0.1 / 3) · log softmax.
    shifted = LOGITS.astype("float64") - LOGITS.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    expected = -((0.9 * np.eye(3)[LABELS] + 0.1 / 3) * log_p).sum(1).mean()
    assert float(fit.entropy(plan)(labels, LOGITS)) == pytest.approx(expected, rel=1e-6)


def test_it_keeps_a_network_from_being_sure(tmp_path):
    """Smoothing by 0.3 over two classes is met at a probability of 0.85; hard labels go on."""
    images = np.repeat(np.array([[[[0.0]]], [[[255.0]]]]), 32, axis=0)
    split = data.Split(images.astype(np.uint8), np.repeat([0, 1], 32))
    sure = {}
    for smoothing in (0.0, 0.3):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
        network = keras.Sequential([keras.Input((1, 1, 1)), *layers])
        plan = Training(epochs=20, batch_size=16, weight_decay=0.0, label_smoothing=smoothing)
        batches = fit.views(plan, split, samples=64, seed=0)
        folder = tmp_path / str(smoothing)
        fit.fit(network, plan, batches, split, folder=folder, reporter=Reporter(), title="sure")
        sure[smoothing] = (
            keras.ops.convert_to_numpy(keras.ops.softmax(network.predict(images, verbose=0))).max(1).mean()
        )
    assert sure[0.3] == pytest.approx(0.85, abs=0.02)
    assert sure[0.0] > 0.95
