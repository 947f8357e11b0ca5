"""Layers that scale and shift each channel: batch normalisation without a convolution before it, and the like."""

from typing import Any

import numpy as np

from tflite.quantization.graph import Call, Graph, Made
from tflite.quantization.image_shape import as_image


def as_convolutions(graph: Graph) -> None:
    """Replace these layers by 1×1 depthwise convolutions: one operator each, with a scale for each channel.

    A normalisation after a convolution that is not quantized is left to the converter.
    """
    import keras

    kinds = (keras.layers.BatchNormalization, keras.layers.Rescaling, keras.layers.Normalization)
    convolutions = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)
    producers = graph.producers()
    for call in list(graph.calls):
        before = producers.get(call.inputs[0]) if call.inputs else None
        if isinstance(call.kind, kinds) and (before is None or not isinstance(before.kind, convolutions)):
            _as_convolution(graph, call)


def scale_and_shift(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """The a and b of a layer that computes a·x + b, float64: one for each channel, or one for all."""
    import keras

    if isinstance(layer, keras.layers.Rescaling):
        return np.asarray(layer.scale, "float64"), np.asarray(layer.offset, "float64")
    if isinstance(layer, keras.layers.Normalization):
        mean, variance = (np.ravel(_array(part)) for part in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    factor = 1 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        factor = factor * _array(layer.gamma)
    shift = -_array(layer.moving_mean) * factor
    return factor, shift + _array(layer.beta) if layer.center else shift


def _as_convolution(graph: Graph, call: Call) -> None:
    import keras

    from tflite.quantization.folding import unequal

    shape = tuple(call.inputs[0].symbol.shape[1:])
    channels = shape[-1]

    def convolution(name: str) -> Made:
        factor, shift = (np.broadcast_to(np.ravel(part), (channels,)) for part in scale_and_shift(call.kind))
        layer = keras.layers.DepthwiseConv2D(1, name=name)
        return Made(layer, [factor.reshape(1, 1, channels, 1).astype("float32"), unequal(shift)])

    made = graph.shared(call, convolution, also=channels)
    if len(shape) == 3:
        call.operation, call.args, call.kwargs = made, (call.inputs[0],), {}
    else:
        image = (1, int(np.prod(shape[:-1])), channels)
        as_image(graph, call, made, image, image)


def _array(variable: Any) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(variable).astype("float64")
