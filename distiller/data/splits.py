"""Labelled images, and how they are divided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from distiller.data.mapped import chosen
from distiller.errors import InputError
from distiller.utils.suggestions import unknown

UNLABELLED = -1


@dataclass(frozen=True)
class Split:
    """Images, uint8 (n, height, width, channels), and labels, int32 (n,); −1 marks an unlabelled image.

    Of other tasks labels are float32 (n, labels) of 0 and 1, float32 (n, numbers), or the class of each pixel, int32
    (n, height, width), −1 where it does not count.

    `names` (n,) are those of the images in their folder; by default their numbers, from 0. Images larger than memory
    are mapped from a file, a `numpy.memmap` or `distiller.data.mapped.Rows` of one, and read where they are indexed.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or len(self.images) != len(self.labels):
            raise InputError(
                "Expected images of shape (n, height, width, channels) and as many labels. "
                f"Received: images {self.images.shape}, labels {self.labels.shape}"
            )
        if self.names is not None and len(self.names) != len(self.labels):
            raise InputError(f"Expected a name for each of {len(self.labels)} images. Received: {len(self.names)}")

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, count: int) -> "Split":
        """`count` of the samples at the most, from all over the split: a folder's come class after class."""
        most = min(count, len(self))
        return self.take(np.arange(most) * len(self) // max(most, 1))

    def take(self, indices: np.ndarray) -> "Split":
        """The samples at `indices`, in that order, or of a mask."""
        return Split(chosen(self.images, indices), self.labels[indices], self._names()[indices])

    def known_names(self) -> list[str]:
        """Names of all images: paths in their folder, or numbers in the data that they came from."""
        return [str(name) for name in self._names()]

    def _names(self) -> np.ndarray:
        return np.arange(len(self)) if self.names is None else self.names


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
            return replace(split.take(np.flatnonzero(kept)), labels=labels[kept])

        return replace(
            self,
            train=pick(self.train),
            validation=pick(self.validation),
            test=pick(self.test),
            classes=tuple(wanted),
        )


def hold_out(split: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Split off `share` of each class, at least one image, chosen by `seed`: what remains, and what is held out.

    Another number of samples is another choice.

    Raises:
        InputError: `share` is not between 0 and 1, or leaves no image of a class.
    """
    held = first_of_each(split.labels, share, _drawn(len(split), seed))
    return split.take(np.flatnonzero(~held)), split.take(np.flatnonzero(held))


def first_of_each(labels: np.ndarray, share: float, order: np.ndarray) -> np.ndarray:
    """A mask (n,) of `share` of each class: those that come first in `order`, the n places. Errors as of `hold_out`."""
    if not 0 < share < 1:
        raise InputError(f"Invalid value for `share`. Expected a number between 0 and 1. Received: share={share}")
    held = _stratified(labels, lambda n: max(1, round(share * n)), order)
    for label in np.unique(labels[held]):
        if held[labels == label].all():
            raise InputError(
                "Expected a share that leaves an image of every class. "
                f"Received: share={share} of {np.sum(labels == label)} of class {label}"
            )
    return held


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
    order = _drawn(len(split), seed)
    kept = _stratified(split.labels, lambda n: per_class or max(1, round((fraction or 0) * n)), order)
    if drop:
        return split.take(np.flatnonzero(kept))
    return replace(split, labels=np.where(kept, split.labels, UNLABELLED).astype("int32"))


def _drawn(count: int, seed: int) -> np.ndarray:
    """The places 0 … `count` − 1 in an order drawn by `seed`."""
    return np.random.default_rng(seed).permutation(count)


def _stratified(labels: np.ndarray, count: Callable[[int], int], order: np.ndarray) -> np.ndarray:
    """A mask that picks the first `count(n)` in `order` of the n samples of each class."""
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels[labels != UNLABELLED]):
        members = order[labels[order] == label]
        mask[members[: count(len(members))]] = True
    return mask
