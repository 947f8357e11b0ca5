"""A small teacher, its images and what it says to their views, that the tests of stored answers share."""

import keras
import numpy as np

from distiller import data
from distiller.data import Augmentation
from distiller.networks.feature_extraction import LOGITS

VIEWS = Augmentation(crop=1, flip=True)


CLASSES = 5


def network(classes=CLASSES, channels=3, scale=1.0, dtype="float32", named=True):
    """A small teacher with a map (6, 6, channels), a vector (channels,) and logits."""

    def name(text):
        return text if named else None

    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(channels, 3, padding="same", activation="relu", dtype=dtype, name=name("map"))(inputs)
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name=name("vector"))(x)
    kernel = keras.initializers.RandomNormal(0, 0.02 * scale)
    logits = keras.layers.Dense(classes, kernel_initializer=kernel, dtype="float32", name=name("logits"))(x)
    return keras.Model(inputs, logits)


def images(count=21, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 1)).astype("uint8")
    return data.Split(values, np.arange(count, dtype="int32"))


def live(teacher, split, seed, turn, samples, layers=()):
    """What the teacher says to these views, and no part of the cache."""
    draws = VIEWS.draws(seed, turn, len(split))
    views = VIEWS(split.images[samples], draws[samples]).astype("float32")
    outputs = {LOGITS: teacher.output, **{name: teacher.get_layer(name).output for name in layers}}
    answers = keras.Model(teacher.input, outputs)(views, training=False)
    return {name: keras.ops.convert_to_numpy(answer) for name, answer in answers.items()}


def assert_answers(cache, teacher, split, turn, seed=0):
    """The logits of a pass are the teacher's, as float16 rounds them."""
    samples = np.arange(len(split))
    expected = live(teacher, split, seed, turn, samples)[LOGITS]
    np.testing.assert_allclose(cache.rows(turn, samples)[LOGITS], expected, rtol=2**-11 + 1e-5, atol=1e-6)
