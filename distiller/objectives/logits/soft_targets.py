"""Soft targets: the student matches the teacher's softened probabilities."""

from typing import Any

import keras

from distiller.networks.scheduled import Number
from distiller.objectives.independent import Independent
from distiller.objectives.logits.checks import several_classes
from distiller.objectives.objective import kl_divergence, log_softmax


def hinton(teacher, student, temperature: float = 4.0):
    """temperature² · KL(softmax(teacher / temperature) ‖ softmax(student / temperature)), one number per sample.

    Hinton, Vinyals & Dean 2015, 1503.02531, section 2: the factor temperature² keeps the size of the gradients when
    the temperature changes. The divergence differs from their cross-entropy by the teacher's entropy, which has no
    gradient, and is 0 when the two agree. Usual weight: 0.9 beside 0.1 for the labels.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        temperature: above 0; higher ones show more of how the teacher ranks the wrong classes.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import hinton
    >>> import numpy as np
    >>> loss = hinton(np.array([[2.0, 0.0]]), np.array([[0.0, 0.0]]), temperature=1.0)
    >>> print(round(float(loss[0]), 4))
    0.3278
    """
    several_classes(teacher, student)
    return temperature**2 * kl_divergence(log_softmax(teacher, temperature), log_softmax(student, temperature))


@keras.saving.register_keras_serializable("distiller")
class Hinton(Independent):
    """The class of `hinton`; beside a binary cross-entropy it compares each label by itself: see `Independent`."""

    source = "Hinton et al. 2015, 1503.02531"

    def __init__(self, temperature: Number = 4.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)

    def compare(self, teacher, student):
        """One loss per sample, float32 (batch,)."""
        return hinton(teacher, student, self.temperature_now())
