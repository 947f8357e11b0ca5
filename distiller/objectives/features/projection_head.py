"""Projector: a linear map and batch normalization on features, and the logarithm of a sum of powers."""

from typing import Any

import keras
from keras import ops

from distiller.objectives.adapters import AdaptedObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, standardize
from distiller.objectives.objective import positive


def projector(teacher, student, *, power: float = 4.0, epsilon: float = 1e-4):
    """log Σ |N(teacher) − N(student)|^power over the batch, positions and channels, shared out over the samples.

    Miles & Mikolajczyk 2023, 2303.11098: N is batch normalization without scale and offset, and the student's features
    have passed the linear projector. The logarithm is of the whole batch. It is replaced by its tangent at the present
    sum S: sample i gets log S − 1 + batch · Sᵢ / S with S constant, where Sᵢ is its part of S. The mean over the batch
    has the value and the gradient of log S, and a sample of weight 0 counts nothing. The authors weigh it by 2, beside
    a divergence of the logits at temperature 1 and the labels.

    Args:
        teacher: features (batch, …, channels).
        student: features of the same shape.
        power: above 0; the paper's 4, more where the teacher is much larger.
        epsilon: added to the variances.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import projector
    >>> import numpy as np
    >>> loss = projector(np.array([[1.0], [-1.0]]), np.array([[-1.0], [1.0]]), epsilon=1e-9)
    >>> print(np.asarray(loss).round(4), np.log(32).round(4))
    [3.4657 3.4657] 3.4657
    """
    same_shape(teacher, student, "features")
    difference = standardize(constant(teacher), epsilon) - standardize(ops.cast(student, "float32"), epsilon)
    parts = ops.sum(flat(_power(difference, power)), axis=-1)
    # Not below the smallest number whose reciprocal is finite: the sum is 0 where the two agree.
    total = ops.stop_gradient(ops.maximum(ops.sum(parts), 1e-30))
    share = parts / total
    count = ops.sum(ops.ones_like(parts))
    return ops.log(total) - ops.stop_gradient(ops.sum(share)) + count * share


def _power(difference, power: float):
    """|difference|^power, whose gradient at 0 is 0 for every power."""
    size = ops.abs(difference)
    other = size > 1e-12
    return ops.where(other, ops.where(other, size, 1.0) ** power, 0.0)


@keras.saving.register_keras_serializable("distiller")
class Projector(AdaptedObjective):
    """The class of `projector`, for vectors, as in the paper, or maps. The linear projector is always there.

    It has no bias, which the batch normalization would take away. Where teacher and student agree the logarithm goes
    to −∞; it stops at log 1e-30, about −69.
    """

    source = "Miles & Mikolajczyk 2023, 2303.11098"
    always = True
    bias = False
    across = True
    fewest = 2

    def __init__(self, *, power: float = 4.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.power = positive("power", power)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return projector(*self.adapt(teacher, student), power=self.power)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "power": self.power}
