"""Layers that scale and shift each channel: batch normalisation without a convolution before it, and the like."""

import numpy as np

from tflite.keras_graph.batch_norm import scale_and_shift
from tflite.keras_graph.graph import Call, Graph, NewLayer
from tflite.quantization.biases import unequal
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


def _as_convolution(graph: Graph, call: Call) -> None:
    import keras

    shape = tuple(call.inputs[0].symbol.shape[1:])
    channels = shape[-1]

    def convolution(name: str) -> NewLayer:
        factor, shift = (np.broadcast_to(np.ravel(part), (channels,)) for part in scale_and_shift(call.kind))
        layer = keras.layers.DepthwiseConv2D(1, name=name)
        return NewLayer(layer, [factor.reshape(1, 1, channels, 1).astype("float32"), unequal(shift)])

    made = graph.shared(call, convolution, also=channels)
    if len(shape) == 3:
        call.operation, call.args, call.kwargs = made, (call.inputs[0],), {}
    else:
        image = (1, int(np.prod(shape[:-1])), channels)
        as_image(graph, call, made, image, image)
