"""DIST: the student keeps the teacher's relations between classes and between samples, not its exact values."""

from typing import Any

import keras
from keras import ops

from distiller.networks.scheduled import Number
from distiller.objectives.logits.checks import not_negative, several_classes
from distiller.objectives.logits.z_score import z_score
from distiller.objectives.objective import log_softmax
from distiller.objectives.softened import Softened


def dist(teacher, student, beta: float = 2.0, gamma: float = 2.0, temperature: float = 4.0):
    """temperature² · (beta · inter + gamma · intra), one number per sample, whose mean is the paper's loss.

    Huang et al. 2022, 2205.10536: with P and Q the softened probabilities (batch, classes) of teacher and student,

        L_inter = mean over rows i of 1 − Pearson(P_i, Q_i),    L_intra = mean over columns j of 1 − Pearson(P_j, Q_j).

    A column's correlation belongs to a batch, and the loss of a sample is its share of it. From 1 − Pearson(a, b) =
    ½ · mean((z(a) − z(b))²), with z the z-score, both terms of sample i are a mean over classes,

        inter_i = ½ · mean over j of (z_row(P) − z_row(Q))²_ij,    intra_i = the same with z_column.

    Each is at least 0, is 0 when the two agree, and averages to L_inter and L_intra exactly. Where P or Q is constant
    Pearson's coefficient is undefined; here its z-scores are 0, the term 0 if both are and ½ if one is. So a batch of
    one has no intra term. The factor temperature² is that of the authors' code, not of the paper; beta and gamma are 1
    there, and the sum has a weight of its own.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        beta: weight of the rows, at least 0.
        gamma: weight of the columns, at least 0.
        temperature: above 0; the authors use 4 for CIFAR-100 and 1 for ImageNet.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import dist
    >>> import numpy as np
    >>> logits = np.log([[0.6, 0.3, 0.1], [0.2, 0.1, 0.7]]), np.log([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]])
    >>> print(np.round(dist(*logits, temperature=1.0), 4))
    [1.339  3.2509]
    """
    several_classes(teacher, student)
    log_p, log_q = log_softmax(teacher, temperature), log_softmax(student, temperature)
    terms = [weight * _disagreement(log_p, log_q, axis) for weight, axis in ((beta, -1), (gamma, 0))]
    return temperature**2 * (terms[0] + terms[1])


def _disagreement(log_p, log_q, axis: int):
    """½ · mean over classes of the squared difference of z-scores along `axis`, shape (batch,)."""
    return 0.5 * ops.mean(ops.square(_standardized(log_p, axis) - _standardized(log_q, axis)), axis=-1)


def _standardized(log_p, axis: int):
    # Z-scores do not change with the scale, so each row or column may have its largest entry at 1. A class that is
    # improbable in the whole batch would otherwise vanish below float32's smallest number, and its column with it.
    # One that is ruled out in all of it, by logits of −inf, is a column of zeros.
    largest = ops.stop_gradient(ops.max(log_p, axis=axis, keepdims=True))
    return z_score(ops.exp(log_p - ops.where(largest > -float("inf"), largest, ops.zeros_like(largest))), axis)


@keras.saving.register_keras_serializable("distiller")
class Dist(Softened):
    """The class of `dist`."""

    source = "Huang et al. 2022, 2205.10536"
    softmax = True
    across = True

    def __init__(self, *, beta: float = 2.0, gamma: float = 2.0, temperature: Number = 4.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)
        self.beta = not_negative("beta", beta)
        self.gamma = not_negative("gamma", gamma)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return dist(teacher, student, self.beta, self.gamma, self.temperature_now())

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "beta": self.beta, "gamma": self.gamma}
