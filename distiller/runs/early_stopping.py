"""A training that ends when the validation split no longer gets better."""

import csv
from pathlib import Path
from typing import Any

import keras

from distiller.networks.internals import start_fit_at
from distiller.networks.saving import weights_of
from distiller.recipes.training import EarlyStopping
from distiller.utils.atomic_files import write_whole


class StopEarly(keras.callbacks.Callback):
    """Ends `fit` after `patience` epochs that were no better than the best, and gives the model the best one's weights.

    As `keras.callbacks.EarlyStopping`, which forgets at an interruption what was best: here the epochs are read off the
    training's log, and the best weights are kept in a file until the end.

    Args:
        plan: metric of the validation split and patience.
        log: `metrics.csv` of the training, with a row per epoch; written before this callback is called.
        folder: where the best weights are kept.
        epochs: of the whole training.
    """

    def __init__(self, plan: EarlyStopping, log: Path, folder: Path, epochs: int):
        super().__init__()
        self.plan, self.log, self.epochs = plan, log, epochs
        self._best = folder / "best.weights.h5"

    def best_row(self) -> int | None:
        """Index of the best epoch of the log, the first of several; None before the first."""
        values = self._values()
        if not values:
            return None
        return values.index(min(values) if self.plan.lower_is_better else max(values))

    def on_train_begin(self, logs: Any = None) -> None:
        """Called by Keras."""
        if self._is_over():  # it was interrupted after its last epoch
            start_fit_at(self.model, self.epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        if self.best_row() == epoch:
            self._best.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._best, weights_of(self.model))
        if self._is_over():
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        """Called by Keras."""
        if self._best.exists():
            self.model.load_weights(self._best)
            if getattr(self.model.optimizer, "use_ema", False):  # `fit` took the average of the last epoch before
                self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def _is_over(self) -> bool:
        best = self.best_row()
        return best is not None and len(self._values()) - 1 - best >= self.plan.patience

    def _values(self) -> list[float]:
        if not self.log.exists():
            return []
        with self.log.open(newline="") as file:
            return [float(row[self.plan.metric]) for row in csv.DictReader(file)]
