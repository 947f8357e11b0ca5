"""Small networks of sequences around one layer or operation."""

import keras
import numpy as np
from keras import layers

SEQUENCES = np.random.default_rng(0).normal(size=(48, 8, 6)).astype("float32")


def between(make):
    """A network of sequences (8, 6) with a layer or operation between two dense layers."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 6))
    x = make(layers.Dense(6, name="first")(inputs))
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    return keras.Model(inputs, layers.Dense(5, name="last")(x))


def frames(x):
    """Sequences of sequences, (4, 2, 6)."""
    return layers.Reshape((4, 2, 6))(x)


def image(x):
    """Images, (4, 4, 3)."""
    return layers.Reshape((4, 4, 3))(x)
