"""A small Distiller that several tests share."""

import keras
import numpy as np

from distiller import Distiller, objectives

CLASSES = 4


def network(classes=CLASSES, width=6, seed=1, activation=None):
    """A small convolutional network whose answer does not depend on the mode."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Conv2D(width, 3, activation="relu", name="stage1")(inputs)
    x = keras.layers.Flatten(name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits", activation=activation)(x))


def batch(n=8, classes=CLASSES):
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, 5, 5, 1)).astype("float32"), np.arange(n, dtype="int32") % classes


def distiller(student=None, teacher=None, optimizer="sgd", run_eagerly=False, **options):
    options = {"objectives": {"soft": objectives.Hinton(temperature=2.0)}, **options}
    made = Distiller(teacher=teacher or network(seed=2), student=student or network(), **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer, loss=loss, metrics=["accuracy"], run_eagerly=run_eagerly)
    return made


class Counting(keras.layers.Layer):
    """Counts its calls; under `run_eagerly` each is a run."""

    runs = 0

    def call(self, inputs):
        self.runs += 1
        return inputs


def counted(seed):
    plain, counter = network(seed=seed), Counting()
    return keras.Model(plain.input, counter(plain.output)), counter
