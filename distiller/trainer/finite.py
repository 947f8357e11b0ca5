"""A training that is no longer one of numbers ends with an error."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError, WorkError

WAY_OUT = "Try a smaller learning rate or weight"


class Finite(keras.callbacks.Callback):
    """Raises WorkError where an epoch's loss or the trained weights are no finite numbers, and InputError without data.

    It looks at what Keras has at the end of an epoch anyway: no step is waited for.

    Args:
        terms: names of the numbers that are looked at, where an epoch reports them.
    """

    def __init__(self, terms: Iterable[str]):
        super().__init__()
        self.terms = tuple(terms)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        if "loss" not in (logs or {}):
            raise InputError("Expected data of one batch or more. Received: none")
        wrong = [name for name in self.terms if name in (logs or {}) and not np.isfinite(float(logs[name]))]
        if wrong:
            names = ", ".join(repr(name) for name in wrong if name != "loss") or repr("loss")
            raise WorkError(f"In epoch {epoch + 1} {names} became no finite number. {WAY_OUT}")

    def on_train_end(self, logs: Any = None) -> None:
        """Called by Keras: the last step has changed the weights after its loss was counted."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        for variable in self.model.trainable_variables:
            if not np.isfinite(keras.ops.convert_to_numpy(variable).astype("float64")).all():
                raise WorkError(f"The training left weights that are no finite numbers ({variable.path}). {WAY_OUT}")


def check_some(x: Any) -> None:
    """Raise InputError where inputs are arrays without a sample; datasets are asked when they are read."""
    for part in keras.tree.flatten(x):
        if hasattr(part, "shape") and not hasattr(part, "element_spec") and len(part.shape) and part.shape[0] == 0:
            raise InputError(f"Expected one sample or more. Received: none, an array of shape {tuple(part.shape)}")
