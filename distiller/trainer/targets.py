"""Labels, ids and sample weights of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.trainer.label_markers import spread
from distiller.utils.suggestions import unknown

LABELS = "labels"


class Targets:
    """Labels, and where given the samples' weights, ids and what their teacher says of them; unknown ones: `marks`.

    Args:
        y: labels; or a dict of "labels" and, where there are any, "ids" (batch,) for objectives that remember samples
            and "taught", the stored outputs of the teacher by name.
        weights: of the samples, (batch,), or of the positions of a sequence or a grid, (batch, …); or a dict of them by
            output, where one that is not named has 1; or None. Keras gives every part of a structured `y` its copy.
        copied: whether weights by output are such copies.
        outputs: names of the outputs, to which a list of weights belongs.

    Raises:
        InputError: the dict has another key, or weights are of an output that there is not.
    """

    def __init__(self, y: Any, weights: Any = None, *, copied: bool = False, outputs: Sequence[str] = ()):
        given = dict(y) if isinstance(y, Mapping) and LABELS in y else {LABELS: y}
        self.labels = given.pop(LABELS)
        self.ids = given.pop("ids", None)
        self.teacher_outputs: Mapping[str, Any] | None = given.pop("taught", None)
        if given:
            raise InputError(unknown("part of the targets", next(iter(given)), (LABELS, "ids", "taught")))
        if isinstance(weights, Mapping) and LABELS in weights:
            weights = weights[LABELS]
        if copied:
            weights = keras.tree.flatten(weights)[0]
        if isinstance(weights, list | tuple) and len(weights) == len(outputs):
            weights = dict(zip(outputs, weights, strict=True))
        if isinstance(weights, list | tuple) or (isinstance(weights, Mapping) and len(outputs) < 2):
            by = f", or weights by output: {list(outputs)}" if len(outputs) > 1 else ""
            raise InputError(
                f"Expected one weight per sample{by}. Received: a {type(weights).__name__} of {len(weights)} weights"
            )
        if isinstance(weights, Mapping) and (other := [name for name in weights if name not in outputs]):
            raise InputError(unknown("output with weights", other[0], outputs))
        self.weights = weights

    def of(self, output: str | None) -> Any:
        """The labels of an output; None for something that has no labels of its own."""
        if not isinstance(self.labels, Mapping):
            return self.labels
        return self.labels.get(output)

    def weights_of(self, output: str | None) -> Any:
        """The weights of what an output answers; those of all samples for something that is no output."""
        if not isinstance(self.weights, Mapping):
            return self.weights
        return self.weights.get(output)

    def weights_like(self, output: str, like: Any) -> Any:
        """The weights of an output as float32, of the rank of a loss (batch, …); None where all are 1.

        Raises:
            InputError: weights of positions, and a loss that has one number for all of them.
        """
        if (weights := self.weights_of(output)) is None:
            return None
        weights = ops.cast(weights, "float32")
        while len(weights.shape) > len(like.shape) and weights.shape[-1] == 1:  # Keras makes (batch, 1) of some
            weights = ops.squeeze(weights, axis=-1)
        if len(weights.shape) > len(like.shape):
            raise InputError(
                f"Expected one weight for each number of the loss, shape {tuple(like.shape)}. "
                f"Received: weights of shape {tuple(weights.shape)}"
            )
        if len(weights.shape) == 2 and weights.shape[1] == 1:
            weights = ops.reshape(weights, (-1,))
        return spread(weights, len(like.shape))


def rows(logits: Any, *, mask: Any = None, weights: Any = None) -> Any:
    """Weight of each row of logits (batch, …, classes): mask · weight, float32 (batch, …), or None for all 1."""
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


def over(total: Any, count: Any) -> Any:
    """A total divided by a count; 0 where nothing was counted."""
    return total / ops.where(count > 0, count, ops.ones_like(count))
