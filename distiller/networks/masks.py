"""Masks of sequences, as an output of a network."""

from typing import Any

import keras
from keras import ops

# Not the name that a layer can have.
MASK = "@mask"


class MaskOf(keras.layers.Layer):
    """The mask of its input (batch, …, features), as (batch, …) of float32; `masked` says whether there is one."""

    masked = False

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """1 where a position is shown, 0 where it is hidden."""
        self.masked = self.masked or mask is not None
        return ops.ones(ops.shape(inputs)[:-1]) if mask is None else ops.cast(mask, "float32")


def hides(tensor: keras.KerasTensor) -> bool:
    """True where a mask hides positions of a symbolic tensor (batch, …, features)."""
    mask_of = MaskOf()
    mask_of(tensor)
    return mask_of.masked


def with_mask(answers: dict[str, Any], logits: str, mask_of: MaskOf | None = None) -> dict[str, Any]:
    """The answers and, where a mask reaches those of the name `logits`, that mask as `MASK`."""
    mask_of = mask_of or MaskOf()
    mask = mask_of(answers[logits])
    return {**answers, MASK: mask} if mask_of.masked else answers
