"""Calls that become one operator at run time: a convolution with its normalization and relu, and the like."""

from dataclasses import dataclass

from tflite.keras_graph.graph import Call, Graph, Value
from tflite.quantization.support import Role, role

# What each kind of operator swallows, in this order.
_FOLLOWERS = {
    Role.WEIGHTED: (Role.AFFINE, Role.RELU, Role.CLIPPED),
    Role.AFFINE: (Role.RELU, Role.CLIPPED),
    Role.ARITHMETIC: (Role.RELU, Role.CLIPPED),
    Role.RANGED: (Role.CLIPPED,),
}


@dataclass(frozen=True)
class FusedOp:
    """Calls that are one operator; the first says which, the output of the last is what it computes."""

    calls: tuple[Call, ...]
    role: Role | None

    @property
    def output(self) -> Value:
        """Output of the operator."""
        return self.calls[-1].output


def fused_ops(graph: Graph, *, bits: int | None = 8) -> list[FusedOp]:
    """The operators of a graph, each call in one of them.

    Args:
        graph: with its layers decomposed.
        bits: of the activations. With 8, the range of an operator's integers may end where it is clipped, or at zero;
            ranges of 16 are symmetric.
    """
    consumers = graph.consumers()
    found: list[FusedOp] = []
    swallowed: set[Call] = set()
    for call in graph.calls:
        if call in swallowed:
            continue
        kind = role(call.kind)
        members = [call]
        for wanted in _FOLLOWERS.get(kind, ()) if kind else ():
            if bits == 16 and (wanted is Role.CLIPPED or (wanted is Role.RELU and is_transposed(call))):
                continue
            path = _to_next(members[-1], consumers, wanted)
            members += path
            swallowed.update(path)
        found.append(FusedOp(tuple(members), kind))
    return found


def _to_next(call: Call, consumers: dict[Value, list[Call | None]], wanted: Role) -> list[Call]:
    """The calls after `call` up to one of that role, where nothing but that one takes its result; or none."""
    path: list[Call] = []
    while len(call.outputs) == 1:
        after = consumers.get(call.output, [])
        if len(after) != 1 or after[0] is None:
            return []
        call = after[0]
        path.append(call)
        found = role(call.kind)
        if found is wanted and (wanted is not Role.AFFINE or is_batch_norm(call)):
            return path
        if found is not Role.IDENTITY:
            return []
    return []


def is_transposed(call: Call) -> bool:
    """Return whether a call is a transposed convolution, which the converter fuses with no rectifier."""
    return "Transpose" in type(call.kind).__name__ and role(call.kind) is Role.WEIGHTED


def is_batch_norm(call: Call) -> bool:
    """Return whether a call normalises with moving statistics."""
    import keras

    return isinstance(call.kind, keras.layers.BatchNormalization)
