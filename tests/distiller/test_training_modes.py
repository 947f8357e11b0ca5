"""However Keras runs the step, the training is the same."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

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


def in_batches(images, labels):
    import tensorflow as tf

    return (tf.data.Dataset.from_tensor_slices((images, labels)).batch(8),)


@pytest.mark.parametrize("feed", [None, in_batches], ids=["arrays", "tf.data"])
@pytest.mark.parametrize("column", [False, True])
def test_class_weights_are_those_of_keras(feed, column):
    """Doubling a class is the same as doubling the weight of its samples; unlabelled and unnamed ones keep weight 1."""
    labels = np.where(np.arange(32) % 3 == 0, -1, LABELS)
    by_sample = losses(labels, fit={"sample_weight": np.where(labels == 1, 2.0, 1.0)})
    by_class = losses(labels[:, None] if column else labels, feed=feed, fit={"class_weight": {0: 1.0, 1: 2.0}})
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


@pytest.mark.parametrize("feed", [None, in_batches], ids=["arrays", "tf.data"])
def test_class_weights_of_labels_that_are_vectors(feed):
    """An unlabelled sample is a row of −1, and of no class."""
    known = np.arange(32) % 3 > 0
    labels = np.where(known[:, None], np.eye(4)[LABELS], -1.0).astype("float32")
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    by_sample = losses(labels, loss=loss, fit={"sample_weight": np.where(known & (LABELS == 0), 3.0, 1.0)})
    by_class = losses(labels, loss=loss, feed=feed, fit={"class_weight": {0: 3.0}})
    np.testing.assert_allclose(by_class, by_sample, rtol=1e-5)


REPLICAS = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import numpy as np
from test_training_modes import LABELS, losses
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
np.testing.assert_allclose(together, alone, rtol=1e-5)
np.testing.assert_allclose(apart, alone, rtol=1e-5)
print("same losses")
"""


def test_two_mirrored_devices_give_the_losses_of_one():
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "tensorflow"}
    call = subprocess.run([sys.executable, "-c", REPLICAS], env=environment, capture_output=True, text=True)
    assert call.stdout.strip().endswith("same losses"), call.stderr[-2000:]
