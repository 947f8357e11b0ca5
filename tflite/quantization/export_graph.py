"""The float graph of a quantization-aware model that the converter turns into integers."""

from functools import partial
from typing import TYPE_CHECKING

from tflite.errors import ModelError
from tflite.keras_graph.copying import copied
from tflite.keras_graph.graph import Call, Graph, NewLayer, Value, read, write
from tflite.quantization.affine import as_convolutions
from tflite.quantization.flat_sums import flatten_sums
from tflite.quantization.folding import fold
from tflite.quantization.holding import hold_apart
from tflite.quantization.numerics import nudged
from tflite.quantization.support import Role, activation, role

if TYPE_CHECKING:
    import keras

_PIXELS = (0.0, 255.0)
# Operators beside those with a kernel with an output range of their own, which may end where a clip after them does.
_CUTTING = (Role.AFFINE, Role.ARITHMETIC, Role.RANGED)


def export_graph(aware: "keras.Model", *, pixels: bool = False, apart: bool = False) -> "keras.Model":
    """A graph of plain layers, and of roundings with constant ranges.

    Args:
        aware: a quantization-aware model that computes in float32.
        pixels: whether the input has the range of raw pixels, [0, 255], whatever was measured.
        apart: whether what stays in floating point is held apart from rounded numbers, for a batch of one.

    Raises:
        ModelError: ranges that were never measured.
    """
    import keras

    graph = read(aware)
    inputs = set(keras.tree.flatten(graph.inputs)) if pixels else set()
    for call in list(graph.calls):
        if role(call.kind) is Role.IDENTITY:
            graph.bypass(call)
    for call in list(graph.calls):
        if isinstance(call.kind, keras.layers.UpSampling2D) and call.kind.interpolation == "nearest":
            call.operation = graph.shared(call, partial(_resizing, call), also=call.output.symbol.shape[1:3])
        elif role(call.kind) in (Role.CLIPPED, Role.RELU) and _cut_off_by_range(graph, call):
            graph.bypass(call)
        else:
            _rounding(graph, call, _PIXELS if inputs & set(call.inputs) else None)
    fold(graph)
    as_convolutions(graph)
    _keep_ranges_apart(graph)
    _let_float_in(graph)
    _write_out_elu(graph)
    flatten_sums(graph)
    if apart:
        hold_apart(graph)
    return write(graph, copied)


def _rounding(graph: Graph, call: Call, known: tuple[float, float] | None) -> None:
    """A rounding in a constant range, `known` or else the measured one; none where the runtime has it built in."""
    from tflite.quantization.layers import FakeQuant

    layer = call.kind
    if not isinstance(layer, FakeQuant):
        return
    # What two operators take is told to the converter: it may have one range from each of them.
    known_by_itself = not layer.exported and len(graph.consumers().get(call.output, [])) < 2
    again = call.kwargs.get("follow") is False
    if known_by_itself or (again and not _narrowed_next(graph, call)):
        graph.bypass(call)
        return
    found = known or layer.range()
    if found is None:
        raise ModelError(
            f"Expected measured ranges of activations. Received: {layer.name!r} without one. Train the model, or pass "
            "images through it with tflite.calibrate_ranges(aware, images)"
        )
    fixed = nudged(*found, bits=layer.bits, symmetric=layer.symmetric)
    name = graph.unique(call.name) if again else call.name
    call.operation, call.kwargs = NewLayer(FakeQuant(layer.bits, fixed=fixed, name=name)), {}


def _narrowed_next(graph: Graph, call: Call) -> bool:
    """Return whether what a call rounds is rectified, clipped or merged next, moved at most before that.

    The converter would give averages the range of what becomes of them, and average what is cut off already.
    """
    for after in graph.consumers().get(call.output, []):
        if after is None:
            continue
        next_role = role(after.kind)
        if next_role in (Role.RELU, Role.CLIPPED, Role.MERGED):
            return True
        if next_role in (Role.SAME, Role.IDENTITY) and _narrowed_next(graph, after):
            return True
    return False


