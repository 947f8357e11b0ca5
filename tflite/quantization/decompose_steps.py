"""`TimeDistributed`, written as the layer inside of it on the steps of all sequences at once."""

from typing import Any

from tflite.keras_graph.copying import copied
from tflite.keras_graph.graph import Call, NewLayer, Value, read
from tflite.quantization.decompose_parts import Expansion, Rule, new_operation, shape_of


def step_rule(call: Call) -> Rule | None:
    """Rule for a `TimeDistributed` of a known number of steps and without masks; None for anything else."""
    import keras

    known = type(call.kind) is keras.layers.TimeDistributed and len(call.inputs) == 1
    if not known or None in (*shape_of(call.inputs[0])[1:], *shape_of(call.output)[1:]):
        return None
    return _along_last_axis if type(call.kind.layer) is keras.layers.Dense else _all_steps


def _along_last_axis(expansion: Expansion, call: Call) -> None:
    """`Dense` takes tensors of any rank."""
    expansion.add(call, lambda name: _copy(call, name), "dense", *call.inputs, output=call.output)
    expansion.expand_last()


def _copy(call: Call, name: str) -> NewLayer:
    inner = call.kind.layer
    return NewLayer(type(inner).from_config({**inner.get_config(), "name": name}), call.weights)


def _all_steps(expansion: Expansion, call: Call) -> None:
    """Steps become images of a batch, and what is computed of them becomes steps again."""
    import keras

    (value,) = call.inputs
    shape, result = shape_of(value), shape_of(call.output)
    steps = (-1, *shape[2:])
    merge = new_operation(lambda x: keras.ops.reshape(x, steps), shape)
    flat = expansion.add(call, merge, "steps", value, shape=(None, *shape[2:]))
    inner = call.kind.layer
    if isinstance(inner, keras.Model):
        found = _model(expansion, call, inner, flat)
    else:
        found = expansion.add(call, lambda name: _copy(call, name), "step", flat, shape=(None, *result[2:]))
        expansion.expand_last()
    sequence = (-1, *result[1:])
    split = new_operation(lambda x: keras.ops.reshape(x, sequence), (None, *result[2:]))
    back = expansion.add(call, split, "sequence", found, shape=result)
    # Who knows the layer by its name finds one.
    expansion.add(
        call,
        lambda name: NewLayer(keras.layers.Identity(dtype=call.output.symbol.dtype, name=name)),
        "whole",
        back,
        output=call.output,
    )


def _model(expansion: Expansion, call: Call, inner: Any, flat: Value) -> Value:
    """The calls of a model, one part each."""
    graph = read(inner)
    now: dict[Value, Value] = {graph.inputs if isinstance(graph.inputs, Value) else graph.inputs[0]: flat}
    for each in graph.calls:
        for old in dict.fromkeys(each.inputs):
            each.replace(old, now[old])
        made = copied(each)

        def named(name: str, made: NewLayer = made) -> NewLayer:
            made.layer.name = name
            return made

        (output,) = each.outputs
        now[output] = expansion.add(call, named, each.name, *each.args, shape=shape_of(output))
        expansion.expand_last()
    return now[graph.outputs if isinstance(graph.outputs, Value) else graph.outputs[0]]
