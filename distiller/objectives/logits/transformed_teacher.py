"""Transformed teacher matching: only the teacher is softened, and the student itself learns to be less sure."""

from typing import Any

import keras

from distiller.networks.scheduled import Number
from distiller.objectives.independent import Independent
from distiller.objectives.logits.checks import several_classes
from distiller.objectives.objective import kl_divergence, log_softmax


def ttm(teacher, student, temperature: float = 10.0):
    """KL(softmax(teacher / temperature) ‖ softmax(student)), one number per sample.

    Zheng & Yang 2024, 2402.11148, equation 2. Softening is the power transform p^γ / Σ p^γ of the teacher's
    probabilities with γ = 1 / temperature (equations 7 and 9). Against classic distillation the loss has a Rényi
    entropy of the student as regularizer (equation 15). It is 0 where student = teacher / temperature up to a shift,
    not where the two agree. There is no factor temperature²: the student's gradient does not shrink. The authors tune
    γ for each pair of networks, most often 0.1, with weights of 7 to 101 beside a labels' weight of 1 (table 8).

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        temperature: above 0, of the teacher alone.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import ttm
    >>> import numpy as np
    >>> loss = ttm(np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]]), temperature=4.0)
    >>> print(round(float(loss[0]), 4))
    0.0826
    """
    several_classes(teacher, student)
    return kl_divergence(log_softmax(teacher, temperature), log_softmax(student, 1.0))


@keras.saving.register_keras_serializable("distiller")
class TTM(Independent):
    """The class of `ttm`; beside a binary cross-entropy it compares each label by itself: see `Independent`."""

    source = "Zheng & Yang 2024, 2402.11148"

    def __init__(self, *, temperature: Number = 10.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)

    def compare(self, teacher, student):
        """One loss per sample, float32 (batch,)."""
        return ttm(teacher, student, self.temperature_now())
