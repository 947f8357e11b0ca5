"""Correlation congruence: a Gaussian kernel gives the same values between samples in teacher and student."""

import math
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.objective import Objective, positive
from distiller.objectives.relations.vectors import compared, cosines


def correlation_congruence(teacher, student, gamma: float = 0.4, order: int = 2):
    """Mean over samples j of (K_t[i, j] − K_s[i, j])², one number per sample i.

    Peng et al. 2019, 1904.01802, section 3: for features x of length 1, the Gaussian kernel
    exp(−gamma · ‖x_i − x_j‖²) is developed to the power `order` of the inner product,

        K[i, j] = exp(−2 · gamma) · sum over p = 0 … order of (2 · gamma)^p / p! · (x_i · x_j)^p.

    The mean over samples is the paper's loss ‖K_t − K_s‖² / batch². The kernels are (batch, batch) whatever the widths
    are, so that no embedding is learned. Public experiments with this kernel weigh it by 100; the 0.02 of others
    belongs to another loss, of samples that follow each other in the batch.

    Args:
        teacher: features (batch, channels), or a map (batch, height, width, channels), which is averaged over its
            positions.
        student: the same; its number of channels may differ.
        gamma: above 0; of the Gaussian kernel.
        order: the last power kept, 1 or more.

    Raises:
        InputError: a batch known to hold one sample. Where only the step knows, its loss is 0.

    >>> from distiller.objectives import correlation_congruence
    >>> import numpy as np
    >>> loss = correlation_congruence(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [1.0]]))
    >>> print(round(float(loss[0]), 4))
    0.1266
    """
    teacher, student = compared(teacher, student)
    return ops.mean(ops.square(_kernel(teacher, gamma, order) - _kernel(student, gamma, order)), axis=-1)


def _kernel(vectors, gamma: float, order: int):
    cosine = cosines(vectors)
    # Horner's rule; the constant term drops out of the difference.
    series = ops.zeros_like(cosine)
    for power in range(order, 0, -1):
        series = (series + (2 * gamma) ** power / math.factorial(power)) * cosine
    return math.exp(-2 * gamma) * series


@keras.saving.register_keras_serializable("distiller")
class CorrelationCongruence(Objective):
    """The class of `correlation_congruence`."""

    compares = "relations"
    fewest = 2
    source = "Peng et al. 2019, 1904.01802"

    def __init__(self, *, gamma: float = 0.4, order: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.gamma = positive("gamma", gamma)
        if order < 1 or order != int(order):
            raise InputError(f"Invalid value for `order`. Expected 1, 2, … Received: order={order}")
        self.order = int(order)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return correlation_congruence(teacher, student, self.gamma, self.order)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "gamma": self.gamma, "order": self.order}
