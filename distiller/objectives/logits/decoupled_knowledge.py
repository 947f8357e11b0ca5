"""Decoupled distillation: the target class and the ranking of the others, each with its own weight."""

from typing import Any

import keras
from keras import ops

from distiller.networks.scheduled import Number
from distiller.objectives.logits.checks import not_negative, several_classes
from distiller.objectives.logits.targets import NOWHERE, all_targets
from distiller.objectives.objective import kl_divergence, log_softmax
from distiller.objectives.softened import Softened


def decoupled(teacher, student, labels=None, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0):
    """temperature² · (alpha · TCKD + beta · NCKD), one number per sample.

    Zhao et al. 2022, 2203.08679, equation 7. With p and q the softened probabilities of teacher and student, TCKD is
    the divergence of (p_target, 1 − p_target) from (q_target, 1 − q_target), and NCKD that of the other classes'
    probabilities, renormalized to sum to 1. Classic distillation is TCKD + (1 − p_target) · NCKD (equation 6), which
    forgets the other classes just where the teacher is sure. The authors train with a linear warm-up over 20 epochs:
    give the Distiller a schedule as weight.

    Which class is the target: the label. Of soft labels, every class above 1 / classes: a smoothed label then has one
    target, a mixed image (mixup, CutMix) two, and TCKD compares (p_a, p_b, 1 − p_a − p_b). Where the label names none
    (−1 for an unlabelled sample, uniform labels, or no labels), the teacher's most likely class, so that unlabelled
    samples keep the same two terms on the same scale. With two classes nothing is left to rank and NCKD is 0.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        labels: classes (batch,), −1 for unlabelled, or probabilities (batch, classes), or None.
        alpha: weight of TCKD, at least 0.
        beta: weight of NCKD, at least 0; the authors take 2 to 8 on CIFAR-100, by the pair of networks.
        temperature: above 0.

    Raises:
        InputError: the shapes of the logits differ, they have one class, or the labels do not fit.

    >>> from distiller.objectives import decoupled
    >>> import numpy as np
    >>> logits = np.array([[3.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    >>> print(round(float(decoupled(*logits, np.array([0]), temperature=1.0)[0]), 4))
    1.0536
    """
    several_classes(teacher, student)
    log_p, log_q = log_softmax(teacher, temperature), log_softmax(student, temperature)
    target = all_targets(labels, log_p)
    between, among = (_split(log_p, target), _split(log_q, target)), (_others(log_p, target), _others(log_q, target))
    return temperature**2 * (alpha * kl_divergence(*between) + beta * kl_divergence(*among))


def _split(log_p, target):
    """Log-probabilities of each target and, last, of all other classes together: (batch, classes + 1)."""
    rest = ops.logsumexp(ops.where(target, NOWHERE, log_p), axis=-1, keepdims=True)
    return ops.concatenate([ops.where(target, log_p, NOWHERE), rest], axis=-1)


def _others(log_p, target):
    """Log-probabilities of the other classes among themselves."""
    # Left out before the exp: after it, a sure teacher leaves 0 / 0.
    return ops.log_softmax(ops.where(target, NOWHERE, log_p), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class Decoupled(Softened):
    """The class of `decoupled`."""

    source = "Zhao et al. 2022, 2203.08679"
    softmax = True

    def __init__(self, *, alpha: float = 1.0, beta: float = 8.0, temperature: Number = 4.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)
        self.alpha = not_negative("alpha", alpha)
        self.beta = not_negative("beta", beta)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return decoupled(teacher, student, labels, self.alpha, self.beta, self.temperature_now())

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}
