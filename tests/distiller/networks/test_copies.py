"""Copies of networks answer as the networks do."""

import keras
import numpy as np
import pytest

from distiller import bridges, teachers

RANDOM = np.random.default_rng(0)
IMAGES = (5 + 3 * RANDOM.normal(size=(64, 6, 6, 2))).astype("float32")


def adapted():
    """A network that scales its input by statistics of images, and the answers that these statistics give."""
    norm = keras.layers.Normalization()
    norm.adapt(IMAGES)
    head = keras.layers.Dense(3, kernel_initializer="ones")
    inputs = keras.Input((6, 6, 2))
    network = keras.Model(inputs, head(keras.layers.Flatten()(norm(inputs))))
    scaled = (IMAGES - IMAGES.mean((0, 1, 2))) / IMAGES.std((0, 1, 2))
    return network, np.repeat(scaled.reshape(64, -1).sum(1, keepdims=True), 3, axis=1)


def fine_tuned(network):
    copy = bridges.FineTune().prepare(network, 3)
    copy.layers[-1].set_weights(network.layers[-1].get_weights())
    return copy


def average(network):
    return teachers.MeanTeacher(student=network, objectives={"soft": "hinton"}).average


@pytest.mark.parametrize("copied", [fine_tuned, average, teachers.frozen])
def test_an_adapted_normalization_keeps_its_statistics(copied):
    network, expected = adapted()
    np.testing.assert_allclose(copied(network)(IMAGES), expected, rtol=1e-4, atol=1e-3)
