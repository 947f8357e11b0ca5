"""Placement of fake quantization: activations and kernels."""

import math
from typing import Any

import numpy as np

from tflite.keras_graph.copying import remade
from tflite.keras_graph.graph import Call, Graph, NewLayer, Value
from tflite.quantization.fused_ops import FusedOp, fused_ops, is_transposed
from tflite.quantization.refusals import UnsupportedError, takes, unsupported
from tflite.quantization.schemes import Scheme
from tflite.quantization.support import (
    BOUNDS,
    Role,
    activation,
    averages,
    clip_range,
    role,
)

PIXELS = (0.0, 255.0)


def insert_fake_quant(
    graph: Graph,
    scheme: Scheme,
    *,
    schemes: dict[str, Scheme | None],
    input_range: list[tuple[float, float] | None],
    momentum: float,
) -> dict[Call, Scheme]:
    """Insert the rounding of activations into an expanded graph; returns the calls whose kernels are to be rounded.

    It goes after the input and after what each operator computes, and nowhere inside one: between a convolution and
    its relu it would split them. Operators that only move or select numbers keep the range of their input.

    Args:
        graph: changed in place.
        scheme: of everything that has no other.
        schemes: name of a layer as it was read → its own scheme, or None where it stays in floating point.
        input_range: of each of the model's inputs where it is known beforehand; raw pixels where the model rescales it
            first.
        momentum: of the moving averages.

    Raises:
        ModelError: a layer that the integer runtime has no kernel for.
    """
    found = fused_ops(graph, bits=scheme.activations)
    floating = {unit for unit in found if any(schemes.get(call.origin, scheme) is None for call in unit.calls)}
    kernels = {
        unit.calls[0]: schemes.get(unit.calls[0].origin) or scheme
        for unit in found
        if unit.role is Role.WEIGHTED and unit not in floating
    }
    if scheme.activations is not None:
        for unit in found:
            for call in unit.calls if unit not in floating else ():
                if not takes(call, scheme.activations):
                    raise unsupported(call, scheme.activations)
            if unit not in floating and scheme.activations == 16 and _broadcasts(unit.calls[0]):
                name = unit.calls[0].origin
                raise UnsupportedError(
                    f"Expected sums of two tensors of one shape for activations of 16 bits. Received: {name!r} of "
                    f"{_shapes(unit.calls[0])}. Use scheme='int8'",
                    name,
                )
            if unit not in floating and _pads_with(unit.calls[0]):
                name = unit.calls[0].origin
                raise UnsupportedError(
                    f"Expected padding with zeros, which every range holds. Received: {name!r} with "
                    f"constant_values={_pads_with(unit.calls[0])}. Pad with zeros",
                    name,
                )
        narrow = {call for call, own in kernels.items() if own.weights < 8}
        _Placing(graph, found, floating, scheme.activations, momentum, narrow).run(input_range)
    return kernels


