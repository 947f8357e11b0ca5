"""Checks of a Keras network before it is read as a graph."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from tflite.errors import ModelError
from tflite.keras_graph.internals import flatten_layers

if TYPE_CHECKING:
    import keras


def check_unquantized(model: "keras.Model", allowed: Collection[str] = ()) -> None:
    """Raise where Keras's own `model.quantize` has replaced weights by integers.

    Args:
        model: built.
        allowed: modes of `model.quantize` that are fine.

    Raises:
        ModelError: such a layer; the message names it.
    """
    for layer in flatten_layers(model, include_self=False):
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None and mode not in allowed and layer.weights:
            raise ModelError(
                f"Expected weights in floating point. Received: {model.name!r}, in which Keras's "
                f"model.quantize({mode!r}) replaced those of {layer.name!r}. Take the model as it was before: "
                "tflite.convert(…, scheme='int8') or scheme='dynamic' writes integers for phones"
            )
