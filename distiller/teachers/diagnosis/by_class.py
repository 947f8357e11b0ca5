"""Accuracy of a teacher by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassAccuracy:
    """`accuracy` (a fraction) on the `samples` of one class, and the class it is most often mistaken for, if any."""

    name: str
    accuracy: float
    samples: int
    mistaken_for: str | None


def by_class(logits: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> tuple[ClassAccuracy, ...]:
    """The classes that have samples, weakest first.

    Args:
        logits: (n, classes).
        labels: (n,), 0 … classes − 1.
        names: of all classes.

    >>> logits = np.eye(3)[[0, 1, 2, 2]]
    >>> for found in by_class(logits, np.array([0, 1, 1, 2]), ["ant", "bee", "cat"])[:2]:
    ...     print(found)
    ClassAccuracy(name='bee', accuracy=0.5, samples=2, mistaken_for='cat')
    ClassAccuracy(name='ant', accuracy=1.0, samples=1, mistaken_for=None)
    """
    guesses = np.argmax(logits, axis=1)
    found = [_one(code, guesses[labels == code], names) for code in np.unique(labels).tolist()]
    return tuple(sorted(found, key=lambda one: one.accuracy))


def _one(code: int, guesses: np.ndarray, names: Sequence[str]) -> ClassAccuracy:
    counts = np.bincount(guesses[guesses != code], minlength=len(names))
    return ClassAccuracy(
        name=str(names[code]),
        accuracy=float(np.mean(guesses == code)),
        samples=len(guesses),
        mistaken_for=str(names[int(counts.argmax())]) if counts.any() else None,
    )
