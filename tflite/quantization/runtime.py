"""The arithmetic of the runtime in a quantization-aware model whose training is over."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.batch_norm import norm_after
from tflite.keras_graph.graph import Call, Graph, Value, read
from tflite.quantization.biases import round_bias
from tflite.quantization.checks import is_aware
from tflite.quantization.numerics import nudged
from tflite.quantization.support import Role, role

if TYPE_CHECKING:
    import keras

_PASSING = (Role.SAME, Role.IDENTITY)
# The binary places of the number that XNNPACK moves integers from one range to another by.
_PLACES = 8


def match_runtime(aware: "keras.Model") -> None:
    """Let a trained quantization-aware model answer as its integer file does.

    Call it when the training is over; a second call changes nothing.

    A file has each bias as a 32-bit integer whose step is that of the input times that of the channel's kernel (Jacob
    et al. 2018, 1712.05877, section 2.4); with 4-bit kernels such a step is no small part of one of the output. Biases
    are moved to the nearest of those numbers, by half a step at most; that of a normalisation is the one that is folded
    into the convolution before it.

    The runtime's own kernels, which have the products of 4-bit kernels, multiply by a number m·2^−s, 0.5 ≤ m < 1, and
    round twice: the product with m, and that shifted by s. XNNPACK moves integers to the range of a concatenation by a
    number of eight binary places. The model does both from this call on, except while it trains.

    Models of tensorflow-model-optimization, ranges of 16 bits, and layers that are called more than once stay as they
    are.

    Args:
        aware: a quantization-aware model; changed in place.

    Raises:
        ModelError: a model that is not quantization-aware.
    """
    from tflite.quantization.kernels import AWARE
    from tflite.quantization.layers import Requantized
    from tflite.tfmot.export import is_quantized

    if not is_aware(aware):
        raise ModelError(f"Expected a quantization-aware model. Received: {aware.name!r}. Use tflite.quantize_aware")
    if is_quantized(aware):
        return
    graph = read(aware)
    for call in graph.calls:
        if isinstance(call.kind, Requantized):
            _requantize(graph, call)
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
            step = _step_before(graph, call.inputs[0])
            if step is not None:
                steps = round_bias(call.kind if kernel else None, None if norm is None else norm.kind, step)
                _round_twice(graph, norm or call, steps)


def _normalises(call: Call) -> bool:
    import keras

    return isinstance(call.kind, keras.layers.BatchNormalization)


def _step_before(graph: Graph, value: Value) -> float | None:
    """The step of the integers that a tensor has; None where they have no measured range of 8 bits."""
    producers = graph.producers()
    source = producers.get(value)
    while source is not None and role(source.kind) in _PASSING:
        source = producers.get(source.inputs[0])
    return None if source is None else _step(source.kind)


def _rounding_after(graph: Graph, call: Call) -> Any:
    """The layer that rounds the result of a call, or what alone becomes of it; None where there is none."""
    from tflite.quantization.layers import FakeQuant

    consumers = graph.consumers()
    after: Call | None = call
    while after is not None and not isinstance(after.kind, FakeQuant):
        takers = consumers.get(after.output, [])
        after = takers[0] if len(takers) == 1 else None
    return None if after is None else after.kind


def _step(layer: Any) -> float | None:
    """The step of the integers that a layer rounds to; None for other layers, 16 bits, or no measured range."""
    from tflite.quantization.layers import FakeQuant

    measured = layer.range() if isinstance(layer, FakeQuant) and not layer.symmetric else None
    if measured is None:
        return None
    low, high = nudged(*measured, bits=layer.bits, symmetric=False)
    return (high - low) / (2**layer.bits - 1)


def _round_twice(graph: Graph, call: Call, steps: np.ndarray) -> None:
    """Tell what rounds the products of 4-bit kernels how many binary places the first of two roundings keeps."""
    layer = _rounding_after(graph, call)
    step = _step(layer)
    if step is not None and layer.twice:
        exponents = np.frexp(steps / step)[1]
        layer.places.assign(np.broadcast_to(np.maximum(-exponents, 0), layer.places.shape).astype("float32"))


def _requantize(graph: Graph, call: Call) -> None:
    """Tell a layer that moves integers to another range by how much less exact the runtime does."""
    before, after = _step_before(graph, call.inputs[0]), _step(_rounding_after(graph, call))
    if before is not None and after is not None:
        exact = before / after
        call.kind.factor.assign(np.rint(exact * 2**_PLACES) / 2**_PLACES / exact)
        # Half of a step is rounded up: a little above it, and less than the next number of as many places.
        call.kind.lift.assign(after / 2 ** (_PLACES + 2))
