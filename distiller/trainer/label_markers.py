"""Markers of unknown labels: −1 where a class would be, NaN where a number would be."""

from typing import Any

import keras
from keras import ops

from distiller.trainer.loss_kinds import Kind


def known(labels: Any, kind: Kind | None, like: Any) -> Any:
    """1 for each row whose label is known, else 0; float32, or None where these labels cannot be marked.

    A row is what one number of the loss is about. It is known if nothing in it is marked.

    Args:
        labels: (batch, …).
        kind: of the loss that they are for; None if that takes numbers.
        like: something of the shape of the loss, (batch, …), or as far as labels are one a position. The answer has
            the leading axes that the two share, and ones for the other axes of `like`.
    """
    marked = _marked(labels, kind)
    if marked is None:
        return None
    shared = leading(labels.shape, like.shape)
    per_row = ops.logical_not(ops.any(marked, axis=tuple(range(shared, len(marked.shape)))))
    return spread(ops.cast(per_row, "float32"), len(like.shape))


def without_marks(labels: Any, kind: Kind | None) -> Any:
    """Labels with 0 in place of a mark, for losses that need a class or a number."""
    marked = _marked(labels, kind)
    return labels if marked is None else ops.where(marked, ops.zeros_like(labels), labels)


def leading(one: tuple[Any, ...], other: tuple[Any, ...]) -> int:
    """Number of leading sizes that two shapes share; a size that is not known may be any.

    >>> leading((8, 5, 3), (8, 5)), leading((8, 20), (8, 5, 3)), leading((None, 4), (8, 4))
    (2, 1, 2)
    """
    shared = 0
    for a, b in zip(one, other, strict=False):
        if isinstance(a, int) and isinstance(b, int) and a != b:
            break
        shared += 1
    return shared


def spread(values: Any, rank: int) -> Any:
    """Values (batch, …) with axes of one at their end, so that they are of that rank; or as they are."""
    missing = rank - len(values.shape)
    return ops.reshape(values, (*ops.shape(values), *([1] * missing))) if missing > 0 else values


def _marked(labels: Any, kind: Kind | None) -> Any:
    """Mask of the entries that are markers, or None where none can be."""
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if kind is None:
        return ops.isnan(labels) if "float" in dtype else None
    return None if dtype == "bool" or dtype.startswith("uint") else ops.less(labels, 0)
