"""HDF5 files of Keras 2, made with tf_keras: they answer as there, or one sentence says why not."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import tflite
from distiller import teachers

# Another process: tf_keras changes what `tf.keras` is.
MAKE = """
import sys
import numpy as np
import tensorflow as tf
import tf_keras as keras

folder = sys.argv[1]
L = keras.layers
keras.utils.set_random_seed(0)


def save(name, make, shape=(8, 8, 3)):
    inputs = L.Input(shape)
    model = make if isinstance(make, keras.Model) else keras.Model(inputs, make(inputs))
    model.save(f"{folder}/{name}.h5")
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype("float32")
    np.savez(f"{folder}/{name}.npz", x=x, y=model(x, training=False))
    return model


save("depthwise", lambda x: L.Flatten()(L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu")(x)))
save("separable", lambda x: L.Flatten()(L.SeparableConv2D(4, 3)(x)))
save("transposed", lambda x: L.Flatten()(L.Conv2DTranspose(4, 3, strides=2)(x)))
save("normalized", lambda x: L.Flatten()(L.ReLU(6.0)(L.BatchNormalization(name="Conv/Norm")(L.Conv2D(4, 3)(x)))))
save("rectified", lambda x: L.Flatten()(L.ReLU(1.0, negative_slope=0.1, threshold=0.2)(x)))
save("augmented", lambda x: L.Flatten()(L.RandomFlip()(x)))
save("recurrent", lambda x: L.Bidirectional(L.LSTM(3))(L.GRU(4, return_sequences=True)(x)), (8, 3))
save("functions", lambda x: L.Flatten()((tf.nn.relu6(x + 3.0) * (1 / 6.0) - 1.0) * x + tf.nn.sigmoid(x / 2.0)))
block = keras.Sequential([L.InputLayer((8, 8, 3)), L.DepthwiseConv2D(3, padding="same")])
save("nested", lambda x: L.Dense(3)(L.Flatten()(block(block(x)))))
mobile = keras.applications.MobileNetV3Small(
    input_shape=(32, 32, 3), weights=None, classes=3, classifier_activation=None
)
save("mobilenet_v3", mobile, (32, 32, 3))
save("sine", lambda x: L.Flatten()(tf.math.sin(x)))
attention = save("attention", lambda x: L.MultiHeadAttention(1, 2, name="heads")(x, x), (4, 3))
np.savez(f"{folder}/weights.npz", *attention.get_weights())
"""
READ = (
    *("depthwise", "separable", "transposed", "normalized", "rectified", "augmented", "recurrent"),
    *("functions", "nested", "mobilenet_v3"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras2")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, env=environment, capture_output=True)
    return folder


@pytest.mark.parametrize("name", READ)
def test_a_file_of_keras_2_answers_as_there(name, files):
    before = (files / f"{name}.h5").read_bytes()
    model = tflite.load_model(files / f"{name}.h5")
    with np.load(files / f"{name}.npz") as known:
        assert np.ptp(known["y"]) > 0
        np.testing.assert_allclose(model(known["x"], training=False), known["y"], rtol=1e-4, atol=1e-5)
    assert (files / f"{name}.h5").read_bytes() == before


def test_a_teacher_of_keras_2_is_read_too(files):
    with np.load(files / "mobilenet_v3.npz") as known:
        teacher = teachers.load(files / "mobilenet_v3.h5")
        np.testing.assert_allclose(teacher(known["x"], training=False), known["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sine", r"calls tf\.math\.sin \('tf\.math\.sin'\), which Keras 3 does not read\. Write that with a layer"),
        ("attention", r"holds attention \('heads'\), whose calls Keras 3 does not read\. Make the model in Keras 3"),
    ],
)
def test_what_keras_3_cannot_read_is_one_sentence_with_the_way_out(name, message, files):
    with pytest.raises(tflite.ModelError, match=message):
        tflite.load_model(files / f"{name}.h5")


def test_attention_of_keras_2_can_be_copied_as_the_sentence_says(files):
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, keras.layers.MultiHeadAttention(1, 2)(inputs, inputs))
    with np.load(files / "weights.npz") as weights, np.load(files / "attention.npz") as known:
        model.set_weights([weights[name] for name in weights.files])
        np.testing.assert_allclose(model(known["x"]), known["y"], rtol=1e-4, atol=1e-5)
