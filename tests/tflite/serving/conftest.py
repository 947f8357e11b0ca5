"""A file of int8 with signed integers at its borders, and images of known classes."""

import keras
import numpy as np
import pytest

import tflite
from tflite.serving import read_served

LABELS = ["cat", "café <b>", "dog"]
MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 70.0)


@pytest.fixture(scope="package")
def pictures():
    return np.random.default_rng(5).integers(0, 256, (9, 6, 5, 3)).astype("uint8")


@pytest.fixture(scope="package")
def int8_file(pictures, tmp_path_factory):
    keras.utils.set_random_seed(2)
    pixels = keras.Input((6, 5, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, activation="relu")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    path = tmp_path_factory.mktemp("served") / "small-int8.tflite"
    scaled = ((pictures - np.array(MEAN)) / np.array(STD)).astype("float32")
    options = {"labels": LABELS, "normalization": (MEAN, STD), "input_type": "int8"}
    tflite.convert(model, path, scheme="int8", representative=scaled, **options)
    return path


@pytest.fixture(scope="package")
def served(int8_file, pictures):
    return read_served(int8_file, images=pictures, truth=[0, 1, 2] * 3)
