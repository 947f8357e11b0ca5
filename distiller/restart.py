"""Where a training goes on after it was killed."""

from pathlib import Path
from typing import Any

import keras

_NAME = "epoch-{:06d}.weights.h5"


class RestartPoint(keras.callbacks.Callback):
    """Keeps weights and the optimiser's state after each epoch, and goes on from there when `fit` is called again.

    As `keras.callbacks.BackupAndRestore`, whose file a kill while it is written leaves torn, or with another epoch's
    number beside it: here the epoch is part of the file's name, and a file has that name when it is whole.

    Args:
        folder: of the file; made where it is not there.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras."""
        points = self._points()
        if not points:
            return
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(points[-1])
        # As Keras's own callback tells `fit` where to go on.
        self.model._initial_epoch = int(points[-1].name.removesuffix(".weights.h5").removeprefix("epoch-"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._points()
        scratch = self.folder / "unfinished.weights.h5"
        self.model.save_weights(scratch, overwrite=True)
        scratch.replace(self.folder / _NAME.format(epoch + 1))
        for point in before:
            point.unlink()

    def _points(self) -> list[Path]:
        return sorted(self.folder.glob(_NAME.format(0).replace("000000", "*")))
