"""Probabilistic knowledge transfer: a sample's neighbours are as probable in the student as in the teacher."""

import keras
from keras import ops

from distiller.objectives.objective import Objective
from distiller.objectives.relations.vectors import compared, cosines, count, off_diagonal

# The least kernel value: opposed vectors have 0, of which there is no logarithm.
_LEAST = 1e-7


def probabilistic_transfer(teacher, student):
    """KL(p_t(· | i) ‖ p_s(· | i)) / (batch − 1), one number per sample i.

    Passalis & Tefas 2018, 1803.10837, section 3: p(j | i) = K(x_i, x_j) / sum over k ≠ i of K(x_i, x_k), the
    probability of j among the other samples, with the cosine kernel K(a, b) = (cos(a, b) + 1) / 2. The mean over
    samples is the paper's loss, with its sum over pairs divided by their number; published experiments weigh that mean
    by 30000. The authors' code also counts a sample as its own neighbour.

    Args:
        teacher: features (batch, channels), or a map (batch, height, width, channels), which is averaged over its
            positions.
        student: the same; its number of channels may differ.

    Raises:
        InputError: a batch known to hold one sample. Where only the step knows, its loss is 0.

    >>> from distiller.objectives import probabilistic_transfer
    >>> import numpy as np
    >>> teacher = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> print(round(float(probabilistic_transfer(teacher, np.ones((3, 1)))[0]), 4))
    0.0283
    """
    teacher, student = compared(teacher, student)
    others = off_diagonal(student)
    p, q = _probabilities(teacher, others), _probabilities(student, others)
    return ops.sum(others * _divergence(p, q), axis=-1) / ops.maximum(count(student) - 1, 1.0)


def _probabilities(vectors, others):
    kernel = ops.maximum((cosines(vectors) + 1) / 2, 0.0) + _LEAST
    return kernel / ops.maximum(ops.sum(kernel * others, axis=-1, keepdims=True), _LEAST)


def _divergence(p, q):
    """p · log(p / q) − p + q, whose last two terms sum to 0: it is of second order and loses nothing near p = q."""
    change = (q - p) / p
    small = ops.abs(change) < 0.5
    logarithm = ops.where(small, ops.log1p(ops.where(small, change, 0.0)), ops.log(q / p))
    return p * (change - logarithm)


@keras.saving.register_keras_serializable("distiller")
class ProbabilisticTransfer(Objective):
    """The class of `probabilistic_transfer`."""

    compares = "relations"
    fewest = 2
    source = "Passalis & Tefas 2018, 1803.10837"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return probabilistic_transfer(teacher, student)
