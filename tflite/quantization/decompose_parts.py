"""Parts that a layer is written as: what the rewriting rules share."""

from collections.abc import Callable
from typing import Any, Protocol

from tflite.keras_graph.graph import Call, Graph, NewLayer, Value
from tflite.keras_graph.internals import history


class Expansion(Protocol):
    """Rewriting of one graph, as the rules for single layers see it."""

    graph: Graph
    bits: int | None

    def add(
        self,
        call: Call,
        operation: Callable[[str], Any],
        part: str,
        *args: Any,
        output: Value | None = None,
        shape: tuple[int | None, ...] | None = None,
    ) -> Value:
        """Add a call of a part of what `call` was; returns its result."""
        ...

    def times(self, call: Call, value: Value, number: float, part: str) -> None:
        """Add the product of a tensor and a number as the last part."""
        ...

    def expand_last(self) -> None:
        """Rewrite the call that was added last, where it is one to rewrite."""
        ...


Rule = Callable[[Expansion, Call], None]


def new_operation(function: Callable[[Any], Any], shape: tuple[int | None, ...] = (1,)) -> Callable[[str], NewLayer]:
    """Maker of the operation that a function of a symbol calls; Keras has no other public way to one.

    Args:
        function: of one symbol.
        shape: of a symbol that the function takes.
    """
    import keras

    def make(name: str) -> NewLayer:
        example = history(function(keras.KerasTensor(shape)))[0]
        operation = type(example).from_config(example.get_config())
        operation.name = name
        return NewLayer(operation)

    return make


def shape_of(value: Value) -> tuple[int | None, ...]:
    """Shape of a tensor, the batch's axis first."""
    return tuple(value.symbol.shape)
