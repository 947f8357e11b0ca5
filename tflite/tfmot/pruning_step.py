"""The callback of a training with pruning."""

from typing import Any

import keras

from tflite.errors import ModelError
from tflite.tfmot.network import networks
from tflite.tfmot.pruning import Pruned, wrappers


class PruningStep(keras.callbacks.Callback):
    """Says at which step of its schedule pruning is, and puts the masks on at the end of each epoch.

    Masks are put on before each step; without this callback the weights that a checkpoint saves have moved by one
    step since. The pruned model is the one that is trained, or any part of it, as the student of a Distiller is.

    Args:
        step: step of the schedule that the training starts at; None goes on from where the model is.
    """

    def __init__(self, step: int | None = None):
        super().__init__()
        if step is not None and step < 0:
            raise ModelError(f"Invalid value for `step`. Expected at least 0. Received: step={step}")
        self.step = step

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the pruned layers, and set the step."""
        found = [layer for layer in networks(self.model) if isinstance(layer.method, Pruned)]
        if not found:
            raise ModelError(f"Expected a model of tflite.prune. Received: {self.model.name!r} without a pruned layer")
        self.pruned = [wrapper for layer in found for wrapper in wrappers(layer.network)]
        for wrapper in self.pruned if self.step is not None else ():
            wrapper.pruning_step.assign(self.step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Put the masks on."""
        for wrapper in self.pruned:
            wrapper.pruning_obj.weight_mask_op()
