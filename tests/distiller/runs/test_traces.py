"""A step is traced once: what is traced again is time before every training."""

import keras
import numpy as np
import pytest
from support.small import CLASSES, batch, distiller

from distiller import data
from distiller.bridges import FineTune
from distiller.recipes.training import Mixing, Training
from distiller.runs import fit
from distiller.utils.progress import Reporter


class Traced(keras.layers.Layer):
    """Counts the traces of a training step."""

    traces = 0

    def call(self, inputs, training=None):
        if training:
            self.traces += 1
        return inputs


def traced():
    """A network, and the layer of it that counts."""
    inputs, layer = keras.Input((5, 5, 1)), Traced(name="features")
    x = layer(keras.layers.Flatten()(inputs))
    layer.traces = 0
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="logits")(x)), layer


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_of_a_distiller(optimizer):
    student, layer = traced()
    learner = distiller(student, optimizer=optimizer)
    learner.fit(*batch(), batch_size=4, epochs=2, verbose=0)
    learner.fit(*batch(), batch_size=4, epochs=2, verbose=0)
    assert layer.traces == 1


def test_looking_at_a_batch_counts_in_no_metric():
    student, _ = traced()
    learner = distiller(student, optimizer=keras.optimizers.SGD(0.0))
    x, y = batch()
    found = learner.fit(x, y, batch_size=4, verbose=0).history
    right = np.argmax(student.predict(x, verbose=0), axis=-1) == y
    assert found["accuracy"] == [pytest.approx(right.mean())]


@pytest.mark.parametrize("mixing", [None, Mixing(name="mixup")])
def test_of_a_recipe(tmp_path, mixing):
    network, layer = traced()
    plan = Training(epochs=2, batch_size=4, mixing=mixing)
    split = data.Split(np.zeros((8, 5, 5, 1), "uint8"), np.arange(8, dtype="int32") % CLASSES)
    batches = fit.views(plan, split, samples=8, seed=0, classes=CLASSES)
    fit.fit(network, plan, batches, split, folder=tmp_path, reporter=Reporter(), title="traced")
    assert layer.traces == 1


def test_of_a_bridge():
    teacher, _ = traced()
    bridge = FineTune()
    bridge.fit(teacher, batch(classes=3), 3, batch_size=4, epochs=2, verbose=0)
    (copied,) = (found for found in bridge.network._flatten_layers() if isinstance(found, Traced))
    assert copied.traces == 1
