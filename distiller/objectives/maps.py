"""Helpers of objectives on features: pooling, normalizing, rows; all in float32, channels last."""

import math

from keras import ops

from distiller.objectives.shapes import common_size


def constant(teacher):
    """The teacher's features in float32, through which no gradient flows."""
    return ops.stop_gradient(ops.cast(teacher, "float32"))


def pool(maps, size: tuple[int, ...], *, most: bool = False):
    """Maps pooled down to `size`, that along each axis of positions, by their mean or, with `most`, their maximum.

    Windows overlap where the sizes do not divide. Maps that have the size, and vectors, stay as they are.

    >>> import numpy as np
    >>> print(np.asarray(pool(np.array([[[[1.0], [2.0]], [[3.0], [6.0]]]]), (1, 1))).ravel())
    [3.]
    """
    present = tuple(maps.shape[1:-1])
    if present == tuple(size):
        return maps
    divides = all(have % want == 0 for have, want in zip(present, size, strict=True))
    if divides:
        window = tuple(have // want for have, want in zip(present, size, strict=True))
        # The stride is given, for Keras's default of it fails on JAX.
        return (ops.max_pool if most else ops.average_pool)(maps, window, window, data_format="channels_last")
    adaptive = ops.adaptive_max_pool if most else ops.adaptive_average_pool
    return adaptive(maps, size, data_format="channels_last")


def same_size(teacher, student):
    """Both in float32, the larger map averaged down to the smaller; no gradient flows to the teacher."""
    teacher, student = constant(teacher), ops.cast(student, "float32")
    size = common_size(teacher.shape, student.shape)
    return pool(teacher, size), pool(student, size)


def flat(features):
    """Features (batch, …) as rows (batch, n)."""
    return ops.reshape(features, (-1, math.prod(features.shape[1:])))


def positions(maps):
    """Maps (batch, …, channels) as matrices (batch, positions, channels)."""
    return ops.reshape(maps, (-1, math.prod(maps.shape[1:-1]), maps.shape[-1]))


def unit(vectors, axis: int = -1):
    """Vectors of Euclidean length 1 along `axis`; those shorter than 1e-6 are 0 and have no gradient.

    >>> import numpy as np
    >>> print(np.asarray(unit(np.array([[3.0, 4.0], [0.0, 0.0]]))).round(4))
    [[0.6 0.8]
     [0.  0. ]]
    """
    squares = ops.sum(ops.square(vectors), axis=axis, keepdims=True)
    alive = squares > 1e-12
    # Masked before the root, whose gradient at 0 is infinite.
    return vectors * ops.where(alive, ops.rsqrt(ops.where(alive, squares, 1.0)), 0.0)


def standardize(features, epsilon: float = 1e-5):
    """Features of mean 0 and variance 1 a channel, over the batch and the positions.

    Batch normalization without moving averages, for adapters work only in training.
    """
    mean, variance = ops.moments(features, axes=list(range(len(features.shape) - 1)), keepdims=True)
    return (features - mean) * ops.rsqrt(variance + epsilon)
