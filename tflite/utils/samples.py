"""The ways to hand over images with labels, as one stream of NumPy batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from tflite.errors import ModelError

_SLICE = 256


def batches(
    dataset: Any, *, labelled: bool = True, of_classes: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Batches (images, labels or None) of a data set; `labelled` says whether labels, where there are any, are used.

    Labels are integers (n,), or with `of_classes=False` whatever has a row per sample.

    A data set is an array of images; a tuple, not a list, (images, labels) of arrays; a Keras `PyDataset`; or any
    iterable of images or of (images, labels), such as a `tf.data.Dataset`. Without labels it may also be what TFLite's
    own converter takes: a function that returns an iterable of [images], {name: images} or (signature, {name: images}).

    Raises:
        ModelError: none of these, or one that never ends.
    """
    if not labelled:
        dataset = _only(_called(dataset))
    if _is_array(dataset):
        yield from _slices(dataset, None)
    elif _is_pair(dataset):
        yield from _slices(*_pair(dataset, labelled, of_classes))
    else:
        for batch in _batches_of(dataset):
            images = batch if labelled else _only(batch)
            pixels, labels = (images, None) if _is_array(images) else _pair(images, labelled, of_classes)
            yield np.asarray(pixels), labels


def _called(dataset: Any) -> Any:
    """Data set of a function that returns one; anything else as it is."""
    if not callable(dataset) or hasattr(dataset, "__iter__") or hasattr(dataset, "__getitem__"):
        return dataset
    try:
        return dataset()
    except TypeError as error:
        raise ModelError(f"Expected a function without arguments that returns batches. Received: {error}") from error


def _only(batch: Any) -> Any:
    """The images of a batch in a form of TFLite's own, for its one input."""
    if isinstance(batch, tuple) and len(batch) == 2 and isinstance(batch[0], str) and isinstance(batch[1], dict):
        batch = batch[1]
    if isinstance(batch, dict):
        if len(batch) != 1:
            raise ModelError(f"Expected images for one input. Received: {sorted(map(str, batch))}")
        return next(iter(batch.values()))
    one = isinstance(batch, list | tuple) and len(batch) == 1
    return batch[0] if one and _is_array(batch[0]) else batch


def gathered(
    stream: Iterator[tuple[np.ndarray, np.ndarray | None]], least: int = 32
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """The same samples in batches of `least` or more, but for the last: small ones tell little of their unit."""
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for part, own in stream:
        alike = not images or (images[0].shape[1:], images[0].dtype) == (part.shape[1:], part.dtype)
        if own is None or not alike:  # told where it is used
            if images:
                yield np.concatenate(images), np.concatenate(labels)
            images, labels = [], []
            yield part, own
            continue
        images.append(part)
        labels.append(own)
        if sum(map(len, images)) >= least:
            yield np.concatenate(images), np.concatenate(labels)
            images, labels = [], []
    if images:
        yield np.concatenate(images), np.concatenate(labels)


def count(dataset: Any) -> int | None:
    """Number of samples of a data set of arrays; None for one that has to be read to know."""
    if _is_array(dataset):
        return len(dataset)
    if _is_pair(dataset):
        return len(dataset[0])
    return None


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_array, value))


def _slices(images: np.ndarray, labels: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    for start in range(0, len(images), _SLICE):
        part = slice(start, start + _SLICE)
        # Not all at once: they may be mapped from a file.
        yield np.asarray(images[part]), None if labels is None else labels[part]


def _batches_of(dataset: Any) -> Iterator[Any]:
    if hasattr(dataset, "num_batches") and hasattr(dataset, "__getitem__"):
        # A PyDataset does not end by itself: its length does.
        if dataset.num_batches is None:
            raise ModelError("Expected a data set that ends. Received: a PyDataset without a number of batches")
        return (dataset[i] for i in range(dataset.num_batches))
    if hasattr(dataset, "cardinality") and int(dataset.cardinality()) == -1:
        raise ModelError("Expected a data set that ends. Received: an infinite tf.data.Dataset")
    if not hasattr(dataset, "__iter__") or isinstance(dataset, str | bytes | dict):
        raise ModelError(
            "Expected arrays (images, labels), a PyDataset or an iterable of batches. "
            f"Received: {type(dataset).__name__}"
        )
    return iter(dataset)


def _pair(batch: Any, labelled: bool, of_classes: bool) -> tuple[np.ndarray, np.ndarray | None]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        size = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise ModelError(f"Expected batches (images, labels). Received: {type(batch).__name__}{size}")
    if not labelled:
        return np.asarray(batch[0]), None
    images, labels = (part if _is_array(part) else np.asarray(part) for part in batch)
    labels = np.asarray(labels)
    if not of_classes:
        if labels.shape[:1] != images.shape[:1]:
            raise ModelError(
                f"Expected as many integer labels as images. Received: images {images.shape}, labels {labels.shape} "
                f"of {labels.dtype}"
            )
        if labels.dtype.kind not in "iufb":
            raise ModelError(f"Expected labels as numbers. Received: labels {labels.shape} of {labels.dtype}")
        return images, labels
    if labels.shape == (len(images), 1):
        labels = labels[:, 0]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ModelError(
            f"Expected as many integer labels as images. Received: images {images.shape}, "
            f"labels {labels.shape} of {labels.dtype}"
        )
    return images, labels
