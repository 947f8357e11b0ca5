"""The float graph of a quantization-aware model that the converter turns into integers.

The converter derives the scales of a kernel from max|w| of each output channel. Here kernels lie on their grid, with
±127 steps as the largest number, so that it finds those very scales; batch normalisation is folded into them.
With a scale for each output channel, rounding and multiplying a channel by a number can change places: q(g·w) = g·q(w).
So training rounds the kernel as it is, the runtime has the folded one, and both have the same integers.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.quantization.graph import Call, Graph, Made, Value, read, write

if TYPE_CHECKING:
    import keras


def clean(aware: "keras.Model", *, pixels: bool = False) -> "keras.Model":
    """A graph of plain layers and roundings with constant ranges.

    Args:
        aware: a quantization-aware model that computes in float32.
        pixels: whether the input has the range of raw pixels, [0, 255], whatever was measured.

    Raises:
        ModelError: ranges that were never measured.
    """
    import keras

    from tflite.quantization.copying import copied

    graph = read(aware)
    _drop_identities(graph)
    inputs = set(keras.tree.flatten(graph.inputs)) if pixels else set()
    for call in list(graph.calls):
        _rounding(graph, call, (0.0, 255.0) if inputs & set(call.inputs) else None)
    for call in list(graph.calls):
        if call in graph.calls:
            _kernel(graph, call)
    for call in list(graph.calls):
        _affine(graph, call)
    _keep_ranges_apart(graph)
    return write(graph, copied)


def _drop_identities(graph: Graph) -> None:
    """Leave out what does nothing at inference."""
    from tflite.quantization.support import Role, role

    for call in list(graph.calls):
        if role(call.kind) is Role.IDENTITY:
            _bypass(graph, call)


def _bypass(graph: Graph, call: Call) -> None:
    graph.redirect(call.output, call.inputs[0], graph.consumers().get(call.output, []))
    graph.calls.remove(call)


def _rounding(graph: Graph, call: Call, known: tuple[float, float] | None) -> None:
    """A rounding in a constant range, `known` or else the measured one; none where the runtime has it built in."""
    from tflite.quantization.layers import FakeQuant
    from tflite.quantization.numerics import nudged

    layer = call.kind
    if not isinstance(layer, FakeQuant):
        return
    if not layer.exported:
        _bypass(graph, call)
        return
    found = known or layer.range()
    if found is None:
        raise ModelError(
            f"Expected measured ranges of activations. Received: {layer.name!r} without one. Train the model, or pass "
            "images through it with tflite.calibrate_ranges(aware, images)"
        )
    fixed = nudged(*found, bits=layer.bits, symmetric=layer.symmetric)
    call.operation = Made(FakeQuant(layer.bits, fixed=fixed, name=call.name))


def _kernel(graph: Graph, call: Call) -> None:
    """A plain layer with the rounded kernel and the normalisation after it, if there is one."""
    import keras

    from tflite.quantization.layers import AWARE

    plain = next((plain for plain, aware in AWARE.items() if isinstance(call.kind, aware)), None)
    if plain is None:
        return
    layer = call.kind
    kernel = keras.ops.convert_to_numpy(layer.rounded_kernel()).astype("float64")
    channels = layer.channel_axes
    shape = [size if axis - kernel.ndim in channels else 1 for axis, size in enumerate(kernel.shape)]
    bias = np.zeros(int(np.prod(shape))) if layer.bias is None else _array(layer.bias)
    norm = _norm_after(graph, call)
    if norm is not None:
        factor, shift = scale_and_shift(norm)
        kernel, bias = kernel * factor.reshape(shape), bias * factor + shift
        _bypass(graph, norm)
    config = {**layer.get_config(), "use_bias": True, "name": call.name}
    del config["bits"]
    call.operation = Made(plain.from_config(config), [kernel.astype("float32"), _unequal(bias)])


def _norm_after(graph: Graph, call: Call) -> Call | None:
    """The batch normalisation that alone takes the result of a call."""
    import keras

    after = graph.consumers().get(call.output, [])
    if len(after) == 1 and after[0] is not None and isinstance(after[0].kind, keras.layers.BatchNormalization):
        return after[0]
    return None


def _affine(graph: Graph, call: Call) -> None:
    """A scale and shift for each channel as a 1×1 depthwise convolution: one operator with a scale for each channel."""
    import keras

    kinds = (keras.layers.BatchNormalization, keras.layers.Rescaling, keras.layers.Normalization)
    if not isinstance(call.kind, kinds):
        return
    value = call.inputs[0]
    channels = value.symbol.shape[-1]
    factor, shift = scale_and_shift(call)
    factor, shift = (np.broadcast_to(array, (channels,)) for array in (factor, shift))
    shape = tuple(value.symbol.shape[1:])
    around = value.rank != 4
    if around:
        value = _reshaped(graph, call, value, (1, int(np.prod(shape[:-1])), channels), "as_image")
    layer = keras.layers.DepthwiseConv2D(1, name=call.name)
    made = Made(layer, [factor.reshape(1, 1, channels, 1).astype("float32"), _unequal(shift)])
    if not around:
        call.operation, call.args, call.kwargs = made, (value,), {}
        return
    inner = Call(made, call.name, (value,), outputs=(Value(value.symbol),))
    graph.calls.insert(graph.calls.index(call), inner)
    name = graph.unique(f"{call.name}_back")
    call.operation, call.args, call.kwargs = Made(keras.layers.Reshape(shape, name=name)), (inner.output,), {}
    call.name = name


def _keep_ranges_apart(graph: Graph) -> None:
    """Give a tensor that is merged with others, and taken elsewhere too, its own range once more.

    The converter gives operators that only move numbers one range with what comes before and after. It would carry
    the wider range of a concatenation back to all who take a part of it.
    """
    from tflite.quantization.layers import FakeQuant
    from tflite.quantization.support import Role, role

    producers, consumers = graph.producers(), graph.consumers()
    for call in list(graph.calls):
        after = consumers.get(call.output, []) if role(call.kind) is Role.SAME else []
        if len(after) < 2 or not any(taker and role(taker.kind) is Role.MERGED for taker in after):
            continue
        source: Call | None = call
        while source is not None and role(source.kind) is Role.SAME:
            source = producers.get(source.inputs[0])
        if source is None or not isinstance(source.kind, FakeQuant):
            continue
        name = graph.unique(f"{call.name}_quantized")
        layer = FakeQuant(source.kind.bits, fixed=source.kind.fixed, name=name)
        again = Call(Made(layer), name, (call.output,), outputs=(Value(call.output.symbol),))
        graph.redirect(call.output, again.output, after)
        graph.calls.insert(graph.calls.index(call) + 1, again)


def _reshaped(graph: Graph, before: Call, value: Value, shape: tuple[int, ...], part: str) -> Value:
    import keras

    name = graph.unique(f"{before.name}_{part}")
    symbol = keras.KerasTensor((value.symbol.shape[0], *shape))
    call = Call(Made(keras.layers.Reshape(shape, name=name)), name, (value,), outputs=(Value(symbol),))
    graph.calls.insert(graph.calls.index(before), call)
    return call.output


def scale_and_shift(call: Call) -> tuple[np.ndarray, np.ndarray]:
    """The a and b of a layer that computes a·x + b, float64: one for each channel, or one for all."""
    import keras

    layer = call.kind
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


def _array(variable: Any) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(variable).astype("float64")


def _unequal(bias: np.ndarray) -> np.ndarray:
    """The bias in float32, one element moved by the smallest amount where all are equal.

    The converter makes a constant of one number of equal ones, and gives it the scale of channel 0 for all channels.
    """
    bias = np.array(bias, "float32")
    if bias.size > 1 and bias[0] != 0 and (bias == bias[0]).all():
        bias[0] = np.nextafter(bias[0], np.float32(0))
    return bias
