"""Barriers around layers that stay in floating point, which keep them apart from rounded numbers."""

from typing import Any

from tflite.keras_graph.graph import Call, Graph, NewLayer, Value

# At the end of the names of the operators.
_NAME = "_held_apart"


def hold_apart(graph: Graph) -> None:
    """Put an operator without integer kernel between rounded numbers and layers that stay in floating point.

    Otherwise the converter gives those layers integers wherever they lie between roundings, also where it has no
    kernel for them and fails.
    """
    from tflite.quantization.layers import FakeQuant, KeptFloat

    producers = graph.producers()
    held: set[tuple[Call, Value]] = set()
    seen: set[Call] = set()
    waiting = [call for call in graph.calls if isinstance(call.kind, KeptFloat)]
    while waiting:
        call = waiting.pop()
        if call in seen:
            continue
        seen.add(call)
        for value in dict.fromkeys(call.inputs):
            source = producers.get(value)
            rounded = source is None or isinstance(source.kind, FakeQuant)
            if rounded or isinstance(call.kind, KeptFloat):
                held.add((call, value))
            if source is not None and not rounded:
                waiting.append(source)
    # In the order of the graph: names depend on it.
    for call in list(graph.calls):
        for value in dict.fromkeys(call.inputs):
            if (call, value) in held:
                name = graph.unique(f"{call.name}{_NAME}")
                apart = Call(NewLayer(_barrier(name)), name, (value,), outputs=(Value(value.symbol),))
                call.replace(value, apart.output)
                graph.calls.insert(graph.calls.index(call), apart)


def _barrier(name: str) -> Any:
    """The identity of a batch of one: the first row turned round alone, for which the converter has no integers."""
    import keras

    class HeldApart(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            import tensorflow as tf

            return tf.reverse_sequence(inputs, [1], seq_axis=1, batch_axis=0)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    return HeldApart(name=name)


def let_go(model: Any) -> None:
    """Take those operators out of an unpacked file again, where they have done their work."""
    from ai_edge_litert import schema_py_generated as schema

    [graph] = model.subgraphs
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    gone = [
        operator
        for operator in graph.operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.REVERSE_SEQUENCE
        and _NAME.encode() in graph.tensors[operator.outputs[0]].name
    ]
    before: dict[int, int] = {}
    for operator in gone:  # in the order of computation: one may follow another
        before[operator.outputs[0]] = before.get(operator.inputs[0], operator.inputs[0])
    graph.operators = [operator for operator in graph.operators if operator not in gone]
    for operator in graph.operators:
        operator.inputs = [before.get(place, place) for place in operator.inputs]
