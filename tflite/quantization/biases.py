"""Biases on the grid of their integers."""

from typing import Any

import numpy as np

from tflite.keras_graph.batch_norm import scale_and_shift


def round_bias(layer: Any, norm: Any, input_step: float) -> np.ndarray:
    """Round the bias of a layer with a rounded kernel, of a normalisation, or of both as one.

    Args:
        layer: one with a rounded kernel, or None.
        norm: the batch normalisation after it, or alone, or None.
        input_step: of the integers that are its input.

    Returns:
        The steps of the bias by channel.
    """
    import keras

    factor, bias = (np.ones(1), np.zeros(1)) if norm is None else scale_and_shift(norm)
    steps, bits = np.ones(1), 8
    if layer is not None:
        bits = layer.bits
        kernel = np.abs(keras.ops.convert_to_numpy(layer.rounded_kernel()).astype("float64"))
        others = tuple(axis for axis in range(kernel.ndim) if axis - kernel.ndim not in layer.channel_axes)
        steps = np.max(kernel, axis=others).ravel()
        if layer.bias is not None:
            bias = bias + factor * keras.ops.convert_to_numpy(layer.bias)
    steps = input_step * steps * np.abs(factor) / (2 ** (bits - 1) - 1)
    variable = layer.bias if norm is None else norm.beta
    if variable is None:
        return steps
    whole = np.round(np.divide(bias, steps, out=np.zeros(np.broadcast(bias, steps).shape), where=steps > 0))
    moved = np.where(steps > 0, whole * steps - bias, 0.0)
    variable.assign(keras.ops.convert_to_numpy(variable) + moved.astype("float32"))
    return steps


def unequal(bias: np.ndarray) -> np.ndarray:
    """A bias in float32, one number moved by the smallest amount where all are equal.

    The converter takes equal ones for one number, which it gives the scale of channel 0 in all channels.
    """
    bias = np.array(bias, "float32")
    if bias.size > 1 and bias[0] != 0 and (bias == bias[0]).all():
        bias[0] = np.nextafter(bias[0], np.float32(0))
    return bias
