"""Cosine: the student's hidden representation points where the teacher's does."""

from typing import Any

import keras
from keras import ops

from distiller.objectives.adapters import AdaptedObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, unit


def cosine(teacher, student, *, pooled: bool = False):
    """1 − cosine of the angle between the representations, one number per sample in 0 … 2.

    Cosine embedding loss with target 1, as in PyTorch's tutorial on knowledge distillation ("Cosine loss minimization
    run"), where it weighs 0.25 beside 0.75 for the labels. A representation that is all zero has no direction: its loss
    is 1 and it gets no gradient.

    Args:
        teacher: features (batch, …).
        student: features of the same shape.
        pooled: average maps over their positions first, instead of flattening them.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import cosine
    >>> import numpy as np
    >>> print(np.asarray(cosine(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]]))))
    [0. 1.]
    """
    same_shape(teacher, student, "features")
    pair = [constant(teacher), ops.cast(student, "float32")]
    if pooled and len(pair[0].shape) > 2:
        pair = [ops.mean(maps, axis=tuple(range(1, len(maps.shape) - 1))) for maps in pair]
    teacher, student = (unit(flat(features)) for features in pair)
    return 1.0 - ops.sum(teacher * student, axis=-1)


@keras.saving.register_keras_serializable("distiller")
class Cosine(AdaptedObjective):
    """The class of `cosine`, for maps or vectors; an adapter is there where the shapes differ.

    The tutorial averages neighbours of the flattened teacher where the lengths differ, which mixes channels with
    positions; here the larger map is averaged down to the smaller and a linear map brings the student's channels.
    """

    source = "PyTorch tutorial on knowledge distillation"

    def __init__(self, *, pooled: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.pooled = pooled

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return cosine(*self.adapt(teacher, student), pooled=self.pooled)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "pooled": self.pooled}
