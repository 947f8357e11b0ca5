"""What is settled when a training is over: biases on the grid of their integers, and how products are rounded."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.quantization.affine import scale_and_shift
from tflite.quantization.checks import is_aware
from tflite.quantization.folding import norm_after
from tflite.quantization.graph import Call, Graph, read
from tflite.quantization.numerics import nudged
from tflite.quantization.support import Role, role

if TYPE_CHECKING:
    import keras


def round_biases(aware: "keras.Model") -> None:
    """Move the biases of a trained quantization-aware model to the numbers that its integer file has for them.

    A file has each bias as a 32-bit integer whose step is that of the input times that of the channel's kernel (Jacob
    et al. 2018, 1712.05877, section 2.4); with 4-bit kernels such a step is no small part of one of the output. The
    bias of a normalisation is that which is folded into the convolution before it. A bias moves by half a step at most,
    and a second call moves none. Call it when the training is over: then the model answers as its file.

    The runtime's own kernels, which have the products of 4-bit kernels, multiply by a number m·2^−s, 0.5 ≤ m < 1, and
    round twice: the product with m, and that shifted by s. The model does the same from this call on.

    Models of tensorflow-model-optimization, ranges of 16 bits, and layers that are called more than once stay as they
    are.

    Args:
        aware: a quantization-aware model; changed in place.

    Raises:
        ModelError: a model that is not quantization-aware.
    """
    from tflite.quantization.layers import AWARE
    from tflite.tfmot.export import is_quantized

    if not is_aware(aware):
        raise ModelError(f"Expected a quantization-aware model. Received: {aware.name!r}. Use tflite.quantize_aware")
    if is_quantized(aware):
        return
    graph = read(aware)
    for call in list(graph.calls):
        if role(call.kind) is Role.IDENTITY:
            graph.bypass(call)
    calls = Counter(id(call.operation) for call in graph.calls)
    kinds, folded = tuple(AWARE.values()), set()
    for call in graph.calls:
        kernel: Any = isinstance(call.kind, kinds)
        norm = norm_after(graph, call) if kernel else call if _normalises(call) and call not in folded else None
        folded.add(norm)
        if (kernel or norm is not None) and all(calls[id(each.operation)] == 1 for each in (call, norm or call)):
            step = _input_step(graph, call)
            if step is not None:
                steps = _round(call.kind if kernel else None, None if norm is None else norm.kind, step)
                _round_twice(graph, norm or call, steps)


def _normalises(call: Call) -> bool:
    import keras

    return isinstance(call.kind, keras.layers.BatchNormalization)


def _input_step(graph: Graph, call: Call) -> float | None:
    """The step of the integers that a call takes; None where they have no measured range of 8 bits."""
    from tflite.quantization.layers import FakeQuant

    producers = graph.producers()
    source = producers.get(call.inputs[0])
    while source is not None and role(source.kind) is Role.SAME:
        source = producers.get(source.inputs[0])
    layer = None if source is None else source.kind
    if not isinstance(layer, FakeQuant) or layer.symmetric:
        return None
    measured = layer.range()
    if measured is None:
        return None
    low, high = nudged(*measured, bits=layer.bits, symmetric=False)
    return (high - low) / (2**layer.bits - 1)


def _round(layer: Any, norm: Any, input_step: float) -> np.ndarray:
    """Round the bias of a layer with a rounded kernel, of a normalisation, or of both as one; returns its steps."""
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


def _round_twice(graph: Graph, call: Call, steps: np.ndarray) -> None:
    """Tell what rounds the result of a call how many binary places the first of two roundings keeps."""
    from tflite.quantization.layers import FakeQuant

    consumers = graph.consumers()
    after: Call | None = call
    while after is not None and not isinstance(after.kind, FakeQuant):
        takers = consumers.get(after.output, [])
        after = takers[0] if len(takers) == 1 else None
    layer: Any = None if after is None else after.kind
    measured = layer.range() if layer is not None and layer.twice else None
    if measured is not None:
        low, high = nudged(*measured, bits=layer.bits, symmetric=False)
        exponents = np.frexp(steps * (2**layer.bits - 1) / (high - low))[1]
        layer.places.assign(np.broadcast_to(np.maximum(-exponents, 0), layer.places.shape).astype("float32"))
