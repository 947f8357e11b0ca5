"""Private names of Keras, in this module of the package alone: each with the reason and the public way that was tried.

Read and run with the versions of Keras that `RUN_ON` in tests/test_private_keras.py names.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


def flatten_layers(layer: Any, *, include_self: bool = True, recursive: bool = True) -> list[Any]:
    """The layer and all layers inside it. `Model.layers` has one level, and other layers have no `layers`."""
    return list(layer._flatten_layers(include_self=include_self, recursive=recursive))


def history(symbol: Any) -> tuple[Any, int, int]:
    """Operation, number of its call and place among its outputs that made a symbol; public is only its name."""
    return symbol._keras_history


def nodes(operation: Any) -> list[Any]:
    """The calls of a layer or operation; `operation.input` fails where there are several."""
    return operation._inbound_nodes


def functional(model: Any) -> Any:
    """The functional model behind a model, None for a subclassed one; `Sequential` shows its own nowhere."""
    inner = getattr(model, "_functional", None) or model
    return inner if hasattr(inner, "_inputs_struct") and hasattr(inner, "_nodes_by_depth") else None


def structures(model: Any) -> tuple[Any, Any]:
    """Inputs and outputs of a functional model as they are nested; `inputs` and `outputs` are flat lists."""
    return model._inputs_struct, model._outputs_struct


def nodes_by_depth(model: Any) -> dict[int, list[Any]]:
    """The calls of a functional model by their distance from the outputs; `operations` tells no arguments."""
    return model._nodes_by_depth


def set_name_scope(layer: Any, scope: Callable[[], Any]) -> None:
    """Let a layer compute in another scope; `tf.name_scope` around its call is followed by the layer's own."""
    layer._open_name_scope = scope


def set_name(layer: Any, name: str) -> None:
    """Rename a layer of tf_keras after it was built; its `name` cannot be assigned."""
    layer._name = name


@contextlib.contextmanager
def replaced_add(make: Callable[[Any], Any]) -> Iterator[None]:
    """Let `keras.ops.add` and `+` compute something else; `make` is given the present function.

    A subclass of `keras.layers.Add` would leave out `+` and what layers of users compute.
    """
    from keras.src import backend

    present = backend.numpy.add
    backend.numpy.add = make(present)
    try:
        yield
    finally:
        backend.numpy.add = present


class OverStorage:
    """A mixin, before `keras.Variable`: its value is a variable of the backend that exists; both see each assignment.

    `keras.Variable(initializer=…)` was tried: it copies the initial value into a new variable of the backend, and
    `value` cannot be assigned. `_storage` is to be set before the variable is made.
    """

    _storage: Any

    def _initialize(self, value: Any) -> None:
        self._value = self._storage
