"""What trainings are given, recorded in place of them: the recipe's way to a training costs no training."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass
class Given:
    """The arguments of one `keras.Model.fit`: the model, compiled, its batches, held-out batches and the rest.

    `before` are the weights of the network that is trained, as the training finds them.
    """

    model: Any
    batches: Any
    held_out: Any
    options: dict[str, Any]
    before: list[np.ndarray]

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.options["epochs"] * self.batches.num_batches

    def at(self, step: int) -> "Given":
        """This training, its optimiser at a step."""
        optimizer = self.model.optimizer
        getattr(optimizer, "inner_optimizer", optimizer).iterations.assign(step)
        return self

    @property
    def rate(self) -> float:
        """The learning rate of the optimiser as it is now."""
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def weight(self, name: str) -> float:
        """The weight of a term of the loss as it is now."""
        return float(keras.ops.convert_to_numpy(self.model.term_weights[name].now()))


def record(monkeypatch, then: Callable[[Given], None] | None = None) -> dict[str, Given]:
    """Record every training by the name of its stage, from now on, in place of it; its log has invented numbers.

    `then` is called with each, and may change the model.
    """
    recorded: dict[str, Given] = {}

    def fit(model, x=None, y=None, *, callbacks, validation_data, **options):
        (log,) = (each for each in callbacks if hasattr(each, "rows"))
        before = getattr(model, "student", model).get_weights()
        recorded[log.path.parent.name] = Given(model, x, validation_data, {**options, "callbacks": callbacks}, before)
        if then:
            then(recorded[log.path.parent.name])
        for epoch in range(options["epochs"]):
            log.on_epoch_begin(epoch)
            log.on_epoch_end(epoch, {"loss": 1.0, "val_accuracy": 0.5 + epoch / 8})

    monkeypatch.setattr(keras.Model, "fit", fit)
    return recorded


def curve(peak: float, warmup: int, steps: int) -> np.ndarray:
    """A learning rate at steps 0 … `steps`: a line from a 25th of the peak to it, and half a cosine to zero."""
    step = np.arange(steps + 1)
    line = peak / 25 + (peak - peak / 25) * step / max(warmup, 1)
    cosine = peak * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup))) / 2
    return np.where(step < warmup, line, cosine)
