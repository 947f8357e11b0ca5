"""Layers and operations that `quantize_aware` was asked to leave in floating point."""

from typing import TYPE_CHECKING, Any

from tflite.keras_graph.internals import history, nodes

if TYPE_CHECKING:
    import keras


def floating(aware: "keras.Model") -> frozenset[str]:
    """Names of the layers between rounded numbers and a `KeptFloat`: those that `exclude` named, and what led there.

    Args:
        aware: a quantization-aware model, or any other, which has none.
    """
    from tflite.quantization.layers import FakeQuant, KeptFloat

    found: set[str] = set()
    ends = [layer for layer in aware.layers if isinstance(layer, KeptFloat)]
    waiting: list[Any] = [tensor for layer in ends for tensor in _taken(layer)]
    while waiting:
        operation = history(waiting.pop())[0]
        if operation.name not in found and not isinstance(operation, FakeQuant | KeptFloat):
            found.add(operation.name)
            waiting += _taken(operation)
    return frozenset(found)


def _taken(operation: Any) -> list[Any]:
    """Inputs of a layer or operation, wherever it is called."""
    return [tensor for node in nodes(operation) for tensor in node.input_tensors]
