"""Variational information distillation: the student's features tell as much as they can about the teacher's."""

import math
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.adapters import AdaptedObjective, linear_words
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat
from distiller.objectives.objective import positive
from distiller.objectives.shapes import check_pair, describe


def variational_information(teacher, mean, variance):
    """Mean over positions and channels of ½ · ((teacher − mean)² / variance + log variance), one number per sample.

    Ahn et al. 2019, 1904.05835, the Gaussian bound: the negative logarithm of a normal density, without its constant,
    whose mean is predicted from the student and whose variance is learned a channel. They sum; the mean is their
    code's and goes with the usual weight of 1. The loss can be negative.

    Args:
        teacher: features (batch, …, channels).
        mean: of the same shape.
        variance: (channels,), above 0.

    Raises:
        InputError: the shapes of teacher and mean differ.

    >>> from distiller.objectives import variational_information
    >>> import numpy as np
    >>> loss = variational_information(np.array([[3.0]]), np.array([[1.0]]), np.array([1.0]))
    >>> print(np.asarray(loss))
    [2.]
    """
    same_shape(teacher, mean, "features")
    variance = ops.cast(variance, "float32")
    error = ops.square(constant(teacher) - ops.cast(mean, "float32"))
    return ops.mean(flat(0.5 * (error / variance + ops.log(variance))), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class VariationalInformation(AdaptedObjective):
    """The class of `variational_information`, for maps or vectors.

    The mean is predicted, whatever the shapes, by three 1×1 convolutions without bias (three linear layers on
    vectors) of the teacher's number of channels with ReLU between them; the variance is softplus(scale) + epsilon.
    """

    source = "Ahn et al. 2019, 1904.05835"
    bias = False

    def __init__(self, *, initial_variance: float = 5.0, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial_variance = positive("initial_variance", initial_variance)
        self.epsilon = positive("epsilon", epsilon)
        if initial_variance <= epsilon:
            raise InputError(
                "Invalid value for `initial_variance`. Expected a number above `epsilon`. "
                f"Received: initial_variance={initial_variance}, epsilon={epsilon}"
            )

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the regressor and the variance; InputError unless the shapes are of two maps or two vectors."""
        teacher, student = check_pair(teacher_shape, student_shape)
        hidden = (*student[:-1], teacher[-1])
        relu = keras.layers.ReLU(dtype=self.dtype_policy)
        first, second, third = (self.connect(shape, teacher[-1]) for shape in (student, hidden, hidden))
        self.connector = [*first, relu, *second, relu, *third]
        # The inverse of softplus, without the overflow of exp.
        start = self.initial_variance - self.epsilon
        start += math.log(-math.expm1(-start))
        self.scale = self.add_weight(name="scale", shape=teacher[-1:], initializer=keras.initializers.Constant(start))
        self.adapter = describe(teacher, student, layer=f"regressor of three {linear_words(student)}s")

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        taught, mean = self.adapt(teacher, student)
        return variational_information(taught, mean, ops.softplus(self.scale) + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "initial_variance": self.initial_variance, "epsilon": self.epsilon}
