"""Refined logits: what the teacher is wrong about is taken out of its answer by the label."""

from typing import Any

import keras
from keras import ops

from distiller.networks.scheduled import Number
from distiller.objectives.logits.checks import not_negative, several_classes
from distiller.objectives.logits.targets import NOWHERE, likeliest, one_target
from distiller.objectives.objective import kl_divergence, log_softmax
from distiller.objectives.softened import Softened


def refined(teacher, student, labels=None, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0):
    """temperature² · (alpha · SCD + beta · MCD), one number per sample.

    Sun et al. 2024, 2408.07703, equations 4 to 10. With p and q the softened probabilities of teacher and student,
    sample confidence distillation (SCD) is the divergence of (max p, 1 − max p) from (q_label, 1 − q_label): the
    student learns how sure the teacher is, of the class that is right. Masked correlation distillation (MCD) is that of
    the probabilities of the classes below the label in the teacher's ranking, renormalized to sum to 1: the label, and
    every class that the teacher puts level with it or above, are left out. Where the teacher is right the two are the
    terms of `decoupled`; where it is wrong, nothing teaches its mistake. The authors add a labels' loss of weight 1 and
    a linear warm-up over 20 epochs: give the Distiller a schedule as weight. Their code softens SCD by a temperature of
    its own; this function has one for both terms.

    Which class is the label: that of the sample; of soft labels the most probable. Where none is named (−1 for an
    unlabelled sample, uniform labels, or no labels) it is the teacher's most likely class, and nothing is corrected.
    Where the teacher puts the label last, no class is left and MCD is 0.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        labels: classes (batch,), −1 for unlabelled, or probabilities (batch, classes), or None.
        alpha: weight of SCD, at least 0.
        beta: weight of MCD, at least 0.
        temperature: above 0.

    Raises:
        InputError: the shapes of the logits differ, they have one class, or the labels do not fit.

    >>> from distiller.objectives import refined
    >>> import numpy as np
    >>> logits = np.array([[3.0, 2.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 0.0]])
    >>> print(round(float(refined(*logits, np.array([1]), temperature=1.0)[0]), 4))
    1.4276
    """
    several_classes(teacher, student)
    log_p, log_q = log_softmax(teacher, temperature), log_softmax(student, temperature)
    label = one_target(labels, log_p)
    confidence = kl_divergence(_sure(log_p, likeliest(log_p)), _sure(log_q, label))
    scores = ops.cast(teacher, "float32")
    of_label = ops.max(ops.where(label, scores, -float("inf")), axis=-1, keepdims=True)
    misleading = scores >= of_label
    correlation = kl_divergence(_below(log_p, misleading), _below(log_q, misleading))
    return temperature**2 * (alpha * confidence + beta * correlation)


def _sure(log_p, target):
    """Log-probabilities of one class and of all others together, (batch, 2)."""
    parts = (ops.where(target, log_p, NOWHERE), ops.where(target, NOWHERE, log_p))
    return ops.concatenate([ops.logsumexp(part, axis=-1, keepdims=True) for part in parts], axis=-1)


def _below(log_p, misleading):
    """Log-probabilities of the classes that are not left out, among themselves."""
    # Left out before the exp: after it, a sure teacher leaves 0 / 0.
    return ops.log_softmax(ops.where(misleading, NOWHERE, log_p), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class Refined(Softened):
    """The class of `refined`."""

    source = "Sun et al. 2024, 2408.07703"
    softmax = True

    def __init__(self, *, alpha: float = 1.0, beta: float = 8.0, temperature: Number = 4.0, **kwargs: Any):
        super().__init__(temperature=temperature, **kwargs)
        self.alpha = not_negative("alpha", alpha)
        self.beta = not_negative("beta", beta)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return refined(teacher, student, labels, self.alpha, self.beta, self.temperature_now())

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}
