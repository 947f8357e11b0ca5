"""What a batch says of its samples, and how much each counts."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.nearest import unknown

LABELS = "labels"


class Targets:
    """Labels, −1 where unknown; and where given the samples' weights, ids and what their teacher says of them.

    Args:
        y: labels; or a dict of "labels" and, where there are any, "ids" (batch,) for objectives that remember samples
            and "taught", the stored outputs of the teacher by name.
        weights: of the samples, (batch,), or of the positions of a sequence, (batch, positions); or None. Keras gives
            every part of a structured `y` its copy of them.
        copied: whether weights by output are such copies.

    Raises:
        InputError: the dict has another key, or weights differ between outputs.
    """

    def __init__(self, y: Any, weights: Any = None, *, copied: bool = False):
        given = dict(y) if isinstance(y, Mapping) and LABELS in y else {LABELS: y}
        self.labels = given.pop(LABELS)
        self.ids = given.pop("ids", None)
        self.taught: Mapping[str, Any] | None = given.pop("taught", None)
        if given:
            raise InputError(unknown("part of the targets", next(iter(given)), (LABELS, "ids", "taught")))
        if isinstance(weights, Mapping) and LABELS in weights:
            weights = weights[LABELS]
        if copied:
            weights = keras.tree.flatten(weights)[0]
        if isinstance(weights, Mapping | list | tuple):
            raise InputError("Expected one weight a sample for all outputs. Received: weights by output")
        self.weights = weights

    def of(self, output: str | None) -> Any:
        """The labels of an output; None for something that has no labels of its own."""
        if not isinstance(self.labels, Mapping):
            return self.labels
        return self.labels.get(output)


def rows(logits, *, mask=None, weights=None):
    """How much each row of logits (batch, …, classes) counts: mask · weight, float32 (batch, …), or None for all 1."""
    factors = []
    if mask is not None:
        factors.append(ops.cast(mask, "float32"))
    if weights is not None:
        weights = ops.cast(weights, "float32")
        if len(weights.shape) == 2 and len(logits.shape) == 2:  # Keras makes (batch, 1) of some weights
            weights = ops.reshape(weights, (-1,))
        missing = len(logits.shape) - 1 - len(weights.shape)
        weights = ops.reshape(weights, (*ops.shape(weights), *([1] * missing)))
        factors.append(weights * ops.ones(ops.shape(logits)[:-1]) if missing else weights)
    if not factors:
        return None
    return factors[0] * factors[1] if len(factors) == 2 else factors[0]


def known(labels, like):
    """1 where labels are known and 0 where they are −1, float32 of the shape of `like`, one loss a row."""
    answer = ops.cast(ops.greater_equal(labels, 0), "float32")
    return ops.min(ops.reshape(answer, (*ops.shape(like), -1)), axis=-1)


def over(total, count):
    """A total divided by a count; 0 where nothing was counted."""
    return total / ops.where(count > 0, count, ops.ones_like(count))


def without_marks(labels):
    """Labels with 0 in place of −1, for losses that need a class."""
    return ops.maximum(labels, ops.zeros_like(labels))
