"""The ranges of activations: held still for the last part of a training."""

from typing import Any

import keras
from keras import ops

from tflite.errors import ModelError
from tflite.quantization.ranges import check_ranges, fake_quants


class FreezeRanges(keras.callbacks.Callback):
    """Holds the ranges of activations still from an epoch or a step on, so that weights settle on a grid that stays.

    Before that point the ranges follow the batches, also where an earlier training had frozen them. It works in the
    `fit` of a quantization-aware model and of a model that has one inside, such as a Distiller with its student. What
    counts is the optimiser's own count of steps, so that a training that is resumed freezes where it would have.

    Args:
        epoch: the first epoch with still ranges, counted from 0.
        step: the first step with still ranges, counted from 0; one of the two is given.

    Raises:
        ModelError: none or both are given, or a negative number; in `fit`, the model is not quantization-aware.
    """

    def __init__(self, *, epoch: int | None = None, step: int | None = None):
        super().__init__()
        if (epoch is None) == (step is None) or min(n for n in (epoch, step) if n is not None) < 0:
            raise ModelError(f"Expected one of `epoch` and `step`, at least 0. Received: epoch={epoch}, step={step}")
        self._epoch, self._from_step = epoch, step
        self._frozen: bool | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called by Keras."""
        check_ranges(self.model)
        self._frozen = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called by Keras."""
        if self._epoch is not None:
            self._set(epoch >= self._epoch)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called by Keras."""
        if self._from_step is not None:
            self._set(int(ops.convert_to_numpy(self.model.optimizer.iterations)) >= self._from_step)

    def _set(self, frozen: bool) -> None:
        if frozen is not self._frozen:
            for layer in fake_quants(self.model):
                layer.frozen.assign(float(frozen))
            self._frozen = frozen
