"""Overhaul of feature distillation: only what the teacher's activation lets through, and the side it falls on."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.errors import InputError
from distiller.objectives.adapters import AdaptedObjective
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat


def overhaul(teacher, student, *, margin=None):
    """Sum of (max(teacher, margin) − student)² where student > max(teacher, margin) or teacher > 0; a sample.

    Heo et al. 2019, 1904.01866: the margin ReLU and the partial L2 distance, which leaves out what is negative in the
    teacher and even lower in the student. The sum goes with the authors' weight of 0.001 at the last layer and half as
    much at each one before. They normalize the teacher by the batch too; here it answers as always.

    Args:
        teacher: features (batch, …, channels) before the activation.
        student: features of the same shape, before the activation.
        margin: at most 0, a number or one a channel; None takes each channel's mean of negative values in the batch.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import overhaul
    >>> import numpy as np
    >>> print(np.asarray(overhaul(np.array([[2.0, -3.0, -3.0]]), np.array([[1.0, 0.0, -4.0]]), margin=-1.0)))
    [2.]
    """
    same_shape(teacher, student, "features")
    teacher, student = constant(teacher), ops.cast(student, "float32")
    margin = mean_of_negatives(teacher) if margin is None else ops.cast(margin, "float32")
    target = ops.maximum(teacher, margin)
    counts = ops.logical_or(student > target, target > 0)
    return ops.sum(flat(ops.where(counts, ops.square(target - student), 0.0)), axis=-1)


def mean_of_negatives(features):
    """Each channel's mean over its negative values, (channels,); 0 where it has none."""
    negative = ops.cast(features < 0, "float32")
    axes = list(range(len(features.shape) - 1))
    return ops.sum(negative * features, axis=axes) / ops.maximum(ops.sum(negative, axis=axes), 1.0)


def margin_of(layer: keras.layers.BatchNormalization) -> list[float]:
    """The margin of each channel behind a batch normalization: the mean of the negative half of N(offset, scale²).

    1904.01866: offset − scale · φ(z) / Φ(−z) with z = offset / scale; −3 · scale where less than a
    thousandth is negative, as in the authors' code.

    Raises:
        InputError: `layer` is not a built BatchNormalization.
    """
    if not isinstance(layer, keras.layers.BatchNormalization) or not layer.built:
        raise InputError(f"Expected a built BatchNormalization layer. Received: {layer!r}")
    ones = np.ones(layer.moving_mean.shape)
    scales = abs(ops.convert_to_numpy(layer.gamma)) if layer.scale else ones
    offsets = ops.convert_to_numpy(layer.beta) if layer.center else 0.0 * ones
    return [_negative_mean(float(o), max(float(s), 1e-12)) for o, s in zip(offsets, scales, strict=True)]


def _negative_mean(offset: float, scale: float) -> float:
    z = offset / scale
    share = 0.5 * math.erfc(z / math.sqrt(2))
    if share < 1e-3:
        return -3.0 * scale
    return offset - scale * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / share


@keras.saving.register_keras_serializable("distiller")
class Overhaul(AdaptedObjective):
    """The class of `overhaul`, for maps or vectors tapped before their activation.

    Args:
        margin: at most 0, a number or one a channel of the teacher, for example
            `margin_of(teacher.get_layer("batch_norm"))`; None estimates it from each batch.

    The student's channels always pass a 1×1 convolution with batch normalization, as in the paper.
    """

    source = "Heo et al. 2019, 1904.01866"
    always = True
    bias = False
    batch_norm = True

    def __init__(self, *, margin: float | Sequence[float] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        # Numbers of Python, which the configuration can hold.
        self.margin = None if margin is None else np.asarray(margin, "float64").tolist()
        if margin is not None and not (np.ndim(margin) < 2 and np.isfinite(margin).all() and np.max(margin) <= 0):
            raise InputError(f"Invalid value for `margin`. Expected numbers up to 0. Received: margin={margin}")

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the adapter; InputError where the shapes or the number of margins do not fit."""
        super().build(teacher_shape, student_shape)
        if isinstance(self.margin, list) and len(self.margin) != teacher_shape[-1]:
            raise InputError(
                f"Expected one margin for each of the teacher's {teacher_shape[-1]} channels. "
                f"Received: {len(self.margin)}"
            )

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return overhaul(*self.adapt(teacher, student), margin=self.margin)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "margin": self.margin}
