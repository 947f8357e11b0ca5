"""Multi-level distillation: predictions agree sample by sample, across the batch and across classes."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.logits.checks import several_classes
from distiller.objectives.logits.soft_targets import hinton
from distiller.objectives.objective import Objective, log_softmax, positive

TEMPERATURES = (2.0, 3.0, 4.0, 5.0, 6.0)


def multi_level(teacher, student, temperatures: Sequence[float] = TEMPERATURES):
    """Sum over temperatures of instance + batch + class level, one number per sample, whose mean is the paper's loss.

    Jin, Wang & Lin, Multi-level logit distillation, CVPR 2023, section 3. With P and Q (batch, classes) the
    probabilities of teacher and student softened by one of the temperatures,

        L_instance = mean over samples of temperature² · KL(P_i ‖ Q_i)    each prediction,
        L_batch = ‖P Pᵀ − Q Qᵀ‖² / batch                                 which samples are alike,
        L_class = ‖Pᵀ P − Qᵀ Q‖² / classes                               which classes go together.

    The share of a sample in L_batch is the squared norm of its row. L_class is one statement about the batch, and each
    sample carries all of it; since Pᵀ P sums over samples, it grows with the batch, as published. The authors show a
    weakly and a strongly augmented view of each image; here the Distiller gives the one that the batch holds. Beside
    0.1 for the labels of each view, their code comes to weights of about 1.35 for the instances, over both views, and
    of 0.45 for the batch and the classes, of the weak one.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        temperatures: each above 0.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import multi_level
    >>> import numpy as np
    >>> logits = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> print(np.round(multi_level(*logits, temperatures=[1.0]), 4))
    [0.1447 0.044 ]
    """
    several_classes(teacher, student)
    levels = [_levels(teacher, student, temperature) for temperature in temperatures]
    return ops.sum(ops.stack(levels), axis=0)


def _levels(teacher, student, temperature: float):
    p, q = ops.exp(log_softmax(teacher, temperature)), ops.exp(log_softmax(student, temperature))
    between_samples = ops.matmul(p, ops.transpose(p)) - ops.matmul(q, ops.transpose(q))
    between_classes = ops.matmul(ops.transpose(p), p) - ops.matmul(ops.transpose(q), q)
    per_class = ops.mean(ops.sum(ops.square(between_classes), axis=-1))
    # No mask of confident samples. The public code has one of the teacher's less confident half, but multiplies it
    # onto losses already averaged over the batch, so it only scales them by the share of samples that it keeps.
    # A mask of samples belongs on a loss per sample: here that is the Distiller's sample_weight.
    return hinton(teacher, student, temperature) + ops.sum(ops.square(between_samples), axis=-1) + per_class


@keras.saving.register_keras_serializable("distiller")
class MultiLevel(Objective):
    """The class of `multi_level`."""

    source = "Jin et al. 2023, CVPR"
    softmax = True
    across = True

    def __init__(self, *, temperatures: Sequence[float] = TEMPERATURES, **kwargs: Any):
        super().__init__(**kwargs)
        given: Any = temperatures
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            raise InputError(f"Expected `temperatures`, at least one positive number. Received: {temperatures!r}")
        self.temperatures = tuple(positive("temperatures", temperature) for temperature in temperatures)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return multi_level(teacher, student, self.temperatures)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "temperatures": list(self.temperatures)}
