"""Attention transfer: the student looks where the teacher looks."""

import keras
from keras import ops

from distiller.objectives.adapters import FeatureObjective
from distiller.objectives.maps import flat, same_size, unit
from distiller.objectives.shapes import check_pair, describe


def attention(teacher, student):
    """Mean over positions of (Q_teacher/‖Q_teacher‖ − Q_student/‖Q_student‖)², one number per sample.

    Zagoruyko & Komodakis 2017, 1612.03928, equation 2, with the attention map Q = Σ_channels features², F²_sum of
    their section 3.1. The mean of squares in place of the norm is their code's, and goes with the usual weight of
    1000. A map that is all zero has an attention map of zeros.

    Args:
        teacher: maps (batch, height, width, channels).
        student: maps of any number of channels; the larger map is averaged down to the smaller.

    >>> from distiller.objectives import attention
    >>> import numpy as np
    >>> maps = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> print(np.asarray(attention(maps, 3 * maps)).round(6))
    [0.]
    """
    maps = (unit(flat(ops.sum(ops.square(features), axis=-1))) for features in same_size(teacher, student))
    return ops.mean(ops.square(next(maps) - next(maps)), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class Attention(FeatureObjective):
    """The class of `attention`; channels need not agree, so nothing is trained beside the student."""

    source = "Zagoruyko & Komodakis 2017, 1612.03928"

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Check the shapes: InputError unless both are maps of as many axes."""
        self.adapter = describe(*check_pair(teacher_shape, student_shape, maps_only=True))

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return attention(teacher, student)
