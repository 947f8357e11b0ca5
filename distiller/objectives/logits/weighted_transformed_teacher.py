"""Weighted transformed teacher matching: samples whose soft target is smooth count more."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.scheduled import Number
from distiller.objectives.independent import Independent
from distiller.objectives.logits.transformed_teacher import ttm
from distiller.objectives.objective import log_softmax


def wttm(teacher, student, temperature: float = 10.0):
    """U(teacher) · KL(softmax(teacher / temperature) ‖ softmax(student)), one number per sample.

    Zheng & Yang 2024, 2402.11148, equation 23, with the power sum U = Σ_j p_j^γ of equation 22 for the teacher's
    probabilities p and γ = 1 / temperature. U is 1 for a teacher that is sure, whose target adds little to the label,
    and classes^(1 − γ) for one that cannot tell. Weights of 1.5 to 4 beside a labels' weight of 1 (table 8). Like
    `ttm`, it is 0 where student = teacher / temperature up to a shift.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        temperature: at least 1, of the teacher alone; at 1, U is 1.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import wttm
    >>> import numpy as np
    >>> loss = wttm(np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]]), temperature=4.0)
    >>> print(round(float(loss[0]), 4))
    0.1125
    """
    power_sum = ops.exp(ops.logsumexp(log_softmax(teacher, 1.0) / temperature, axis=-1))
    return power_sum * ttm(teacher, student, temperature)


@keras.saving.register_keras_serializable("distiller")
class WTTM(Independent):
    """The class of `wttm`; beside a binary cross-entropy it compares each label by itself: see `Independent`."""

    source = "Zheng & Yang 2024, 2402.11148"

    def __init__(self, *, temperature: Number = 10.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)

    def check_temperature(self, temperature: float) -> float:
        """The temperature, or InputError unless it is at least 1."""
        # Below 1 the power sum is larger for a sure teacher, the opposite of what it is for.
        if not 1 <= temperature < float("inf"):
            raise InputError(
                f"Invalid value for `temperature`. Expected a number ≥ 1. Received: temperature={temperature}"
            )
        return temperature

    def compare(self, teacher, student):
        """One loss per sample, float32 (batch,)."""
        return wttm(teacher, student, self.temperature_now())
