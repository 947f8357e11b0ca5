"""One vector per sample, and the geometry of a batch of vectors, with finite gradients where vectors coincide."""

from collections.abc import Callable
from typing import Any

from keras import ops

from distiller.errors import InputError


def pooled(features):
    """float32 (batch, channels): vectors as they are, maps averaged over their positions."""
    features = ops.cast(features, "float32")
    return features if len(features.shape) == 2 else ops.mean(features, axis=tuple(range(1, len(features.shape) - 1)))


def flattened(features):
    """float32 (batch, numbers): vectors as they are, maps with all their positions and channels in a row."""
    features = ops.cast(features, "float32")
    return ops.reshape(features, (ops.shape(features)[0], -1))


def compared(teacher, student, vectors: Callable[[Any], Any] = pooled, *, samples: int = 2) -> tuple[Any, Any]:
    """The vectors of teacher and student; no gradient reaches the teacher.

    Raises:
        InputError: several layers, a batch of single numbers, batches known to differ, or a batch known to be smaller
            than `samples`, the fewest that can be related.
    """
    known = []
    for role, features in (("teacher", teacher), ("student", student)):
        shape = getattr(features, "shape", None)
        if shape is None or len(shape) < 2:
            received = type(features).__name__ if shape is None else tuple(shape)
            raise InputError(
                f"Expected the {role}'s features to be one tensor of shape (batch, channels) or "
                f"(batch, height, width, channels). Received: {received}"
            )
        # While JAX traces, a size that is not known is a symbol and no integer.
        if isinstance(shape[0], int):
            known.append(shape[0])
            if shape[0] < samples:
                raise InputError(
                    f"Expected a batch of {samples} or more samples, whose relations are compared. "
                    f"Received: {role} of shape {tuple(shape)}"
                )
    if len(set(known)) > 1:
        raise InputError(
            "Expected the same samples of teacher and student. "
            f"Received: teacher of shape {tuple(teacher.shape)} and student of shape {tuple(student.shape)}"
        )
    return ops.stop_gradient(vectors(teacher)), vectors(student)


def count(vectors):
    """The number of rows, float32, also where it is not known before the step."""
    return ops.cast(ops.shape(vectors)[0], "float32")


def lengths(vectors):
    """Euclidean lengths along the last axis, which stays with size 1; at 0 the gradient is 0."""
    squared = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # Masked before the root: its slope at 0 is infinite, and infinity times a mask of 0 is no number.
    above = squared > 0
    return ops.where(above, ops.sqrt(ops.where(above, squared, 1.0)), 0.0)


def unit(vectors):
    """Vectors of length 1 along the last axis; a vector of zeros stays one."""
    long = lengths(vectors)
    return vectors / ops.where(long > 0, long, 1.0)


def differences(vectors):
    """From sample j to sample i, shape (batch j, batch i, channels)."""
    # Not from inner products: those cancel where samples are near each other and far from the origin.
    return ops.expand_dims(vectors, 0) - ops.expand_dims(vectors, 1)


def cosines(vectors):
    """Cosines between all samples, (batch, batch); 0 for a vector of zeros."""
    vectors = unit(vectors)
    return ops.matmul(vectors, ops.transpose(vectors))


def off_diagonal(vectors):
    """1 for pairs of two different samples and 0 for a sample with itself, float32 (batch, batch)."""
    samples = ops.arange(ops.shape(vectors)[0])
    return ops.cast(ops.expand_dims(samples, 0) != ops.expand_dims(samples, 1), "float32")


def huber(teacher, student):
    """Half the square of a difference up to 1 and its size less a half beyond, number by number."""
    apart = ops.abs(teacher - student)
    return ops.where(apart <= 1, 0.5 * ops.square(apart), apart - 0.5)
