"""Losses of `keras.distillation`, for who comes from there."""

from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.objective import Objective


@keras.saving.register_keras_serializable("distiller")
class FromKeras(Objective):
    """A `keras.distillation` loss as an objective, as it is: with its own softmax, temperature and reduction.

    Keras's `LogitsDistillation` compares raw logits and leaves temperature² out unless its `loss` does better; `Hinton`
    is the loss of the paper. The one number that Keras reduces to is given to every sample: its mean is that number.
    For a `FeatureDistillation` the taps name the layers; its own layer names are not read.

    Args:
        loss: a `keras.distillation.DistillationLoss`.
    """

    compares = "logits"
    source = "keras.distillation"
    across = True  # Keras's mean is over all of a batch

    def __init__(self, loss: Any, **kwargs: Any):
        super().__init__(**kwargs)
        loss = keras.saving.deserialize_keras_object(loss) if isinstance(loss, dict) else loss
        if not isinstance(loss, keras.distillation.DistillationLoss):
            raise InputError(f"Expected a loss of keras.distillation. Received: {type(loss).__name__}")
        self.loss = loss
        self.softmax = isinstance(loss, keras.distillation.LogitsDistillation)

    def call(self, teacher, student, labels=None):
        """The loss of the batch for each of its samples, float32 (batch,)."""
        first = keras.tree.flatten(student)[0]
        loss = ops.mean(ops.cast(self.loss.compute_loss(teacher, student), "float32"))
        return ops.broadcast_to(loss, (ops.shape(first)[0],))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}