class _Placing:
    """Inserts layers into one graph."""

    def __init__(
        self, graph: Graph, found: list[FusedOp], floating: set[FusedOp], bits: int, momentum: float, narrow: set[Call]
    ):
        self.graph, self.found, self.floating = graph, found, floating
        self.bits, self.momentum, self.narrow = bits, momentum, narrow
        self.unit_of = {call: unit for unit in found for call in unit.calls}

    def run(self, input_range: list[tuple[float, float] | None]) -> None:
        """Insert all of them."""
        import keras

        consumers = self.graph.consumers()
        fixed: dict[Value, tuple[float, float] | None] = {}
        # A layer that is called twice is moved once; the one before is kept: another could get its id.
        on_grid: dict[int, tuple[Any, Any, tuple[float, float] | None]] = {}
        for value, given in zip(keras.tree.flatten(self.graph.inputs), input_range, strict=True):
            rescaled = self._rescaled(value, consumers)
            known = given or (PIXELS if rescaled else None)
            self._round(value, value.symbol.name, fixed=known)
            if known and self.bits == 8:
                for call in rescaled:
                    before = call.operation
                    if id(before) not in on_grid:
                        ends = _on_grid(call, known)
                        on_grid[id(before)] = before, call.operation, ends
                    _, call.operation, fixed[call.output] = on_grid[id(before)]
        for unit in self.found:
            last = unit.calls[-1]
            if unit in self.floating:
                for value in last.outputs:
                    if self._meets_integers(value, consumers):
                        self._round(self._keep_float(value, last.name), last.name)
            elif unit.role is Role.BOUNDED:
                if self.bits == 16 or not self._leaves(unit.output, consumers):
                    # The converter knows the ranges of 8 bits by itself.
                    fixed_range = self._bounds(last)
                    self._round(unit.output, last.name, fixed=fixed_range, exported=self.bits == 16)
            elif unit.role is Role.SAME and averages(last.kind):
                self._round_again(last)
            elif role(last.kind) is Role.CLIPPED:
                ends = clip_range(last.kind)
                self._round(unit.output, last.name, fixed=ends, positive=ends is not None and ends[0] == 0)
            elif unit.role not in (Role.SAME, Role.IDENTITY) and (
                _ends_by_range(unit) or not self._only_merged(unit.output, consumers)
            ):
                rectified = role(last.kind) is Role.RELU
                twice = unit.calls[0] in self.narrow
                self._round(unit.output, last.name, fixed=fixed.get(unit.output), positive=rectified, twice=twice)
        if self.bits == 8:
            for unit in self.found:
                if unit.role is Role.MERGED and unit not in self.floating:
                    self._move_to_one_range(unit.calls[0])

    def _round(self, value: Value, name: str, **options: Any) -> None:
        """Let everything that takes a tensor take it rounded."""
        from tflite.quantization.layers import FakeQuant

        name = self.graph.unique(f"{name}_quantized")
        dtype = value.symbol.dtype
        self._insert(value, FakeQuant(self.bits, momentum=self.momentum, dtype=dtype, name=name, **options))

    def _round_again(self, call: Call) -> None:
        """Round averages in the range of what they are averages of."""
        from tflite.quantization.layers import FakeQuant

        source = self._source(call.inputs[0])
        if source is not None and isinstance(source.kind, FakeQuant):
            self.graph.insert_after(call, source.operation, source.name).kwargs = {"follow": False}

    def _move_to_one_range(self, call: Call) -> None:
        """Say which inputs of a call have integers of a range of their own."""
        from tflite.quantization.layers import FakeQuant, Requantized

        for value in dict.fromkeys(call.inputs):
            source = self._source(value)
            if source is not None and isinstance(source.kind, FakeQuant):
                name = self.graph.unique(f"{call.name}_input")
                layer = Requantized(dtype=value.symbol.dtype, name=name)
                moved = Call(NewLayer(layer), name, (value,), outputs=(Value(value.symbol),))
                call.replace(value, moved.output)
                self.graph.calls.insert(self.graph.calls.index(call), moved)

    def _source(self, value: Value) -> Call | None:
        """Producer of a tensor, or of the one that it is a part of."""
        producers = self.graph.producers()
        source = producers.get(value)
        while source is not None and role(source.kind) in (Role.IDENTITY, Role.SAME):
            source = producers.get(source.inputs[0])
        return source

    def _keep_float(self, value: Value, name: str) -> Value:
        from tflite.quantization.layers import KeptFloat

        name = self.graph.unique(f"{name}_kept_float")
        return self._insert(value, KeptFloat(dtype=value.symbol.dtype, name=name))

    def _insert(self, value: Value, layer: Any) -> Value:
        call = Call(NewLayer(layer), layer.name, (value,), outputs=(Value(value.symbol),))
        self.graph.redirect(value, call.output, self.graph.consumers().get(value, []))
        producer = self.graph.producers().get(value)
        self.graph.calls.insert(0 if producer is None else self.graph.calls.index(producer) + 1, call)
        return call.output

    def _bounds(self, call: Call) -> tuple[float, float]:
        return BOUNDS[activation(call.kind) or ""] if self.bits == 8 else (-32767 / 32768, 32767 / 32768)

    def _meets_integers(self, value: Value, consumers: dict[Value, list[Call | None]]) -> bool:
        """Return whether the result of a layer in floating point leaves the model or enters a quantized layer."""
        for call in consumers.get(value, []):
            if call is None:
                return True
            if role(call.kind) is Role.IDENTITY:
                if self._meets_integers(call.output, consumers):
                    return True
            elif self.unit_of[call] not in self.floating:
                return True
        return False

    def _only_merged(self, value: Value, consumers: dict[Value, list[Call | None]]) -> bool:
        """Return whether all that becomes of a tensor is a part of one that is rounded itself, with the same range.

        Averages are not: what they are of has larger numbers.
        """
        after = consumers.get(value, [])
        if len(after) != 1 or after[0] is None or averages(after[0].kind):
            return False
        if self.unit_of[after[0]].role is Role.MERGED:
            return self.unit_of[after[0]] not in self.floating
        moved = self.unit_of[after[0]].role in (Role.IDENTITY, Role.SAME)
        return moved and self._only_merged(after[0].output, consumers)

    def _leaves(self, value: Value, consumers: dict[Value, list[Call | None]]) -> bool:
        """Return whether a tensor is an output of the model, moved at most: a loss's probabilities are not rounded."""
        for call in consumers.get(value, []):
            if call is None:
                return True
            if role(call.kind) in (Role.IDENTITY, Role.SAME) and self._leaves(call.output, consumers):
                return True
        return False

    def _rescaled(self, value: Value, consumers: dict[Value, list[Call | None]]) -> list[Call]:
        """The layers that scale the model's input to the range that the network works in, where all takers do."""
        import keras

        found: list[Call] = []
        for call in consumers.get(value, []):
            if call is not None and role(call.kind) is Role.IDENTITY:
                inner = self._rescaled(call.output, consumers)
                if not inner:
                    return []
                found += inner
            elif (
                call is not None
                and isinstance(call.kind, keras.layers.Rescaling)
                and isinstance(call.kind.scale, int | float)
                and isinstance(call.kind.offset, int | float)
                and call.kind.scale
            ):
                found.append(call)
            else:
                return []
        return found


