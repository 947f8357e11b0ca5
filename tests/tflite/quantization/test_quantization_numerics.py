"""Rounding against formulas in NumPy, in float64, and its gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from tflite.quantization.numerics import fake_quant, fake_quant_kernel, nudged, round_kernel


def on_grid(x, low, high, bits, symmetric):
    """Jacob et al. 2018, equations 1 and 12: the real number of the nearest integer, with an integer for zero."""
    if symmetric:
        most = 2 ** (bits - 1) - 1
        scale, zero, first, last = high / most, 0, -most, most
    else:
        first, last = 0, 2**bits - 1
        scale = (high - low) / last
        zero = np.floor(-low / scale + 0.5)
    integers = np.clip(np.floor(x / scale + 0.5) + zero, first, last)
    return scale * (integers - zero), scale


@pytest.mark.parametrize(
    ("low", "high", "bits", "symmetric"),
    [
        (-1.3, 2.9, 8, False),
        (0.0, 6.0, 8, False),
        (0.0, 255.0, 8, False),
        (-4.7, 0.0, 8, False),
        (-3.3, 3.3, 16, True),
        (-0.02, 0.31, 4, False),
    ],
)
def test_activations_are_those_of_the_nearest_integers(low, high, bits, symmetric):
    x = np.random.default_rng(0).normal(0, (high - low) / 2, (7, 5, 3)).astype("float32")
    expected, step = on_grid(x.astype("float64"), low, high, bits, symmetric)
    got = ops.convert_to_numpy(fake_quant(ops.convert_to_tensor(x), low, high, bits=bits, symmetric=symmetric))
    # In float32 a number in the middle between two integers may go either way.
    wrong = np.abs(got - expected) > 1e-5 * (high - low)
    assert wrong.mean() < 0.02
    assert np.abs(got - expected).max() < 1.001 * step


def test_zero_is_one_of_the_numbers_and_rounding_twice_is_rounding_once():
    x = ops.convert_to_tensor(np.linspace(-2, 2, 101).astype("float32"))
    for low, high in [(-1.0, 2.0), (-0.7, 0.9), (0.0, 1.7)]:
        once = fake_quant(x, low, high, bits=8, symmetric=False)
        twice = fake_quant(once, low, high, bits=8, symmetric=False)
        np.testing.assert_allclose(ops.convert_to_numpy(once), ops.convert_to_numpy(twice), atol=1e-6)
        assert float(fake_quant(ops.zeros(()), low, high, bits=8, symmetric=False)) == 0.0


@pytest.mark.parametrize("low", [-1.37, -0.5, -0.1, 0.0])
def test_the_nudged_range_is_that_of_the_rounding(low):
    # What the converter is given must be the numbers that the network was trained with.
    ends = np.float32([-100.0, 100.0])
    rounded = ops.convert_to_numpy(fake_quant(ops.convert_to_tensor(ends), low, 2.11, bits=8, symmetric=False))
    np.testing.assert_allclose(nudged(low, 2.11, bits=8, symmetric=False), rounded, rtol=1e-6, atol=1e-7)
    again = nudged(*nudged(low, 2.11, bits=8, symmetric=False), bits=8, symmetric=False)
    np.testing.assert_allclose(again, rounded, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("dtype", "beyond"), [("float32", 0.01), ("bfloat16", 0.03), ("float16", 0.01)])
@pytest.mark.parametrize("size", [1.0, 1024.0])
def test_gradients_of_activations_pass_inside_of_the_range_alone(positive, dtype, beyond, size):
    import tensorflow as tf

    low, high = (0.0, 1.0) if positive else (-0.5, 1.0)
    numbers = np.array([-0.9, low - beyond, low, -0.499, -0.2, 0.01, 0.7, 1.0, 1.0 + beyond, 5.0])
    inside = (numbers >= low) & (numbers <= high)
    numbers = np.maximum(numbers, 0.0) if positive else numbers
    x, upstream = tf.constant(size * numbers, dtype), tf.cast(tf.range(1.0, 11.0), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        rounded = fake_quant(x, size * low, size * high, bits=8, symmetric=False, positive=positive)
        y = tf.reduce_sum(upstream * rounded)
    # What a rectifier made zero is inside: its own gradient is not this one's.
    inside = inside | (positive & (numbers == 0.0))
    np.testing.assert_array_equal(tf.cast(tape.gradient(y, x), "float32").numpy(), np.arange(1.0, 11.0) * inside)


@pytest.mark.parametrize("ends", [(-2.109375, 0.020752), (-0.27734375, 1.9296875), (0.0, 3.140625)])
def test_gradients_pass_at_the_very_ends_in_bfloat16(ends):
    import tensorflow as tf

    x = tf.constant(ends, "bfloat16")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(fake_quant(x, *ends, bits=8, symmetric=False))
    np.testing.assert_array_equal(tf.cast(tape.gradient(y, x), "float32").numpy(), 1.0)


@pytest.mark.parametrize(("shape", "axes"), [((3, 3, 4, 5), (0, 1, 2)), ((3, 3, 4, 2), (0, 1)), ((6, 7), (0,))])
@pytest.mark.parametrize("bits", [8, 4])
def test_kernels_have_a_symmetric_scale_for_each_output_channel(shape, axes, bits):
    kernel = np.random.default_rng(1).normal(size=shape).astype("float32")
    kernel[..., 0] = 0.0
    exact = kernel.astype("float64")
    most = np.abs(exact).max(axis=axes, keepdims=True)
    scale = np.where(most > 0, most, 1) / (2 ** (bits - 1) - 1)
    got = ops.convert_to_numpy(round_kernel(ops.convert_to_tensor(kernel), axes=axes, bits=bits))
    np.testing.assert_allclose(got, np.rint(exact / scale) * scale, atol=1e-6)
    np.testing.assert_allclose(np.abs(got).max(axis=axes), most.squeeze(axes), rtol=1e-6)


def test_gradients_of_kernels_pass_all():
    import tensorflow as tf

    kernel = tf.Variable(np.random.default_rng(2).normal(size=(4, 3)).astype("float32"))
    upstream = np.random.default_rng(3).normal(size=(4, 3)).astype("float32")
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(upstream * fake_quant_kernel(tf.convert_to_tensor(kernel), axes=(0,), bits=8))
    np.testing.assert_array_equal(tape.gradient(y, kernel).numpy(), upstream)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_types_come_back_as_they_went(dtype):
    x = ops.cast(np.linspace(-1, 1, 11), dtype)
    rounded = fake_quant(x, -1.0, 1.0, bits=8, symmetric=False)
    assert keras.backend.standardize_dtype(rounded.dtype) == dtype
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(rounded, "float32")), np.linspace(-1, 1, 11), atol=0.01)
