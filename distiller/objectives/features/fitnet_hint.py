"""Hint: a regressor predicts the teacher's features from the student's."""

import keras
from keras import ops

from distiller.objectives.adapters import AdaptedObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat


def hint(teacher, student):
    """Mean over positions and channels of (teacher − student)², one number per sample.

    Romero et al. 2015, 1412.6550, equation 3, where the student's features have passed the regressor. They take half
    the sum and train with it alone at first; the mean is what the usual weight of 100 beside the labels goes with, and
    does not grow with the size of the maps.

    Args:
        teacher: features (batch, …).
        student: features of the same shape.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import hint
    >>> import numpy as np
    >>> print(np.asarray(hint(np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]]))))
    [2.]
    """
    same_shape(teacher, student, "features")
    return ops.mean(ops.square(flat(constant(teacher) - ops.cast(student, "float32"))), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class Hint(AdaptedObjective):
    """The class of `hint`, for maps (batch, h, w, channels) or vectors (batch, channels) of any two sizes.

    The regressor, linear in the channels (a 1×1 convolution on maps), is always there, as in the paper, so the loss
    is not 0 where teacher and student agree; the experiments with the usual weight have batch normalization and ReLU
    behind a wider convolution. The larger map is averaged down to the smaller.
    """

    source = "Romero et al. 2015, 1412.6550"
    always = True

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return hint(*self.adapt(teacher, student))
