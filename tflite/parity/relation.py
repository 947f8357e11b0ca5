"""Whether a file can have come from a Keras model at all: its weights are those of the model but for rounding."""

from typing import TYPE_CHECKING

import numpy as np

from tflite.operators import Operator
from tflite.parity.file_side import Steps

if TYPE_CHECKING:
    import keras

# Of the weights of one output channel and those of the same channel in Keras. Rounding, even to four bits, leaves more;
# folding a normalisation multiplies a channel by a number, which changes nothing. Other weights have about none.
_SAME = 0.5
# Fewer numbers correlate by chance.
_LEAST = 8

# Axes of a Keras kernel in the order of the file: output channel first.
_ORDERS = {
    "CONV_2D": (3, 0, 1, 2),
    "DEPTHWISE_CONV_2D": (2, 3, 0, 1),
    "TRANSPOSE_CONV": (2, 0, 1, 3),
    "FULLY_CONNECTED": (1, 0),
}


def doubt(model: "keras.Model", steps: Steps) -> str | None:
    """A sentence where most of a file's weights are none of the model's; None where they are, or none can be compared.

    Args:
        model: functional or sequential.
        steps: of the file, after they were run once.
    """
    kernels = [np.asarray(weights) for weights in model.get_weights() if np.ndim(weights) >= 2]
    known: list[bool] = []
    for operator in steps.file.operators:
        if operator.name in _ORDERS and len(operator.inputs) > 1 and (held := _weights(operator, steps)) is not None:
            known.append(any(_alike(held, _channels(kernel, operator.name)) for kernel in kernels))
    if not known or sum(known) * 2 >= len(known):
        return None
    return (
        f"{len(known) - sum(known)} of {len(known)} weight tensors of the file are none of the Keras model's: it is "
        "likely the file of another model, or of another training, and no layer is to blame"
    )


def _weights(operator: Operator, steps: Steps) -> np.ndarray | None:
    """Weights in a file by output channel, (channels, numbers), as integers where they are; None where not readable."""
    tensor = operator.inputs[1]
    values = steps.values(tensor.index)
    if values is None or values.size != tensor.elements or values.ndim < 2:
        return None
    if operator.name == "DEPTHWISE_CONV_2D":
        values = np.moveaxis(values, -1, 0)
    values = values.reshape(len(values), -1).astype("float64")
    return values if values.shape[1] >= _LEAST else None


def _channels(kernel: np.ndarray, operator: str) -> np.ndarray | None:
    order = _ORDERS[operator]
    if kernel.ndim != len(order):
        return None
    moved = kernel.transpose(order)
    return moved.reshape(moved.shape[0] * moved.shape[1] if operator == "DEPTHWISE_CONV_2D" else len(moved), -1)


def _alike(held: np.ndarray, kernel: np.ndarray | None) -> bool:
    """Whether the weights of most output channels correlate."""
    if kernel is None or kernel.shape != held.shape:
        return False
    one, other = (array - array.mean(axis=1, keepdims=True) for array in (held, kernel.astype("float64")))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    used = norms > 0
    if not used.any():
        return not held.any() and not kernel.any()
    return bool(np.median(np.abs((one * other).sum(axis=1)[used] / norms[used])) > _SAME)