def _ends_by_range(unit: FusedOp) -> bool:
    """Return whether the range of an operator's output rectifies it, since the converter has no other way to."""
    return is_transposed(unit.calls[0]) and role(unit.calls[-1].kind) is Role.RELU


def _on_grid(call: Call, known: tuple[float, float]) -> tuple[float, float] | None:
    """The range after a layer that rescales the input, so that each pixel value is one integer.

    With (p − 127.5) / 64 every pixel value would lie in the middle between two integers, where Keras and the runtime
    may round differently. The offset is moved to the nearest multiple of a pixel's step, (p − 128) / 64: an integer
    model has no finer offset, since zero must be one of its numbers.
    """
    layer = call.kind
    step = layer.scale * (known[1] - known[0]) / 255
    offset = math.ceil(layer.offset / step - 0.5) * step
    ends = sorted(layer.scale * bound + offset for bound in known)
    if not ends[0] <= 0 <= ends[1]:
        return None
    call.operation = remade(call, type(layer), offset=offset)
    return ends[0], ends[1]


def _broadcasts(call: Call) -> bool:
    """Return whether a call adds tensors of several shapes, which the converter has for 8 bits alone."""
    return type(call.kind).__name__ in ("Add", "Subtract") and len(set(_shapes(call))) > 1


def _shapes(call: Call) -> list[tuple[int | None, ...]]:
    """The shapes of what a call takes, without the batch's axis; of constants too."""
    import keras

    constants = [
        leaf for leaf in keras.tree.flatten((call.args, call.kwargs)) if np.ndim(leaf) and hasattr(leaf, "shape")
    ]
    return [tuple(value.symbol.shape[1:]) for value in call.inputs] + [np.shape(constant) for constant in constants]


def _pads_with(call: Call) -> float:
    """The number that a call of `keras.ops.pad` pads with."""
    if type(call.kind).__name__ != "Pad":
        return 0.0
    given = [*call.args[1:], call.kwargs.get("constant_values")]
    return next((float(number) for number in given if isinstance(number, int | float)), 0.0)
