"""Checks of labels that can be looked at before a training."""

from typing import Any

import keras
import numpy as np

from distiller.errors import InputError
from distiller.trainer.label_markers import leading
from distiller.trainer.loss_kinds import Kind
from distiller.trainer.targets import Targets


def check_labels(name: str, targets: Targets, shape: tuple[Any, ...], kind: Kind | None) -> None:
    """Raise InputError unless the labels of an output of that shape are what a loss of that kind takes.

    Of a loss of no kind, which takes numbers, any finite number is one, and a row of NaN is unlabelled.
    """
    if (given := targets.of(name)) is None:
        return
    labels = keras.ops.convert_to_numpy(given)
    where = f"Labels of {name!r}" if isinstance(targets.labels, dict) else "Labels"
    if not labels.size or labels.dtype.kind in "OSU":
        return
    if kind is None:
        _check_numbers(where, labels.astype("float64"), shape)
        return
    if not np.isfinite(labels.astype("float64")).all():
        raise InputError(f"{where} hold NaN or infinity. Expected numbers, or −1 for unlabelled")
    if kind.labels == "classes":
        _check_classes(where, labels, shape[-1])
    else:
        _check_shares(where, labels, kind)


def _check_numbers(where: str, labels: np.ndarray, shape: tuple[Any, ...]) -> None:
    if np.isinf(labels).any():
        raise InputError(f"{where} hold infinity. Expected numbers, or NaN for unlabelled")
    unknown = np.isnan(labels).reshape(*labels.shape[: leading(labels.shape, shape[:-1])], -1)
    if (unknown.any(axis=-1) & ~unknown.all(axis=-1)).any():
        raise InputError(f"{where} hold NaN in a part of a row. Expected numbers, or NaN throughout for unlabelled")


def _check_classes(where: str, labels: np.ndarray, classes: int | None) -> None:
    whole = labels == np.floor(labels) if labels.dtype.kind == "f" else np.ones_like(labels, bool)
    if not whole.all():
        raise InputError(
            f"{where} are no whole numbers. Expected classes, or −1 for unlabelled. Received: {labels[~whole][0]}"
        )
    if classes is not None and not -1 <= labels.min() <= labels.max() < classes:
        raise InputError(
            f"{where} are out of range. Expected classes 0 … {classes - 1}, or −1 for unlabelled. "
            f"Received: {labels.min()} … {labels.max()}"
        )


def _check_shares(where: str, labels: np.ndarray, kind: Kind) -> None:
    rows = labels.reshape(-1, labels.shape[-1] if labels.ndim > 1 else 1)
    negative = (rows < 0).any(axis=-1) & ~(rows == -1).all(axis=-1)
    if negative.any():
        raise InputError(
            f"{where} hold negative numbers. Expected shares of classes, or −1 throughout for unlabelled. "
            f"Received: {rows[negative][0].min()}"
        )
    if kind.labels == "binary" and rows.max() > 1:
        raise InputError(
            f"{where} are out of range. Expected 0 to 1 of each independent label, or −1 throughout for unlabelled. "
            f"Received: {rows.max()}"
        )
