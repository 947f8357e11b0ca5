"""Rounding to the numbers that integers stand for, with gradients that pass straight through.

Numbers are rounded in float32 whatever the precision of the input, and returned in the type that was given.
"""

from typing import Any

import numpy as np

# A range is at least this wide: a tensor that is always zero has one too.
NARROWEST = 1e-4
# Parts of a range that are within the error of a type: a number at the very end of a range is inside of it.
_MARGIN = {"float32": 1e-6, "bfloat16": 2.0**-6}


def fake_quant(x: Any, low: Any, high: Any, *, bits: int, symmetric: bool, positive: bool = False) -> Any:
    """The number nearest to each of `x` that an integer stands for (Jacob et al. 2018, 1712.05877, eq. 12).

    The range [low, high] holds zero and is moved by less than a step, so that zero is one of the numbers. The
    gradient is that of the identity inside of the range and zero outside.

    Args:
        x: any shape.
        low: scalar, at most 0.
        high: scalar, at least 0, above `low`.
        bits: 2 to 16.
        symmetric: integers from −(2^(bits−1) − 1) to 2^(bits−1) − 1, where `low` is −`high`.
        positive: whether no number is below zero, nor `low`, which makes the gradient cheaper.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return keras.quantizers.fake_quant_with_min_max_vars(x, low, high, num_bits=bits, narrow_range=symmetric)
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    low, high = tf.convert_to_tensor(low, tf.float32), tf.convert_to_tensor(high, tf.float32)
    # A cast is a pass of its own. Bfloat16 has float32's exponents, so that no square overflows.
    narrow = tf.bfloat16 if x.dtype == tf.bfloat16 else tf.float32
    margin = 1 + _MARGIN[narrow.name]

    @tf.custom_gradient
    def rounded(x: Any) -> Any:
        # TensorFlow's own kernel: one pass, and the converter knows it. It takes float32 alone.
        wide = tf.cast(x, tf.float32)
        outputs = tf.quantization.fake_quant_with_min_max_vars(wide, low, high, num_bits=bits, narrow_range=symmetric)

        def gradient(upstream: Any) -> Any:
            # The kernel's own gradient makes those of the range too and takes eight times as long as the kernel. A
            # rectifier's passes a gradient where the number it is given is above zero: as long as x is nearer to the
            # middle of the range than its ends are.
            if positive:
                inside = tf.cast(high * margin, narrow) - tf.cast(x, narrow)
            else:
                reach, middle = (high - low) * (margin / 2), tf.cast((low + high) / 2, narrow)
                distance = tf.math.squared_difference(tf.cast(x, narrow), middle)
                inside = tf.cast(reach * reach, narrow) - distance
            return tf.cast(tf.raw_ops.ReluGrad(gradients=tf.cast(upstream, narrow), features=inside), x.dtype)

        return tf.cast(outputs, x.dtype), gradient

    return rounded(x)


def round_kernel(kernel: Any, *, axes: tuple[int, ...], bits: int) -> Any:
    """A kernel rounded to symmetric integers with a scale for each output channel, max|w| / (2^(bits−1) − 1).

    Args:
        kernel: weights, float32.
        axes: those that are not output channels.
        bits: 2 to 8.
    """
    from keras import ops

    most = ops.max(ops.abs(kernel), axis=axes, keepdims=True)
    scale = ops.where(most > 0.0, most, 1.0) / (2 ** (bits - 1) - 1)
    return ops.round(kernel / scale) * scale


def fake_quant_kernel(kernel: Any, *, axes: tuple[int, ...], bits: int) -> Any:
    """`round_kernel` with the gradient of the identity: no number lies outside of such a range."""
    from keras import ops

    return kernel + ops.stop_gradient(round_kernel(kernel, axes=axes, bits=bits) - kernel)


def around_zero(low: float, high: float) -> tuple[float, float]:
    """The smallest symmetric range that holds [low, high].

    >>> around_zero(-3.0, 1.0)
    (-3.0, 3.0)
    """
    most = float(max(-low, high))
    return -most, most


def nudged(low: float, high: float, *, bits: int, symmetric: bool) -> tuple[float, float]:
    """The range that `fake_quant` rounds in when it is given [low, high]: zero is one of its numbers.

    It is float32, as in TensorFlow's kernel, so that whoever derives integers from the result gets the same ones.
    """
    if symmetric:
        return around_zero(low, high)
    one = np.float32
    most = one(2**bits - 1)
    scale = (one(high) - one(low)) / most
    zero = np.clip(np.floor(-one(low) / scale + one(0.5)), 0, most)
    return float(-zero * scale), float((most - zero) * scale)
