"""A teacher's answers to a sample as one row of numbers, whole or with the best logits alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS, in_words
from distiller.objectives.probabilities import refuse_probabilities

DTYPES = ("float16", "float32")
_CLASSES = "@classes"


def keep_top(logits: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` largest logits and one more number for all others, float64 (…, k + 1), and their classes (…, k).

    The number is the logit that each other class gets when they share evenly what probability the best leave:

        rest = log( Σ_{j not in top} exp(z_j) / (C − k) ),

    so that softmax gives the best their own probabilities, and each other class (1 − Σ_top p) / (C − k): the sparse
    soft labels of TinyViT (Wu et al. 2022, 2207.10666, section 3.1). That is exact at temperature 1. A higher
    temperature takes the others for more alike than they are.

    Args:
        logits: z, (…, C).
        k: 1 … C − 1.

    >>> keep_top(np.log([[0.5, 0.125, 0.25, 0.125]]), 1)[0].round(4)  # log 1/2 and log 1/6
    array([[-0.6931, -1.7918]])
    """
    logits = logits.astype(np.float64)
    order = np.argpartition(-logits, k - 1, axis=-1)
    classes = np.sort(order[..., :k], axis=-1)
    rest = np.logaddexp.reduce(np.take_along_axis(logits, order[..., k:], -1), axis=-1, keepdims=True)
    best = np.take_along_axis(logits, classes, -1)
    return np.concatenate([best, rest - np.log(logits.shape[-1] - k)], axis=-1), classes


def spread(kept: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """Logits (…, count) of what `keep_top` kept.

    >>> spread(np.float32([[2.0, 1.0, -1.0]]), np.array([[0, 2]]), 4)
    array([[ 2., -1.,  1., -1.]], dtype=float32)
    """
    logits = np.repeat(kept[..., -1:], count, axis=-1)
    np.put_along_axis(logits, classes.astype(np.intp), kept[..., :-1], -1)
    return logits


class Rows:
    """Answers by name to rows of a structured dtype, and back in float32.

    Args:
        shapes: of each answer to one sample.
        dtype: "float16" or "float32".
        top_k: how many logits are kept; all where None.

    Raises:
        InputError: another dtype, an impossible `top_k`, or a shape that is not fixed.
    """

    def __init__(self, shapes: Mapping[str, tuple[int | None, ...]], dtype: str, top_k: int | None):
        if dtype not in DTYPES:
            raise InputError(f"Invalid value for `dtype`. Expected one of {list(DTYPES)}. Received: dtype={dtype!r}")
        self.shapes: dict[str, tuple[int, ...]] = {}
        for name, shape in shapes.items():
            self.shapes[name] = tuple(size for size in shape if size is not None)
            if None in shape:
                raise InputError(f"Expected answers of a fixed shape. Received: {in_words(name)!r} of {(None, *shape)}")
        self.top_k = top_k
        kept = dict(self.shapes)
        if top_k is not None:
            if LOGITS not in shapes:
                raise InputError(
                    f"Expected one output where `top_k` is given. Received: {sorted(map(in_words, shapes))}"
                )
            *rows, self.classes = self.shapes[LOGITS]
            if not 1 <= top_k < self.classes:
                raise InputError(
                    f"Invalid value for `top_k`. Expected 1 to {self.classes - 1}, or None for all {self.classes} "
                    f"classes. Received: top_k={top_k}"
                )
            kept[LOGITS] = (*rows, top_k + 1)
        self._fields = {name: _ascii(name) for name in kept}
        fields: list[Any] = [(self._fields[name], dtype, shape) for name, shape in kept.items()]
        if top_k is not None:
            fields.append((_CLASSES, np.min_scalar_type(self.classes - 1), (*rows, top_k)))
        self.dtype = np.dtype(fields)

    def pack(self, answers: Mapping[str, Any]) -> np.ndarray:
        """Rows (n,) of answers (n, …).

        Raises:
            InputError: an answer is not finite, or too large for the dtype.
        """
        found: dict[str, np.ndarray] = {name: np.asarray(answers[name]).astype(np.float32) for name in self.shapes}
        rows = np.empty(len(next(iter(found.values()))), self.dtype)
        if LOGITS in found:
            refuse_probabilities(found[LOGITS], "teacher")
        if self.top_k is not None:
            found[LOGITS], rows[_CLASSES] = keep_top(found[LOGITS], self.top_k)
        for name, values in found.items():
            with np.errstate(over="ignore"):
                rows[self._fields[name]] = values
            if not np.isfinite(rows[self._fields[name]]).all():
                raise InputError(_not_finite(name, values, self.dtype[self._fields[name]].base))
        return rows

    def unpack(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Answers by name, float32 (n, …), of rows (n,)."""
        answers = {name: rows[field].astype(np.float32) for name, field in self._fields.items()}
        if self.top_k is not None:
            answers[LOGITS] = spread(answers[LOGITS], rows[_CLASSES], self.classes)
        return answers


def _ascii(name: str) -> str:
    """A name that the header of a `.npy` file can hold without a warning."""
    return name.encode("ascii", "backslashreplace").decode()


def _not_finite(name: str, values: np.ndarray, dtype: np.dtype) -> str:
    name, largest = in_words(name), np.abs(values).max()
    if np.isfinite(largest):
        return f"The teacher's answer {name!r} reaches {largest:.3g}, too large for {dtype}. Use dtype='float32'"
    return f"The teacher's answer {name!r} is not finite for some images"
