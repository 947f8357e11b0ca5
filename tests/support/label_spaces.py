"""Networks and images of two label spaces, that the tests of bridges share."""

import keras
import numpy as np
from scipy.special import logsumexp

FINE, COARSE = 100, 10


def network(classes=FINE, seed=1, width=8):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(width, activation="relu", name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name="teacher")


def images(n=80, classes=COARSE):
    """Images whose class shows: each class is brighter by its own pattern."""
    rng = np.random.default_rng(5)
    labels = np.arange(n) % classes
    patterns = rng.normal(size=(classes, 4, 4, 1))
    return (rng.normal(size=(n, 4, 4, 1)) + 2 * patterns[labels]).astype("float32"), labels.astype("int32")


def plain(classes):
    """A network whose logits are its inputs."""
    inputs = keras.Input((classes,))
    return keras.Model(inputs, keras.layers.Identity()(inputs), name="plain")


def answer(model, x):
    return np.asarray(keras.ops.convert_to_numpy(model(x)), "float64")


def in_groups(logits, groups):
    """The formula of `ClassMap` in float64."""
    return np.stack([logsumexp(np.asarray(logits, "float64")[:, group], axis=-1) for group in groups], axis=-1)
