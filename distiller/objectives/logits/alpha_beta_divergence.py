"""α-β-divergence: a family of divergences with forward and reverse Kullback-Leibler at its corners."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.networks.scheduled import Number
from distiller.objectives.logits.checks import not_negative, several_classes
from distiller.objectives.objective import log_softmax
from distiller.objectives.softened import Softened


def alpha_beta(teacher, student, alpha: float = 0.8, beta: float = 0.3, temperature: float = 4.0):
    """The α-β-divergence of the softened probabilities of teacher and student, one number per sample.

    Wang et al. 2025, 2505.04560, after Cichocki et al. 2011: with p and q the softened probabilities,
    D = −1/(αβ) · Σ_j [ p^α q^β − α/(α+β) · p^(α+β) − β/(α+β) · q^(α+β) ], and its limits where one of the two is 0.
    (1, 0) is the divergence of `hinton`, (0, 1) the reverse one. A smaller α puts more weight on classes where the two
    are far apart, a larger β more on those that the student is sure of. There is no factor temperature²: the authors
    have none, and for ResNet-56 → ResNet-20 on CIFAR-100 they take α = 0.8, α + β = 1.1, temperature 4 and a weight of
    32 beside the labels.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        alpha: at least 0.
        beta: at least 0; one of the two is above 0. With alpha 0, a class that the teacher rules out by a logit of −inf
            costs infinitely much.
        temperature: above 0.

    Raises:
        InputError: their shapes differ, they have one class, or alpha and beta are both 0.

    >>> from distiller.objectives import alpha_beta
    >>> import numpy as np
    >>> loss = alpha_beta(np.log([[0.64, 0.36]]), np.log([[0.36, 0.64]]), alpha=0.5, beta=0.5, temperature=1.0)
    >>> print(round(float(loss[0]), 4))
    0.16
    """
    several_classes(teacher, student)
    _check_exponents(alpha, beta)
    log_p, log_q = log_softmax(teacher, temperature), log_softmax(student, temperature)
    if alpha == 0:
        return _limit(log_q, log_p, beta)
    if beta == 0:
        return _limit(log_p, log_q, alpha)
    total = alpha + beta
    # As exponentials of logarithms: a power of a probability of 0 has no gradient.
    both = ops.sum(ops.exp(alpha * log_p + beta * log_q), axis=-1)
    each = alpha * ops.sum(ops.exp(total * log_p), axis=-1) + beta * ops.sum(ops.exp(total * log_q), axis=-1)
    return (each / total - both) / (alpha * beta)


def _limit(log_p, log_q, power: float):
    """1/power² · Σ_j [ p^power · log(p^power / q^power) − p^power + q^power ]: where the other exponent is 0."""
    p, q = ops.exp(power * log_p), ops.exp(power * log_q)
    # Replaced before the difference: 0 · −inf is NaN, and so is its gradient.
    counted = p > 0
    above, below = (ops.where(counted, log, ops.zeros_like(log)) for log in (log_p, log_q))
    return ops.sum(power * p * (above - below) - p + q, axis=-1) / power**2


def _check_exponents(alpha: float, beta: float) -> None:
    if not_negative("alpha", alpha) + not_negative("beta", beta) == 0:
        raise InputError("Expected alpha or beta above 0. Received: alpha=0, beta=0")


@keras.saving.register_keras_serializable("distiller")
class AlphaBeta(Softened):
    """The class of `alpha_beta`."""

    source = "Wang et al. 2025, 2505.04560"
    softmax = True

    def __init__(self, *, alpha: float = 0.8, beta: float = 0.3, temperature: Number = 4.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)
        _check_exponents(alpha, beta)
        self.alpha, self.beta = alpha, beta

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return alpha_beta(teacher, student, self.alpha, self.beta, self.temperature_now())

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}
