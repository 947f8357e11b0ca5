"""Quantization arithmetic, against a search for the nearest of all real numbers that a type has."""

import numpy as np
import pytest

from tflite.model_file.tensor_spec import TensorSpec


def nearest(values, dtype, scale, zero_point):
    codes = np.arange(np.iinfo(dtype).min, np.iinfo(dtype).max + 1)
    return codes[np.abs(values[:, None] - scale * (codes - zero_point)).argmin(axis=1)]


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [("int8", 0.0517923, -56), ("int8", 1.0, -128), ("uint8", 1.0, 0), ("uint8", 0.125, 255), ("int8", 7.5, 127)],
)
def test_quantize_takes_the_nearest_number(dtype, scale, zero_point):
    values = np.random.default_rng(0).normal(0, 60 * scale, 2000).astype("float32")
    got = TensorSpec("x", dtype, (1,), scale, zero_point).quantize(values)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, nearest(values, dtype, scale, zero_point))


def test_dequantize_is_the_formula_and_the_inverse():
    port = TensorSpec("x", "int8", (1,), 0.25, 3)
    codes = np.arange(-128, 128).astype("int8")
    np.testing.assert_allclose(port.dequantize(codes), 0.25 * (np.arange(-128, 128) - 3.0))
    np.testing.assert_array_equal(port.quantize(port.dequantize(codes)), codes)


def test_pixels_pass_unchanged_as_integers_and_as_floats():
    pixels = np.arange(256).astype("uint8")
    port = TensorSpec("x", "uint8", (1,), 1.0, 0)
    assert port.quantize(pixels) is pixels
    np.testing.assert_array_equal(port.quantize(pixels.astype("float64")), pixels)


def test_float_ports_change_nothing_but_the_type():
    port = TensorSpec("x", "float32", (1, 2))
    assert not port.quantized
    np.testing.assert_array_equal(port.quantize(np.array([1, 2], "uint8")), np.array([1, 2], "float32"))
    np.testing.assert_array_equal(port.dequantize(np.array([1.5, 2])), [1.5, 2])


def test_integers_without_scale_are_numbers():
    np.testing.assert_array_equal(TensorSpec("x", "int32", (1,)).dequantize(np.array([3, 4], "int32")), [3.0, 4.0])
