"""The names of a quantization-aware model's outputs, by which Keras knows losses, metrics and labels."""

from typing import TYPE_CHECKING, Any

from tflite.keras_graph.internals import history, nodes

if TYPE_CHECKING:
    import keras


def named(model: "keras.Model") -> "keras.Model":
    """The model itself, each output named after what is rounded and not after the rounding of it.

    A file has no names of outputs: Keras takes those of the last layers.
    """
    symbols = getattr(model, "outputs", None) or []
    if any(_rounds(history(symbol)[0]) for symbol in symbols):
        model.output_names = [_name(symbol) for symbol in symbols]
    return model


def _name(symbol: Any) -> str:
    operation, node, _ = history(symbol)
    return _name(nodes(operation)[node].input_tensors[0]) if _rounds(operation) else operation.name


def _rounds(operation: Any) -> bool:
    from tflite.quantization.layers import FakeQuant, KeptFloat

    return isinstance(operation, FakeQuant | KeptFloat)
