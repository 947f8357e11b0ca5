"""Cross-entropy with smoothed labels that are given as integers, which Keras has for one-hot labels alone."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("distiller")
class SmoothedCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy of logits with (1 − ε) · one-hot + ε / K, where a label is an integer and K counts the classes.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", section 7.

    Args:
        smoothing: ε, in [0, 1).
        options: those of `keras.losses.Loss`.
    """

    def __init__(self, smoothing: float, **options: Any):
        super().__init__(**{"from_logits": True, "name": "smoothed_crossentropy", **options})
        self.smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One loss per sample, shape (batch,), from labels (batch,) or (batch, 1) and logits (batch, K)."""
        uniform = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
        return (1 - self.smoothing) * super().call(y_true, y_pred) + self.smoothing * uniform

    def get_config(self) -> dict[str, Any]:
        """As Keras saves it."""
        return {"name": self.name, "reduction": self.reduction, "smoothing": self.smoothing}
