"""Files with weights of 4 bits."""

import keras
import numpy as np
import pytest
from support.quantizable import NETWORKS

import tflite
from tflite.model_file.flatbuffer import Flatbuffer

KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.fixture(scope="module")
def aware(network, digits):
    keras.utils.set_random_seed(0)
    model = tflite.quantize_aware(network, scheme="int4", input_range=(0.0, 255.0))
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(digits.images[:1000].astype("float32"), digits.labels[:1000], batch_size=50, epochs=2, verbose=0)
    return model


@pytest.fixture(scope="module")
def file(aware, tmp_path_factory):
    return tflite.convert(aware, tmp_path_factory.mktemp("int4") / "a.tflite", scheme="int4")


def test_kernels_are_stored_in_half_a_byte_each(file, files):
    found = tflite.inspect(file.path)
    assert found.is_integer
    kernels = [op.inputs[1] for op in found.operators if op.name in KERNELS]
    assert len(kernels) > 8
    for kernel in kernels:
        assert kernel.dtype == "int4"
        assert kernel.bytes == (kernel.elements + 1) // 2
    assert file.bytes < files["int8"].bytes - 0.45 * sum(kernel.elements for kernel in kernels)


def test_the_file_answers_as_the_model_it_was_made_from(aware, file, held_out):
    found = tflite.compare(aware, file.path, held_out.images)
    assert found.agreement >= 0.995
    assert found.mean_lsb < 1
    accuracy = tflite.evaluate(file.path, (held_out.images, held_out.labels)).accuracy
    assert accuracy > 0.85


def test_products_are_rounded_twice_as_by_the_runtime(digits, held_out, tmp_path):
    keras.utils.set_random_seed(0)
    aware = tflite.quantize_aware(NETWORKS["mobile_v2"](), scheme="int4")
    aware.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    aware.fit(digits.images[:1000].astype("float32"), digits.labels[:1000], batch_size=50, epochs=2, verbose=0)
    path = tmp_path / "a.tflite"
    tflite.convert(aware, path, scheme="int4")
    before = products(aware, path, held_out.images)
    aware.predict(held_out.images[:2].astype("float32"), verbose=0)  # what was compiled before is not stale
    tflite.match_runtime(aware)
    tflite.convert(aware, path, scheme="int4")
    assert products(aware, path, held_out.images) < 0.002 < 0.02 < before
    aware.save(tmp_path / "aware.keras")
    loaded = keras.saving.load_model(tmp_path / "aware.keras")
    images = held_out.images.astype("float32")
    np.testing.assert_array_equal(aware.predict(images, verbose=0), loaded.predict(images, verbose=0))
    # Compiled, a sum of float32 may be made in another order, and a number half way between two goes the other way.
    same = np.isclose(aware.predict(images, verbose=0), np.asarray(aware(images)), rtol=0, atol=1e-5)
    assert same.all(axis=-1).mean() > 0.99


def products(aware, path, images):
    """Steps, in the mean, by which the first four convolutions of a file are off."""
    rows = tflite.compare(aware, path, images, layers=True).layers
    return np.mean([row.mean_lsb for row in rows if row.operator in KERNELS and row.layer.endswith("_quantized")][:4])


def test_weights_are_the_rounded_kernel(aware, file):
    """The last layer has no normalisation: its kernel in float64 with max|w| / 7 as a step, read from the nibbles."""
    dense = aware.get_layer("logits")
    kernel = np.asarray(dense.kernel, "float64").T
    step = np.abs(kernel).max(axis=1, keepdims=True) / 7
    read = Flatbuffer(file.path.read_bytes())
    tensor = next(op.inputs[1] for op in read.operators if op.name == "FULLY_CONNECTED")
    raw = np.frombuffer(read._data(read._graph.Tensors(tensor.index).Buffer()), "uint8")
    halves = np.stack([raw & 15, raw >> 4], axis=1).ravel()[: tensor.elements].astype("int64")
    steps = np.where(halves > 7, halves - 16, halves).reshape(kernel.shape)
    np.testing.assert_array_equal(steps, np.round(kernel / step))
    np.testing.assert_allclose(tensor.scales, step[:, 0], rtol=1e-5)


def test_images_alone_give_a_worse_file_than_training(network, digits, held_out, file, tmp_path):
    made = tflite.convert(network, tmp_path / "p.tflite", scheme="int4", representative=digits.images[:200])
    assert tflite.inspect(made.path).is_integer
    labelled = (held_out.images, held_out.labels)
    assert tflite.evaluate(made.path, labelled).accuracy <= tflite.evaluate(file.path, labelled).accuracy + 0.01
    assert made.input.dtype == "uint8"


def test_the_scheme_must_be_that_of_the_model(aware, network, tmp_path):
    with pytest.raises(tflite.ModelError, match="scheme='int4'"):
        tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    with pytest.raises(tflite.ModelError, match="scheme='int8'"):
        tflite.convert(tflite.quantize_aware(network), tmp_path / "a.tflite", scheme="int4")
    with pytest.raises(tflite.ModelError, match="representative"):
        tflite.convert(network, tmp_path / "a.tflite", scheme="int4")
    assert not list(tmp_path.iterdir())
