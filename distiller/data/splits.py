"""Labelled images in memory, and how they are divided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from distiller.errors import InputError
from distiller.nearest import unknown

UNLABELLED = -1


@dataclass(frozen=True)
class Split:
    """Images, uint8 (n, height, width, channels), and labels, int32 (n,); −1 marks an unlabelled image."""

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or len(self.images) != len(self.labels):
            raise InputError(
                "Expected images of shape (n, height, width, channels) and as many labels. "
                f"Received: images {self.images.shape}, labels {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, count: int) -> "Split":
        """`count` of the samples at the most, from all over the split: a folder's come class after class."""
        most = min(count, len(self))
        return self.take(np.arange(most) * len(self) // max(most, 1))

    def take(self, indices: np.ndarray) -> "Split":
        """The samples at `indices`, in that order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """Three splits of one kind of images, with the names of their classes.

    `validation` is held out of the training images and serves every choice; `test` is read once, at the end.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def only(self, classes: Sequence[str]) -> "Dataset":
        """The data set of some classes, relabelled 0, 1, … in the given order.

        Images without a label may be of any class, and are left out.

        Raises:
            InputError: fewer than two classes, one named twice, or an unknown name; the message has the nearest.
        """
        wanted = [str(name) for name in classes]
        for name in wanted:
            if name not in self.classes:
                raise InputError(unknown("class", name, self.classes))
        if len(wanted) < 2 or len(set(wanted)) < len(wanted):
            raise InputError(f"Expected two or more different classes. Received: {wanted}")
        codes = np.full(len(self.classes), UNLABELLED, "int32")
        codes[[self.classes.index(name) for name in wanted]] = np.arange(len(wanted))

        def pick(split: Split) -> Split:
            labels = np.where(split.labels == UNLABELLED, UNLABELLED, codes[split.labels])
            kept = labels != UNLABELLED
            return Split(split.images[kept], labels[kept])

        return replace(
            self,
            train=pick(self.train),
            validation=pick(self.validation),
            test=pick(self.test),
            classes=tuple(wanted),
        )


def hold_out(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """What remains and what is held out: `share` of each class, chosen by `seed`."""
    if not 0 < share < 1:
        raise InputError(f"Invalid value for `share`. Expected a number between 0 and 1. Received: share={share}")
    held = _stratified(split.labels, lambda n: max(1, round(share * n)), seed)
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


def hide_labels(
    split: Split,
    seed: int,
    *,
    fraction: float | None = None,
    per_class: int | None = None,
    drop: bool = False,
) -> Split:
    """Keep the labels of a `fraction` of each class, or of `per_class` images of each, and hide the others.

    Hidden labels become −1; with `drop` their images go too. The labels that stay depend on `seed` alone.
    """
    if (fraction is None) == (per_class is None):
        raise InputError(
            f"Expected one of `fraction` and `per_class`. Received: fraction={fraction}, per_class={per_class}"
        )
    if fraction is not None and not 0 < fraction <= 1:
        raise InputError(f"Invalid value for `fraction`. Expected 0 < fraction ≤ 1. Received: fraction={fraction}")
    if per_class is not None and per_class < 1:
        raise InputError(f"Invalid value for `per_class`. Expected at least 1. Received: per_class={per_class}")
    kept = _stratified(split.labels, lambda n: per_class or max(1, round((fraction or 0) * n)), seed)
    if drop:
        return split.take(np.flatnonzero(kept))
    return Split(split.images, np.where(kept, split.labels, UNLABELLED).astype("int32"))


def _stratified(labels: np.ndarray, count, seed: int) -> np.ndarray:
    """A mask that picks `count(n)` of the n samples of each class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels[labels != UNLABELLED]):
        members = order[labels[order] == label]
        mask[members[: count(len(members))]] = True
    return mask
