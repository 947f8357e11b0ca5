"""Checkpoints from which a killed training continues."""

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.networks.internals import start_fit_at
from distiller.networks.saving import weights_of
from distiller.utils.atomic_files import sweep, write_whole

_NAME = "epoch-{:06d}.weights.h5"


class EpochCheckpoint(keras.callbacks.Callback):
    """Keeps what a training has changed after each epoch, and goes on from there when `fit` is called again.

    That is weights, the optimiser's state, and the states of random generators, as those of dropout.

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
        sweep(self.folder)
        points = self._points()
        if not points:
            return
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(points[-1])
        if (random := _random_of(points[-1])).exists():
            with np.load(random) as states:
                for i, variable in enumerate(self._generators()):
                    variable.assign(states[f"arr_{i}"])
        start_fit_at(self.model, int(points[-1].name.removesuffix(".weights.h5").removeprefix("epoch-")))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._points()
        point = self.folder / _NAME.format(epoch + 1)
        states = [keras.ops.convert_to_numpy(variable) for variable in self._generators()]
        if states:
            write_whole(_random_of(point), _packed(states))  # before the weights, with which a point is whole
        write_whole(point, weights_of(self.model))
        for old in before:
            old.unlink()
            _random_of(old).unlink(missing_ok=True)

    def _generators(self) -> list[keras.Variable]:
        """The states of the model's random generators, which Keras does not count among the weights."""
        others = {id(variable) for variable in (*self.model.weights, *self.model.metrics_variables)}
        return [variable for variable in self.model.variables if id(variable) not in others]

    def _points(self) -> list[Path]:
        return sorted(self.folder.glob(_NAME.format(0).replace("000000", "*")))


def _random_of(point: Path) -> Path:
    return point.with_name(point.name.replace(".weights.h5", ".random.npz"))


def _packed(arrays: list[np.ndarray]) -> memoryview:
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getbuffer()
