"""Sums of two tensors in a graph for a batch of one."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from tflite.keras_graph.internals import replaced_add

# What stands between a weight and the sum that it is added in.
_PASSING = ("Reshape", "Squeeze", "ExpandDims", "Identity", "Cast")
_WEIGHTS = ("ReadVariableOp", "Const")


@contextlib.contextmanager
def plain_sums() -> Iterator[None]:
    """While a graph is traced, let what is computed for each image be added as NumPy adds.

    `keras.ops.add` takes a second tensor with one axis longer than 1 for a bias, and adds it along the last axis that
    is as long. In a batch of one, what a network computes looks the same: rows (1, 8, 1) are added to (1, 8, 8) as if
    they were columns, which in a larger batch they are not, and the converter has no BIAS_ADD of two tensors in 16
    bits.
    """

    def adding(of_keras: Any) -> Any:
        return functools.partial(_add, of_keras)

    with replaced_add(adding):
        yield


def _add(of_keras: Any, x1: Any, x2: Any) -> Any:
    import tensorflow as tf

    tensors = tf.is_tensor(x1) and tf.is_tensor(x2) and x1.dtype == x2.dtype
    if tensors and len(x1.shape) == len(x2.shape) > 1 and x1.shape[0] == x2.shape[0] == 1 and not _is_weight(x2):
        return tf.add(x1, x2)
    return of_keras(x1, x2)


def _is_weight(tensor: Any) -> bool:
    """Return whether a tensor of a graph is a variable or a constant, in another shape at most."""
    operation = tensor.op
    while operation.type in _PASSING:
        operation = operation.inputs[0].op
    return operation.type in _WEIGHTS
