"""Factor transfer: a translator brings the student's maps to the direction of the teacher's factor."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.adapters import BatchNorm, FeatureObjective, convolution
from distiller.objectives.logits.checks import same_shape
from distiller.objectives.maps import constant, flat, same_size, unit
from distiller.objectives.shapes import check_pair, check_shape, convolution_words, describe


def factor_transfer(teacher, student):
    """Mean over elements of |teacher/‖teacher‖ − student/‖student‖|, one number per sample.

    Kim, Park & Kwak 2018, 1802.04977, the factor transfer loss with p = 1. The mean in place of the sum
    is the authors' code's, and goes with their weight of 500. The 200 of other experiments belongs to factors of
    squares, averaged over the channels.

    Args:
        teacher: factor (batch, …).
        student: factor of the same shape.

    Raises:
        InputError: their shapes differ.

    >>> from distiller.objectives import factor_transfer
    >>> import numpy as np
    >>> print(np.asarray(factor_transfer(np.array([[3.0, 4.0]]), np.array([[0.0, 1.0]]))).round(4))
    [0.4]
    """
    same_shape(teacher, student, "factors")
    return ops.mean(ops.abs(unit(flat(constant(teacher))) - unit(flat(ops.cast(student, "float32")))), axis=-1)


@keras.saving.register_keras_serializable("distiller")
class FactorTransfer(FeatureObjective):
    """The class of `factor_transfer` on maps (batch, height, width, channels), with the student's translator.

    The translator is always there: three 3×3 convolutions with batch normalization and leaky ReLU (slope 0.1);
    the authors' code has biases in place of the normalization.

    Args:
        paraphraser: network, already trained, from the teacher's map to its factor: in the paper the encoder of an
            auto-encoder of three convolutions and half the channels. It is frozen and saved with the objective. With
            None the teacher's map is its own factor: normalized, not paraphrased.
    """

    source = "Kim et al. 2018, 1802.04977"

    def __init__(self, *, paraphraser: keras.layers.Layer | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if paraphraser is not None and not isinstance(paraphraser, keras.layers.Layer):
            raise InputError(f"Expected `paraphraser` to be a Keras layer, model or None. Received: {paraphraser!r}")
        self.paraphraser = paraphraser
        if paraphraser is not None:
            paraphraser.trainable = False

    def build(self, teacher_shape, student_shape, labels_shape=None):
        """Make the translator; InputError unless both shapes, and that of the factor, are of maps."""
        teacher, student = check_pair(teacher_shape, student_shape, maps_only=True)
        if self.paraphraser is not None:
            factor = self.paraphraser.compute_output_shape(teacher)
            teacher = check_shape("paraphraser", factor, maps_only=True)
        self.translator = []
        shape, policy = student, self.dtype_policy
        for channels in (student[-1], teacher[-1], teacher[-1]):
            for layer in (
                convolution(shape, channels, dtype=policy),
                BatchNorm(dtype=policy),
                keras.layers.LeakyReLU(0.1, dtype=policy),
            ):
                layer.build(shape)
                shape = (*shape[:-1], channels)
                self.translator.append(layer)
        self.adapter = describe(teacher, student, layer=f"translator of three {convolution_words(3, student)}s")

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        if self.paraphraser is not None:
            teacher = self.paraphraser(teacher, training=False)
        teacher, student = same_size(teacher, student)
        for layer in self.translator:
            student = layer(student)
        return factor_transfer(teacher, student)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        paraphraser = self.paraphraser and keras.saving.serialize_keras_object(self.paraphraser)
        return {**super().get_config(), "paraphraser": paraphraser}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FactorTransfer":
        """The objective of that configuration."""
        paraphraser = config.get("paraphraser")
        return cls(**{**config, "paraphraser": paraphraser and keras.saving.deserialize_keras_object(paraphraser)})
