"""Every objective teaches: on real images its own loss goes down within a few steps."""

import keras
import numpy as np
import pytest

from distiller import Distiller, data, objectives

# Methods that compare several layers at once.
SEVERAL = {"flow", "knowledge_review", "singular_vectors"}


@pytest.fixture(scope="module")
def images():
    digits = data.load("digits").train.take(np.arange(32))
    return digits.images.astype("float32") / 16.0, digits.labels


def network(width, seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(width, 3, activation="relu", padding="same", name="low")(inputs)
    x = keras.layers.Conv2D(2 * width, 3, strides=2, activation="relu", padding="same", name="high")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))


@pytest.mark.parametrize("name", list(objectives.OBJECTIVES))
def test_its_loss_goes_down(name, images):
    kind = objectives.OBJECTIVES[name]
    layers = None if kind.compares == "logits" else ["low", "high"] if name in SEVERAL else "high"
    objective = objectives.get({"name": name, "teacher_layer": layers, "student_layer": layers})
    distiller = Distiller(
        teacher=network(8, 1), student=network(4, 2), objectives={"it": objective}, weights={"labels": 0.0}
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(keras.optimizers.Adam(0.001), loss=loss)
    losses = []
    for _ in range(15):
        distiller.reset_metrics()
        losses.append(float(distiller.train_on_batch(*images, return_dict=True)["it"]))
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0], losses
