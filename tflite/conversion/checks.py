"""Requirements on a model that is to be converted."""

from typing import TYPE_CHECKING

import numpy as np

from tflite.errors import ModelError
from tflite.keras_graph.graph import read
from tflite.quantization.support import MASKED, is_masked

if TYPE_CHECKING:
    import keras


def check_backend() -> None:
    """Raise where Keras does not compute with TensorFlow, which the converter belongs to.

    Raises:
        ModelError: another backend.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Expected the TensorFlow backend of Keras. Received: {keras.backend.backend()!r}. Save the model and "
            "convert the .keras file in a process with KERAS_BACKEND=tensorflow"
        )


# Types of inputs: numbers, and places in a table.
_NUMBERS, _PLACES = "float32", ("int32", "int64")


def check_inputs(model: "keras.Model", scheme: str) -> None:
    """Raise what is wrong with the inputs of a model.

    Raises:
        ModelError: open sizes, another type, or integers in the scheme whose converter does not take them.
    """
    for symbol in model.inputs:
        where = repr(model.name) if len(model.inputs) == 1 else f"{symbol.name!r} of {model.name!r}"
        shape = tuple(symbol.shape[1:])
        if symbol.dtype not in (_NUMBERS, *_PLACES):
            raise ModelError(
                f"Expected inputs of {_NUMBERS}, or of {' or '.join(_PLACES)} for places in a table. "
                f"Received: {where} with {symbol.dtype}. Build the model with another type of input and copy the "
                "weights; integer pixels enter a file by input_type"
            )
        if None in shape:
            raise ModelError(
                f"Expected a model with a fixed input shape. Received: {where} with {shape}. Build it with sizes and "
                "copy the weights: sized.set_weights(model.get_weights())"
            )
        if symbol.dtype != _NUMBERS and scheme == "int16x8":
            raise ModelError(
                f"Expected inputs of {_NUMBERS} for scheme='int16x8', whose converter takes no integers. "
                f"Received: {where} with {symbol.dtype}. Use scheme='int8' or 'dynamic'"
            )


def check_masks(graph: "keras.Model") -> None:
    """Raise where attention has a mask and ranges are to be measured: the file would answer nonsense.

    What is not seen gets a score near the lowest number of float32, beside which all others are one integer.

    Raises:
        ModelError: such a layer, which is named.
    """
    for call in read(graph).calls:
        if is_masked(call):
            raise ModelError(
                f"Expected attention without masks, {MASKED}. Received: {call.name!r} ({type(call.kind).__name__}). "
                f"Use scheme='dynamic', or tflite.quantize_aware(model, exclude=({call.name!r},)), which keeps it in "
                "floating point"
            )


def check_finite(model: "keras.Model") -> None:
    """Raise where a weight is infinite or no number: the file would be written and answer nonsense.

    Raises:
        ModelError: such a weight; the message names it.
    """
    import keras

    for weight in model.weights:
        values = np.asarray(keras.ops.convert_to_numpy(weight))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            wrong = int((~np.isfinite(values)).sum())
            raise ModelError(
                f"Expected finite weights. Received: {weight.path!r} of {model.name!r} with {wrong} of {values.size} "
                "values that are not. The training diverged; load an earlier checkpoint"
            )
