"""Sums of sequences with activations of 16 bits, written as sums of vectors."""

import numpy as np

from tflite.keras_graph.graph import Call, Graph, NewLayer, Value
from tflite.quantization.support import Role, role

_PASSING = (Role.RELU, Role.IDENTITY)


def flatten_sums(graph: Graph) -> None:
    """Let tensors of three axes or more be added as vectors where a dense layer computes one of them.

    A dense layer on sequences is a fully connected operator between two reshapes. The converter moves the second one
    behind the sum, and then adds tensors of different ranks, which its sums of 16 bits do not take.

    Args:
        graph: changed in place, with its roundings.
    """
    for call in list(graph.calls):
        inputs = list(dict.fromkeys(call.inputs))
        shapes = {tuple(value.symbol.shape) for value in (*inputs, *call.outputs)}
        if type(call.kind).__name__ != "Add" or not inputs or len(shapes) > 1 or inputs[0].rank < 3:
            continue
        if any(_of_dense(graph, value) for value in inputs) and _rounds_wide(graph, call):
            _flatten(graph, call, inputs)


def _flatten(graph: Graph, call: Call, inputs: list[Value]) -> None:
    import keras

    batch, *shape = call.output.symbol.shape
    vector = (batch, int(np.prod(shape)))
    for place, value in enumerate(inputs):
        name = graph.unique(f"{call.name}_vector_{place}")
        flat = Value(keras.KerasTensor(vector))
        reshape = Call(NewLayer(keras.layers.Reshape(vector[1:], name=name)), name, (value,), outputs=(flat,))
        call.replace(value, flat)
        graph.calls.insert(graph.calls.index(call), reshape)
    last = _path(graph, call)[-1]
    name = graph.unique(f"{call.name}_back")
    graph.insert_after(last, NewLayer(keras.layers.Reshape(shape, name=name)), name)


def _path(graph: Graph, call: Call) -> list[Call]:
    """The sum and what belongs to its operator: a rectifier and the rounding."""
    from tflite.quantization.layers import FakeQuant

    consumers, path = graph.consumers(), [call]
    while not isinstance(path[-1].kind, FakeQuant):
        after = consumers.get(path[-1].output, [])
        if len(after) != 1 or after[0] is None:
            break
        if not (isinstance(after[0].kind, FakeQuant) or role(after[0].kind) in _PASSING):
            break
        path.append(after[0])
    return path


def _rounds_wide(graph: Graph, call: Call) -> bool:
    from tflite.quantization.layers import FakeQuant

    last = _path(graph, call)[-1].kind
    return isinstance(last, FakeQuant) and last.bits == 16


def _of_dense(graph: Graph, value: Value) -> bool:
    """Return whether a dense layer computes a tensor, which may be rectified and rounded."""
    from tflite.quantization.layers import FakeQuant

    producers = graph.producers()
    source = producers.get(value)
    while source is not None and (isinstance(source.kind, FakeQuant) or role(source.kind) in _PASSING):
        source = producers.get(source.inputs[0])
    return source is not None and "Dense" in type(source.kind).__name__
