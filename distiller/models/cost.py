"""Cost of a network: parameters and multiply-adds."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

from distiller.networks.internals import flatten_layers, run_through_graph
from distiller.networks.subclassed import is_subclassed

_TO_OUTPUTS = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D),
    *(layers.SeparableConv1D, layers.SeparableConv2D),
)
_FROM_INPUTS = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_COUNTED = (layers.Dense, *_TO_OUTPUTS, *_FROM_INPUTS)


def parameters(model: keras.Model) -> int:
    """Number of weights that the exported model holds, moving statistics of batch normalization included."""
    return int(model.count_params())


def multiply_adds(model: keras.Model, image_shape: Sequence[int] | None = None) -> int | None:
    """Multiply-adds of the convolutions and dense layers for one sample; other layers count nothing.

    The convention of the papers: one multiply-add is one multiplication and one addition. A layer that is called twice
    counts twice.

    Args:
        model: a network.
        image_shape: height, width and channels of the images, for a network of one input that leaves them open.

    Returns:
        None where such a layer is inside another layer or a subclassed model, and how often it runs is not known, or
        where the size of what it works on is not known.
    """
    if is_subclassed(model):
        return None
    fed = [_closed(tensor, image_shape if len(model.inputs) == 1 else None) for tensor in model.inputs]
    try:
        return _count(model, fed)
    except _Unknown:
        return None


class _Unknown(Exception):
    """It cannot be seen how often a layer runs."""


def _closed(tensor: keras.KerasTensor, shape: Sequence[int] | None) -> keras.KerasTensor:
    """An input for one sample, with sides that it leaves open taken from `shape`."""
    own = tensor.shape[1:]
    sides = shape if shape is not None and len(shape) == len(own) else own
    closed = [wanted if side is None else side for side, wanted in zip(own, sides, strict=True)]
    return keras.KerasTensor((1, *closed), dtype=tensor.dtype, sparse=tensor.sparse)


def _count(model: keras.Model, fed: Any) -> int:
    """The multiply-adds of every call in a model's graph, on inputs of these shapes."""
    total = 0

    def counting(operation: keras.Operation) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal total
            if isinstance(operation, keras.Model) and not is_subclassed(operation):
                total += _count(operation, arguments[0])
                return operation.compute_output_spec(arguments[0])
            answer = operation.compute_output_spec(*arguments, **options)
            total += _of_layer(operation, arguments, answer)
            return answer

        return call

    run_through_graph(model, fed, counting)
    return total


def _of_layer(layer: keras.Operation, arguments: Sequence[Any], answer: Any) -> int:
    if not isinstance(layer, _COUNTED):
        inside = flatten_layers(layer, include_self=False) if isinstance(layer, keras.Layer) else ()
        if any(isinstance(inner, _COUNTED) for inner in inside):
            raise _Unknown
        return 0
    shape = arguments[0].shape if isinstance(layer, _FROM_INPUTS) else answer.shape
    places = shape[2:] if getattr(layer, "data_format", None) == "channels_first" else shape[1:-1]
    if None in places:
        raise _Unknown
    return math.prod(places) * sum(math.prod(kernel.shape) for kernel in _kernels(layer))


def _kernels(layer: keras.Layer) -> list[Any]:
    if isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
        return [layer.depthwise_kernel, layer.pointwise_kernel]
    return [layer.kernel]
