"""Rounded kernels as plain layers, with the batch normalisation after them folded in.

The converter derives the scales of a kernel from max|w| of each output channel. Here kernels lie on their grid, whose
largest number is ±127 steps, so that it finds those very scales. With a scale for each output channel, rounding and
multiplying a channel by a number can change places: q(g·w) = g·q(w). So training rounds the kernel as it is, the
runtime has the folded one, and both have the same integers.
"""

from typing import Any

import numpy as np

from tflite.keras_graph.batch_norm import norm_after, scale_and_shift
from tflite.keras_graph.graph import Call, Graph, NewLayer
from tflite.quantization.biases import unequal
from tflite.quantization.image_shape import as_image


def fold(graph: Graph) -> None:
    """Replace every layer with a rounded kernel by a plain one, and the normalisation after it by its bias."""
    for call in list(graph.calls):
        plain = _plain(call.kind)
        if plain is not None:
            _fold(graph, call, plain)


def _plain(layer: Any) -> Any:
    """The class of Keras's that a layer with a rounded kernel stands for."""
    from tflite.quantization.kernels import AWARE

    return next((plain for plain, aware in AWARE.items() if isinstance(layer, aware)), None)


def _fold(graph: Graph, call: Call, plain: Any) -> None:
    import keras

    norm = norm_after(graph, call)

    def folded(name: str) -> NewLayer:
        layer = call.kind
        kernel = keras.ops.convert_to_numpy(layer.rounded_kernel()).astype("float64")
        shape = [size if axis - kernel.ndim in layer.channel_axes else 1 for axis, size in enumerate(kernel.shape)]
        bias = np.zeros(int(np.prod(shape)))
        if layer.bias is not None:
            bias += keras.ops.convert_to_numpy(layer.bias)
        if norm is not None:
            factor, shift = scale_and_shift(norm.kind)
            kernel, bias = kernel * factor.reshape(shape), bias * factor + shift
        config = {**layer.get_config(), "use_bias": True, "name": name}
        del config["bits"]
        return _plain_layer(plain, config, [kernel.astype("float32"), unequal(bias)])

    layer = call.kind
    made = graph.shared(call, folded, also=norm and id(norm.kind))
    if norm is not None:
        graph.bypass(norm)
    if plain in (keras.layers.Conv1D, keras.layers.DepthwiseConv1D, keras.layers.Conv1DTranspose):
        _in_two_dimensions(graph, call, layer, made)
    else:
        call.operation = made


def _plain_layer(plain: Any, config: dict[str, Any], weights: list[np.ndarray]) -> NewLayer:
    """A layer of Keras's; a convolution of sequences as one of images that are one pixel wide."""
    import keras

    of_images: dict[Any, Any] = {
        keras.layers.Conv1D: keras.layers.Conv2D,
        keras.layers.DepthwiseConv1D: keras.layers.DepthwiseConv2D,
        keras.layers.Conv1DTranspose: keras.layers.Conv2DTranspose,
    }
    kind = of_images.get(plain)
    if kind is None:
        return NewLayer(plain.from_config(config), weights)
    transposed = plain is keras.layers.Conv1DTranspose
    for key in ("kernel_size", "strides", "dilation_rate"):
        (size,) = config[key] if isinstance(config[key], list | tuple) else (config[key],)
        # TensorFlow has depthwise convolutions of equal strides alone; a transposed one would widen the image.
        config[key] = (size, 1 if transposed or key == "kernel_size" else size)
    if config.get("output_padding") is not None:
        (size,) = (
            config["output_padding"]
            if isinstance(config["output_padding"], list | tuple)
            else (config["output_padding"],)
        )
        config["output_padding"] = (size, 0)
    if config["padding"] == "causal":
        config["padding"] = "valid"
    return NewLayer(kind.from_config(config), [weights[0][:, None], weights[1]])


def _in_two_dimensions(graph: Graph, call: Call, layer: Any, made: NewLayer) -> None:
    """Let a call of a convolution of sequences be one of `made`, with reshapes around it."""
    import keras

    length, channels = call.inputs[0].symbol.shape[1:]
    after, outputs = call.output.symbol.shape[1:]
    inner = as_image(graph, call, made, (length, 1, channels), (after, 1, outputs))
    pad = layer.dilation_rate[0] * (layer.kernel_size[0] - 1) if layer.padding == "causal" else 0
    if pad:
        name = graph.unique(f"{call.name}_past")
        graph.insert_before(inner, NewLayer(keras.layers.ZeroPadding2D(((pad, 0), (0, 0)), name=name)), name)
