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


def image_shape(model: "keras.Model") -> tuple[int, ...]:
    """The shape of one sample.

    Raises:
        ModelError: several inputs or outputs, an input that is not float32, or open sizes.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            "Expected a model with one input and one output. Received: "
            f"{model.name!r} with {len(model.inputs)} and {len(model.outputs)}"
        )
    shape = tuple(model.inputs[0].shape[1:])
    if model.inputs[0].dtype != "float32":
        raise ModelError(
            f"Expected a model with a float32 input. Received: {model.name!r} with {model.inputs[0].dtype}"
        )
    if None in shape:
        raise ModelError(f"Expected a model with a fixed input shape. Received: {model.name!r} with {shape}")
    return shape


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
