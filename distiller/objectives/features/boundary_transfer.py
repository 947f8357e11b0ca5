"""Activation boundaries: the student's neurons are on or off where the teacher's are."""

from typing import Any

import keras
from keras import ops

from distiller.objectives.adapters import AdaptedObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat
from distiller.objectives.objective import positive


def activation_boundaries(teacher, student, *, margin: float = 1.0):
    """Sum of on · relu(margin − student)² + (1 − on) · relu(margin + student)², with on = [teacher > 0]; a sample.

    Heo et al. 2019, 1811.03233, the alternative, differentiable loss. The sum is over positions and channels. The
    authors train with it alone at first, weighed by 0.003 at the last layer and half as much at each one before, and
    without it afterwards. It is 0 where every neuron of the student is on the teacher's side by the margin or
    more.

    Args:
        teacher: features (batch, …) before the activation.
        student: features of the same shape, before the activation.
        margin: above 0.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import activation_boundaries
    >>> import numpy as np
    >>> print(np.asarray(activation_boundaries(np.array([[5.0, -5.0]]), np.array([[1.0, 1.0]]))))
    [4.]
    """
    same_shape(teacher, student, "features")
    student = ops.cast(student, "float32")
    side = ops.where(constant(teacher) > 0, 1.0, -1.0)
    return ops.sum(ops.square(ops.relu(flat(margin - side * student))), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class ActivationBoundaries(AdaptedObjective):
    """The class of `activation_boundaries`, for maps or vectors tapped before their activation.

    Where the channels differ, the student's pass a 1×1 convolution with batch normalization, as in the authors' code.
    """

    source = "Heo et al. 2019, 1811.03233"
    bias = False
    batch_norm = True

    def __init__(self, *, margin: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.margin = positive("margin", margin)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return activation_boundaries(*self.adapt(teacher, student), margin=self.margin)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "margin": self.margin}
