"""Copies of layers and operations, with their weights."""

import types
from typing import Any

from tflite.keras_graph.graph import Call, NewLayer


def copied(call: Call) -> Any:
    """Callable of a call in the new model: a copy, or what was made for it."""
    return call.operation if isinstance(call.operation, NewLayer) else remade(call, type(call.operation))


def remade(call: Call, kind: Any, **options: Any) -> NewLayer:
    """An operation of class `kind` with the configuration of a call's, changed by `options`, and its weights."""
    config = {**call.kind.get_config(), **options}
    if "name" in config:
        config["name"] = call.name
    layer = kind.from_config(config)
    layer.name = call.name
    # A `call` that was set on the instance, a faster kernel for one, goes along.
    own = vars(call.kind).get("call")
    if isinstance(own, types.MethodType) and kind is type(call.kind):
        layer.call = types.MethodType(own.__func__, layer)
    return NewLayer(layer, call.weights or None)
