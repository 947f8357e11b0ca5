"""Check that a file can have come from a Keras model at all: its weights are those of the model but for rounding."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tflite.model_file.operators import Operator
from tflite.parity.file_side import Steps

if TYPE_CHECKING:
    import keras

# Of the weights of one output channel and those of the same channel in Keras. Rounding, even to four bits, leaves more;
# folding a normalisation multiplies a channel by a number, which changes nothing. Other weights have about none.
_SAME = 0.5
# Fewer numbers correlate by chance.
_LEAST = 8

# With weights as their second input, the output channel in front; a depthwise one has it at the end.
_WITH_WEIGHTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"})


def doubt(model: "keras.Model", steps: Steps) -> str | None:
    """A sentence where most of a file's weights are none of the model's; None where they are, or none can be compared.

    Args:
        model: functional or sequential.
        steps: of the file, after they were run once.
    """
    kernels = [
        matrix for weights in model.get_weights() if np.ndim(weights) >= 2 for matrix in _matrices(np.asarray(weights))
    ]
    known: list[bool] = []
    for operator in steps.file.operators:
        if (
            operator.name in _WITH_WEIGHTS
            and len(operator.inputs) > 1
            and (held := _weights(operator, steps)) is not None
        ):
            known.append(any(_alike(held, kernel) for kernel in kernels))
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


def _matrices(kernel: np.ndarray) -> Iterator[np.ndarray]:
    """A Keras kernel by output channel in every way that a file may hold it.

    Its last axes are those of the output and the others are summed over: one for a convolution, (height, width, inputs,
    outputs), two for a depthwise one and for some of attention. Embeddings that are shared have them in front, and
    transposed convolutions the last but one.
    """
    for split in range(1, kernel.ndim):
        matrix = kernel.reshape(int(np.prod(kernel.shape[:split])), -1)
        yield from (matrix.T, matrix)
    if kernel.ndim == 4:
        yield kernel.transpose(2, 0, 1, 3).reshape(kernel.shape[2], -1)


def _alike(held: np.ndarray, kernel: np.ndarray) -> bool:
    """Return whether the weights of most output channels correlate."""
    if kernel.shape != held.shape:
        return False
    one, other = (array - array.mean(axis=1, keepdims=True) for array in (held, kernel.astype("float64")))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    used = norms > 0
    if not used.any():
        return not held.any() and not kernel.any()
    return bool(np.median(np.abs((one * other).sum(axis=1)[used] / norms[used])) > _SAME)
