"""Singular vectors: how the main directions of one layer's channels relate to those of the next."""

import math
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.adapters import AdaptedLayersObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, positions, unit

SPARE = 3  # Singular vectors of the student beyond the teacher's, from which the most alike are chosen.


def singular_vectors(teacher, student, *, rank: int = 1):
    """Sum over consecutive layers of (R_teacher − R_student)², one number per sample.

    Lee, Kim & Song 2018, 1807.06819: maps as matrices (height · width, channels) are cut to their first `rank` right
    singular vectors V, weighed by the teacher's singular values divided by their length; R are the radial basis
    functions exp(−(vᵢ − wⱼ)² / 8) of all channels i of a layer and j of the one before it, for each vector. The
    student's vectors are those of its first rank + 3 that are most like the teacher's, with the teacher's sign; a
    vector counts if its singular value is above a thousandth of the map's length. A sign that the decomposition leaves
    open is such that the component of largest size is positive. Usual weight: 1; the authors also clip its gradient to
    the length of the labels'.

    The gradient of a singular vector has a factor 1/(λᵢ − λⱼ), without bound where two singular values are close. So
    the decomposition itself has no gradient here: from its vectors V one step of power iteration, V ← XᵀX V / ‖XᵀX V‖,
    leaves them as they are and has the same gradient with 1/λᵢ in that place, which is bounded.

    Args:
        teacher: two maps or more (batch, height, width, channels), a list.
        student: as many maps of the same numbers of channels, of any height and width.
        rank: number of singular vectors, from 1.

    Raises:
        InputError: the numbers of channels differ.

    >>> from distiller.objectives import singular_vectors
    >>> import numpy as np
    >>> maps = [np.random.default_rng(n).normal(size=(1, 4, 4, 3)) for n in range(2)]
    >>> print(np.asarray(singular_vectors(maps, maps)).round(6))
    [0.]
    """
    loss, before = 0.0, None
    for t, s in zip(teacher, student, strict=True):
        here = _directions(constant(t), ops.cast(s, "float32"), rank)
        if before is not None:
            taught, learned = (_radial(now, then) for now, then in zip(here, before, strict=True))
            loss += ops.sum(flat(ops.square(taught - learned)), axis=-1)
        before = here
    return loss


def _directions(teacher, student, rank: int):
    """Both networks' weighed singular vectors (batch, channels, rank), the student's put in the teacher's order."""
    same_shape(positions(teacher)[:, 0], positions(student)[:, 0], "channels (batch, channels)")
    values, taught = _decompose(_scaled(positions(teacher)), rank)
    largest = ops.take_along_axis(taught, ops.argmax(ops.abs(taught), axis=1, keepdims=True), axis=1)
    taught = taught * _sign(largest)
    matrix = _scaled(positions(student))
    _, start = _decompose(ops.stop_gradient(matrix), rank + SPARE)
    step = unit(ops.matmul(ops.transpose(matrix, (0, 2, 1)), ops.matmul(matrix, start)), axis=1)
    # The value is that of the decomposition: the step multiplies what is off in a weak vector by the strong ones.
    still = ops.stop_gradient(step)
    learned = ops.where(ops.any(still != 0, axis=1, keepdims=True), start, 0.0) + (step - still)
    cosines = ops.stop_gradient(ops.matmul(ops.transpose(learned, (0, 2, 1)), taught))
    chosen = ops.one_hot(ops.argmax(ops.abs(cosines), axis=1), cosines.shape[1], axis=1, dtype="float32")
    learned = ops.matmul(learned, chosen * _sign(cosines))
    weights = ops.expand_dims(unit(values), axis=1)
    return weights * taught, weights * learned


def _scaled(matrix):
    """The matrix over its length: the directions are the same, and products stay far from the limits of float32."""
    lengths = ops.sqrt(ops.sum(ops.square(ops.stop_gradient(matrix)), axis=(1, 2), keepdims=True))
    return matrix / ops.maximum(lengths, 1e-6)


def _decompose(matrix, rank: int):
    """The first singular values (batch, rank) and right singular vectors (batch, channels, rank)."""
    wide = matrix.shape[1] < matrix.shape[2]
    tall = ops.transpose(matrix, (0, 2, 1)) if wide else matrix
    # The eigenvectors of the small product: compiled steps take many times as long to decompose the matrix itself.
    product = ops.matmul(ops.transpose(tall, (0, 2, 1)), tall)
    # What is not a number stays with its sample, where the decomposition would stop the program.
    known = ops.all(ops.isfinite(product), axis=(1, 2), keepdims=True)
    vectors = ops.eigh(ops.where(known, product, 0.0))[1][:, :, ::-1]
    images = ops.matmul(tall, vectors)
    squares = ops.sum(ops.square(images), axis=1)
    # The product has squared what is weak out of sight. The images have not: their inner products, 0 if the vectors
    # were exact, tell how far to turn them towards each other, to first order.
    inner = ops.matmul(ops.transpose(images, (0, 2, 1)), images[:, :, :rank])
    gaps = squares[:, None, :rank] - squares[:, :, None]
    near = ops.abs(inner) < 0.1 * ops.abs(gaps)
    turn = ops.where(near, inner / ops.where(near, gaps, 1.0), 0.0)
    first = unit(vectors[:, :, :rank] + ops.matmul(vectors, turn), axis=1)
    return ops.sqrt(squares[:, :rank]), unit(ops.matmul(tall, first), axis=1) if wide else first


def _sign(values):
    return ops.where(values < 0, -1.0, 1.0)


def _radial(now, before):
    return ops.exp(-ops.square(ops.expand_dims(now, 2) - ops.expand_dims(before, 1)) / 8.0)


@keras.saving.register_keras_serializable("distiller")
class SingularVectors(AdaptedLayersObjective):
    """The class of `singular_vectors`: `teacher_layer` and `student_layer` are lists of two layers or more.

    Where the channels of a pair of layers differ, the student's pass a 1×1 convolution. Sizes may differ.
    """

    source = "Lee et al. 2018, 1807.06819"
    expected = "a list of two layers or more"

    def __init__(self, *, rank: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        if rank < 1 or int(rank) != rank:
            raise InputError(f"Invalid value for `rank`. Expected a whole number from 1. Received: rank={rank}")
        self.rank = int(rank)

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the adapters; InputError where a map has fewer singular vectors than `rank`."""
        super().build(teacher_shape, student_shape)
        for shape in (*teacher_shape, *student_shape):
            if min(math.prod(shape[1:-1]), shape[-1]) < self.rank:
                raise InputError(
                    f"Expected maps of at least rank={self.rank} positions and channels. Received: {tuple(shape)}"
                )

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return singular_vectors(*self.adapt(teacher, student), rank=self.rank)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "rank": self.rank}
