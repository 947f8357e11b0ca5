"""However Keras runs the step, the training is the same."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from support.small_training import IMAGES, LABELS, SPARSE, losses, network, sgd

from distiller import Distiller, objectives, teachers


@pytest.fixture(scope="module")
def plain():
    return losses()


@pytest.mark.parametrize(
    "options",
    [
        {"steps_per_execution": 2},
        {"jit_compile": True},
        {"run_eagerly": True},
        {"fit": {"class_weight": {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}}},
        {"fit": {"sample_weight": np.ones(32)}},
        {"labels": np.eye(4, dtype="float32")[LABELS], "loss": keras.losses.CategoricalCrossentropy(from_logits=True)},
        {"labels": {"labels": LABELS, "ids": np.arange(32)}},
        {"batch_size": 4, "optimizer": sgd(gradient_accumulation_steps=2)},
        {"optimizer": sgd(use_ema=True)},
        {"dtype": "mixed_float16", "optimizer": keras.optimizers.LossScaleOptimizer(sgd())},
        {"dtype": "mixed_bfloat16"},
    ],
    ids=lambda options: "-".join(options),
)
def test_the_losses_are_the_same(plain, options):
    tolerance = 1e-3 if "dtype" in options else 1e-5
    np.testing.assert_allclose(losses(**options), plain, rtol=tolerance)


class Constant(keras.layers.Layer):
    """Adds a loss of 3 to a training."""

    def call(self, inputs):
        self.add_loss(keras.ops.convert_to_tensor(3.0))
        return inputs


class BySample(keras.layers.Layer):
    """Adds a loss of a number a sample: 2 for each."""

    def call(self, inputs):
        self.add_loss(keras.ops.full(keras.ops.shape(inputs)[:1], 2.0))
        return inputs


def penalised():
    """A student of two losses of its own, of other shapes: 2 a sample, and 0.5 for every kernel."""
    half = keras.regularizers.L2(0.5)
    plain = network(1)
    head = keras.layers.Dense(4, kernel_initializer="ones", kernel_regularizer=half, use_bias=False)
    return keras.Model(plain.inputs, BySample()(head(plain.outputs[0])))


@pytest.mark.parametrize("kind", ["distiller", "mutual"])
def test_losses_of_several_shapes_count_as_keras_counts_them(kind):
    x, y = IMAGES, LABELS
    alone = penalised()
    alone.compile(sgd(), loss=SPARSE)
    expected = alone.train_on_batch(x, y)
    student = penalised()
    if kind == "distiller":
        made = Distiller(student=student, objectives={})
        made.compile(sgd(), loss=SPARSE)
        found = made.train_on_batch(x, y)[0]
    else:
        made = teachers.Mutual([student, penalised()], peers=0.0)
        made.compile(sgd(), loss=SPARSE)
        found = made.train_on_batch(x, y)[0] / 2
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_losses_that_layers_add_count(plain):
    plain_student = network(1)
    outputs = Constant()(plain_student.outputs[0])
    made = Distiller(
        teacher=network(2),
        student=keras.Model(plain_student.inputs, outputs),
        objectives={"soft": objectives.Hinton(temperature=2.0)},
    )
    made.compile(sgd(), loss=SPARSE)
    found = made.fit(IMAGES, LABELS, 8, epochs=2, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(found, np.array(plain) + 3.0, rtol=1e-5)


@pytest.mark.parametrize("size", [8, 32])
def test_the_mean_over_labels_does_not_depend_on_where_they_are(size):
    """Half of the batches have no label: in an evaluation they count for nothing."""
    labels = np.where(np.arange(32) < 16, LABELS, -1)
    made = Distiller(teacher=network(2), student=network(1), objectives={"soft": "hinton"})
    made.compile(keras.optimizers.SGD(0.0), loss=SPARSE)
    z = keras.ops.convert_to_numpy(made(IMAGES)).astype("float64")
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    expected = -log_p[np.arange(16), LABELS[:16]].mean()
    found = made.evaluate(IMAGES, labels, batch_size=size, verbose=0, return_dict=True)
    assert [found["labels"], found["loss"]] == pytest.approx([expected] * 2, rel=1e-5)


REPLICAS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from support.small_training import LABELS, losses
few = np.where(np.arange(32) % 3 == 0, -1, LABELS)
alone = losses(), losses(few)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
def distributed(images, labels):
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    return (strategy.experimental_distribute_dataset(batches),)
with strategy.scope():
    together = losses(), losses(few)
    apart = losses(feed=distributed), losses(few, feed=distributed)
    def odd(images, labels):  # a last batch of three, two on one device and one on the other
        return distributed(images[:27], labels[:27])
    partial = losses(feed=odd), losses(few, feed=odd)
def odd(images, labels):
    return images[:27], labels[:27], 8
np.testing.assert_allclose(partial, (losses(feed=odd), losses(few, feed=odd)), rtol=1e-5)
np.testing.assert_allclose(together, alone, rtol=1e-5)
np.testing.assert_allclose(apart, alone, rtol=1e-5)
print("same losses")
"""


def test_two_mirrored_devices_give_the_losses_of_one():
    path = os.pathsep.join(sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "tensorflow"}
    call = subprocess.run([sys.executable, "-c", REPLICAS], env=environment, capture_output=True, text=True)
    assert call.stdout.strip().endswith("same losses"), call.stderr[-2000:]
