"""Logit regression: the student's logits themselves become the teacher's."""

import keras
from keras import ops

from distiller.objectives.logits.checks import same_shape
from distiller.objectives.objective import Objective


def mean_squared_logits(teacher, student):
    """mean over classes of (student − teacher)², one number per sample.

    Ba & Caruana 2014, 1312.6184, equation 1, regress on logits so that no probability near 0 or 1 hides what the
    teacher knows; Kim et al. 2021, 2105.08919, find it better than the divergence at any temperature. Ba and
    Caruana take half the sum over classes, Kim et al. the sum; the mean here lets a weight carry over from 10 classes
    to 100. Unlike probabilities, logits count their common shift too.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import mean_squared_logits
    >>> import numpy as np
    >>> loss = mean_squared_logits(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0]]))
    >>> print(float(loss[0]))
    2.5
    """
    same_shape(teacher, student, "logits")
    return ops.mean(ops.square(ops.cast(student, "float32") - ops.cast(teacher, "float32")), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class MeanSquaredLogits(Objective):
    """The class of `mean_squared_logits`."""

    source = "Ba & Caruana 2014, 1312.6184; Kim et al. 2021, 2105.08919"

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return mean_squared_logits(teacher, student)