def _cut_off_by_range(graph: Graph, call: Call) -> bool:
    """Return whether the integers that an operator before computes end where a call clips, so that it is no operator.

    So are rectifiers after transposed convolutions, which the converter does not fuse.
    """
    from tflite.quantization.kernels import AWARE
    from tflite.quantization.layers import FakeQuant

    consumers, producers = graph.consumers(), graph.producers()
    before, kinds = producers.get(call.inputs[0]), tuple(AWARE.values())
    if before is None or len(consumers[call.inputs[0]]) != 1:
        return False
    while role(before.kind) is Role.RELU and len(consumers[before.inputs[0]]) == 1 and before.inputs[0] in producers:
        before = producers[before.inputs[0]]
    if role(call.kind) is Role.RELU:
        if role(before.kind) is Role.AFFINE and before.inputs[0] in producers:
            before = producers[before.inputs[0]]
        if not (isinstance(before.kind, kinds) and "Transpose" in type(before.kind).__name__):
            return False
    elif not isinstance(before.kind, kinds) and role(before.kind) not in _CUTTING:
        return False
    after = consumers.get(call.output, [])
    layer = after[0].kind if len(after) == 1 and after[0] is not None else None
    return isinstance(layer, FakeQuant) and not layer.symmetric and (layer.fixed is not None or layer.positive)


def _resizing(call: Call, name: str) -> NewLayer:
    """Repeated pixels as one operator; Keras repeats by reshaping and tiling, which are five."""
    import keras

    height, width = call.output.symbol.shape[1:3]
    return NewLayer(keras.layers.Resizing(height, width, interpolation="nearest", name=name))


def _let_float_in(graph: Graph) -> None:
    """Round what was computed in floating point, is merged and is taken elsewhere too, in the range of the whole.

    It has a range of its own for the others, which the converter would not keep apart from that of the whole.
    """
    from tflite.quantization.layers import FakeQuant, KeptFloat

    producers, consumers = graph.producers(), graph.consumers()
    for call in [call for call in graph.calls if role(call.kind) is Role.MERGED]:
        own = next((taker for taker in consumers[call.output] if taker and isinstance(taker.kind, FakeQuant)), None)
        for value in dict.fromkeys(call.inputs):
            source = producers.get(value)
            before = producers.get(source.inputs[0]) if source and isinstance(source.kind, FakeQuant) else None
            if own and before and isinstance(before.kind, KeptFloat) and len(consumers[value]) > 1:
                name = graph.unique(f"{call.name}_input")
                rounding = FakeQuant(own.kind.bits, fixed=own.kind.fixed, name=name)
                entering = Call(NewLayer(rounding), name, (value,), outputs=(Value(value.symbol),))
                call.replace(value, entering.output)
                graph.calls.insert(graph.calls.index(call), entering)


def _write_out_elu(graph: Graph) -> None:
    """Let the converter see an exponential linear unit that is merged, in floating point, in its parts.

    The operator of the runtime takes integers too, and the converter would give it the range of the concatenation.
    """
    import keras

    from tflite.quantization.layers import FakeQuant, KeptFloat

    consumers = graph.consumers()

    def merged(value: Value) -> bool:
        takers = [taker for taker in consumers.get(value, []) if taker]
        passing = [taker for taker in takers if isinstance(taker.kind, FakeQuant | KeptFloat)]
        return any(role(taker.kind) is Role.MERGED for taker in takers) or any(merged(one.output) for one in passing)

    found = {
        id(call.operation)
        for call in graph.calls
        if activation(call.kind) == "elu" and getattr(call.kind, "alpha", 1.0) == 1.0 and merged(call.output)
    }
    for call in [call for call in graph.calls if id(call.operation) in found]:
        # With α = 1 it is the same function.
        call.operation = graph.shared(call, lambda name: NewLayer(keras.layers.Activation("celu", name=name)))


def _keep_ranges_apart(graph: Graph) -> None:
    """Give a tensor that is merged with others, and taken elsewhere too, its own range once more.

    The converter gives operators that only move numbers one range with what comes before and after. It would carry
    the wider range of a concatenation back to all who take a part of it.
    """
    from tflite.quantization.layers import FakeQuant

    producers, consumers = graph.producers(), graph.consumers()
    for call in list(graph.calls):
        after = consumers.get(call.output, []) if role(call.kind) is Role.SAME else []
        if len(after) < 2 or not any(taker and role(taker.kind) is Role.MERGED for taker in after):
            continue
        source: Call | None = call
        while source is not None and role(source.kind) is Role.SAME:
            source = producers.get(source.inputs[0])
        if source is not None and isinstance(source.kind, FakeQuant):
            name = graph.unique(f"{call.name}_quantized")
            graph.insert_after(call, NewLayer(FakeQuant(source.kind.bits, fixed=source.kind.fixed, name=name)), name)
