"""Arguments of `tflite.compare` that do not fit."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite import ModelError


@pytest.fixture(scope="module")
def images(held_out):
    return held_out.images[:24]


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="sub")
        self.dense = layers.Dense(10)

    def call(self, x):
        return self.dense(keras.ops.mean(x, axis=(1, 2)))


def test_arguments(files, network, images):
    path, labels = files["int8"].path, np.zeros(len(images), "int64")
    for options, message in [
        ({"labels": labels[:3]}, r"integer labels of shape \(24,\).*Received: \(3,\)"),
        ({"labels": labels / 2}, "float64 do not tell the task"),
        ({"labels": labels / 2, "task": "classification"}, "Received: .* of float64"),
        ({"labels": labels - 1}, "one at least not −1"),
        ({"layers": True, "drop": 0}, "`drop`. Expected above 0 decibels"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.compare(network, path, images, **options)
    model = Subclassed()
    model(images.astype("float32"))
    with pytest.raises(ModelError, match=r"functional or sequential model\. Received: 'sub'"):
        tflite.compare(model, path, images, layers=True)
