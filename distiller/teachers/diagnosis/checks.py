"""Checks of what a diagnosis needs: images with labels of two classes or more."""

from collections.abc import Sequence

import numpy as np

from distiller.data.splits import UNLABELLED, Split
from distiller.errors import InputError


def as_split(data: Split | tuple[np.ndarray, np.ndarray]) -> Split:
    """Images and labels, checked for their shapes.

    Raises:
        InputError: not images (n, height, width, channels) with integer labels (n,), or fewer than two.
    """
    if not isinstance(data, Split):
        try:
            images, labels = (np.asarray(part) for part in data)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"Expected a `Split` or a pair (images, labels). Received: {type(data).__name__}"
            ) from error
        data = Split(images, labels)
    if data.labels.ndim != 1 or not np.issubdtype(data.labels.dtype, np.integer):
        raise InputError(
            f"Expected integer labels (n,). Received: {data.labels.dtype} of shape {tuple(data.labels.shape)}"
        )
    if len(data) < 2:
        raise InputError(f"Expected two samples or more. Received: {len(data)}")
    return data


def check_labels(labels: np.ndarray, classes: int) -> None:
    """Raise InputError unless labels are −1 … classes − 1 and two classes or more have samples."""
    wrong = labels[(labels < UNLABELLED) | (labels >= classes)]
    if len(wrong):
        raise InputError(f"Expected labels from −1 to {classes - 1}. Received: {wrong[0]}")
    if len(np.unique(labels[labels != UNLABELLED])) < 2:
        raise InputError(
            "Expected labelled samples of two classes or more. "
            f"Received: {np.sum(labels != UNLABELLED)} labelled samples of one class or none"
        )


def check_names(names: Sequence[str] | None, classes: int) -> list[str]:
    """The names of the classes; their numbers where there are none.

    Raises:
        InputError: fewer than two classes, or another number of names.
    """
    if classes < 2:
        raise InputError(f"Expected a teacher of two classes or more. Received: {classes}")
    if names is not None and len(names) != classes:
        raise InputError(f"Expected the names of the teacher's {classes} classes. Received: {len(names)} names")
    return [str(code) for code in range(classes)] if names is None else list(names)
