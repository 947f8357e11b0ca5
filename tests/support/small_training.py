"""A small Distiller, trained for two epochs, in any way that Keras knows."""

import keras
import numpy as np

from distiller import Distiller, objectives

IMAGES = np.random.default_rng(0).normal(size=(32, 5, 5, 1)).astype("float32")
LABELS = (np.arange(32) % 4).astype("int32")
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(seed, dtype="float32"):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Conv2D(6, 3, activation="relu", dtype=dtype)(inputs)
    return keras.Model(inputs, keras.layers.Dense(4, dtype="float32")(keras.layers.Flatten()(x)))


def losses(labels=LABELS, batch_size=8, dtype="float32", optimizer=None, loss=SPARSE, fit=None, feed=None, **compile):
    """The loss of two epochs of a small Distiller, on what `feed` makes of images and labels."""
    made = Distiller(
        teacher=network(2), student=network(1, dtype), objectives={"soft": objectives.Hinton(temperature=2.0)}
    )
    made.compile(optimizer or sgd(), loss=loss, metrics=["accuracy"], **compile)
    given = feed(IMAGES, labels) if feed else (IMAGES, labels, batch_size)
    return made.fit(*given, epochs=2, shuffle=False, verbose=0, **(fit or {})).history["loss"]


def sgd(**options):
    return keras.optimizers.SGD(0.1, momentum=0.9, **options)


def in_batches(images, labels):
    import tensorflow as tf

    return (tf.data.Dataset.from_tensor_slices((images, labels)).batch(8),)
