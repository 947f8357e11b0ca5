"""Neuron selectivity transfer: the student's channels are distributed over the image as the teacher's are."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.adapters import FeatureObjective
from distiller.objectives.maps import positions, same_size, unit
from distiller.objectives.shapes import check_pair, describe


def neuron_selectivity(teacher, student, *, degree: int = 2, offset: float = 0.0):
    """Squared maximum mean discrepancy of the channels, each a pattern over the positions; one number per sample.

    Huang & Wang 2017, 1707.01219, the MMD loss: mean k(t, t′) + mean k(s, s′) − 2 · mean k(t, s) over the channels t of
    the teacher and s of the student, each divided by its length, with the polynomial kernel k(x, y) = (xᵀy +
    offset)^degree and their degree 2, offset 0. Their weight is 50. A channel that is all zero stays so.

    Args:
        teacher: maps (batch, height, width, channels).
        student: maps of any number of channels; the larger map is averaged down to the smaller.
        degree: of the kernel, a whole number from 1.
        offset: of the kernel, from 0.

    >>> from distiller.objectives import neuron_selectivity
    >>> import numpy as np
    >>> maps = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> print(abs(np.asarray(neuron_selectivity(maps, maps)).round(6)))
    [0.]
    """
    teacher, student = (unit(positions(maps), axis=1) for maps in same_size(teacher, student))

    def kernel(x, y):
        inner = ops.matmul(ops.transpose(x, (0, 2, 1)), y)
        return ops.mean((inner + offset) ** degree, axis=(1, 2))

    return kernel(teacher, teacher) + kernel(student, student) - 2.0 * kernel(teacher, student)


@keras.saving.register_keras_serializable("distiller")
class NeuronSelectivity(FeatureObjective):
    """The class of `neuron_selectivity`; channels need not agree, so nothing is trained beside the student."""

    source = "Huang & Wang 2017, 1707.01219"

    def __init__(self, *, degree: int = 2, offset: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        if degree < 1 or int(degree) != degree:
            raise InputError(f"Invalid value for `degree`. Expected a whole number from 1. Received: degree={degree}")
        if not 0 <= offset < float("inf"):
            raise InputError(f"Invalid value for `offset`. Expected a number from 0. Received: offset={offset}")
        self.degree = int(degree)
        self.offset = offset

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Check the shapes: InputError unless both are maps of as many axes."""
        self.adapter = describe(*check_pair(teacher_shape, student_shape, maps_only=True))

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return neuron_selectivity(teacher, student, degree=self.degree, offset=self.offset)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "degree": self.degree, "offset": self.offset}
