"""The ways to hand over samples of several inputs, as one stream of batches of NumPy arrays."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tflite.errors import ModelError

_SLICE = 256

Feed = list[np.ndarray]


def feeds(dataset: Any, names: Sequence[str], *, labelled: bool) -> Iterator[tuple[Feed, Any]]:
    """Batches (an array for each input in the order of `names`, labels or None) of a data set.

    A data set is {name: array}; a list or tuple of arrays in the order of the inputs; a tuple (inputs, labels) of one
    of these; or any iterable of them, such as a `tf.data.Dataset`. Labels are an array, {output: array} or a list of
    arrays. Without labels it may also be what TFLite's own converter takes: a function that returns an iterable of
    such batches, or of (signature, {name: array}).

    Raises:
        ModelError: none of these, inputs that are missing or too many, arrays of different lengths, or a data set that
            never ends.
    """
    if not labelled and callable(dataset) and not hasattr(dataset, "__iter__") and not hasattr(dataset, "__getitem__"):
        dataset = dataset()
    whole = _parts(dataset, names, labelled)
    if whole is not None:
        feed, labels = whole
        for start in range(0, len(feed[0]), _SLICE):
            part = slice(start, start + _SLICE)
            yield [np.asarray(array[part]) for array in feed], mapped(lambda array, part=part: array[part], labels)
        return
    for batch in _batches_of(dataset, names):
        found = _parts(batch, names, labelled)
        if found is None:
            raise ModelError(f"Expected batches of {_forms(names, labelled)}. Received: {_told(batch)}")
        yield found


def gathered(stream: Iterator[tuple[Feed, Any]], least: int = 32) -> Iterator[tuple[Feed, Any]]:
    """The same samples in batches of `least` or more, but for the last."""
    kept: list[tuple[Feed, Any]] = []
    for feed, labels in stream:
        kept.append((feed, labels))
        if sum(len(part[0]) for part, _ in kept) >= least:
            yield _joined(kept)
            kept = []
    if kept:
        yield _joined(kept)


def by_name(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """The part for each of several outputs of a dictionary of some of them, or of a list of all of them.

    Raises:
        ModelError: an unknown name, another number, or one thing for several outputs.
    """
    if isinstance(given, dict):
        unknown = [str(name) for name in given if name not in names]
        if unknown or not given:
            raise ModelError(f"Expected outputs of {list(names)}. Received: {sorted(map(str, given))}")
        return {name: given[name] for name in names if given.get(name) is not None}
    if isinstance(given, list | tuple) and len(given) == len(names):
        return {name: one for name, one in zip(names, given, strict=True) if one is not None}
    if len(names) == 1:
        return {names[0]: given}
    raise ModelError(
        f"Expected something for each of the outputs {list(names)}: a dictionary or a list in their order. "
        f"Received: {_told(given)}"
    )


def mapped(function: Any, labels: Any) -> Any:
    """Labels of one or several outputs after a function of an array."""
    if isinstance(labels, dict):
        return {name: mapped(function, one) for name, one in labels.items()}
    if isinstance(labels, list | tuple):
        return type(labels)(mapped(function, one) for one in labels)
    return None if labels is None else function(labels)


def is_array(value: Any) -> bool:
    """Return whether a value is an array or a tensor."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _parts(given: Any, names: Sequence[str], labelled: bool) -> tuple[Feed, Any] | None:
    """Inputs and labels of something that is one batch or one whole data set; None of an iterable of batches."""
    labels = None
    feed = None if labelled else _feed(given, names)
    if feed is None:
        if not (isinstance(given, tuple) and len(given) == 2):  # a list is of batches
            return None
        first, second = given
        if not labelled and isinstance(first, str) and isinstance(second, dict):
            first, second = second, None
        feed, labels = _feed(first, names), second
        if feed is None:
            return None
    lengths = {len(array) for array in feed}
    if len(lengths) > 1:
        told = ", ".join(f"{len(array)} of {name!r}" for name, array in zip(names, feed, strict=True))
        raise ModelError(f"Expected as many samples of each input. Received: {told}")
    if isinstance(labels, list | tuple) and not all(one is None or is_array(one) for one in labels):
        labels = np.asarray(labels)  # a list of numbers
    labels = mapped(np.asarray, labels) if labelled else None
    for one in _leaves(labels):
        if one.shape[:1] != (len(feed[0]),):
            raise ModelError(f"Expected labels of {len(feed[0])} samples. Received: {one.shape}")
    return feed, labels


def _leaves(labels: Any) -> list[np.ndarray]:
    if isinstance(labels, dict):
        labels = list(labels.values())
    found = labels if isinstance(labels, list | tuple) else [labels]
    return [one for one in found if one is not None]


def _feed(given: Any, names: Sequence[str]) -> Feed | None:
    """An array for each input, or None where these are no inputs."""
    if isinstance(given, dict):
        if given.keys() != set(names):
            raise ModelError(f"Expected inputs named {list(names)}. Received: {sorted(map(str, given))}")
        arrays = [given[name] for name in names]
    elif isinstance(given, list | tuple) and len(given) == len(names) and all(map(is_array, given)):
        arrays = list(given)
    elif len(names) == 1 and is_array(given):
        arrays = [given]
    else:
        return None
    found = [np.asarray(array) for array in arrays]
    for name, array in zip(names, found, strict=True):
        if not array.ndim:
            raise ModelError(f"Expected samples of {name!r}, the batch in front. Received: one number")
    return found


def _joined(kept: list[tuple[Feed, Any]]) -> tuple[Feed, Any]:
    if len(kept) == 1:
        return kept[0]
    feeds = [np.concatenate(arrays) for arrays in zip(*(feed for feed, _ in kept), strict=True)]
    first = kept[0][1]
    if isinstance(first, dict):
        return feeds, {name: np.concatenate([labels[name] for _, labels in kept]) for name in first}
    if isinstance(first, list | tuple):
        columns = zip(*(labels for _, labels in kept), strict=True)
        return feeds, [None if column[0] is None else np.concatenate(column) for column in columns]
    return feeds, None if first is None else np.concatenate([labels for _, labels in kept])


def _batches_of(dataset: Any, names: Sequence[str]) -> Iterator[Any]:
    if getattr(dataset, "num_batches", None) is not None and hasattr(dataset, "__getitem__"):
        return (dataset[i] for i in range(dataset.num_batches))
    if hasattr(dataset, "cardinality") and int(dataset.cardinality()) == -1:
        raise ModelError("Expected a data set that ends. Received: an infinite tf.data.Dataset")
    if is_array(dataset) or not hasattr(dataset, "__iter__") or isinstance(dataset, str | bytes):
        raise ModelError(f"Expected {_forms(names, False)}, or batches of these. Received: {_told(dataset)}")
    return iter(dataset)


def _forms(names: Sequence[str], labelled: bool) -> str:
    inputs = f"the inputs {list(names)}, as a dictionary or a list of arrays in this order"
    return f"({inputs}; labels)" if labelled else inputs


def _told(given: Any) -> str:
    if is_array(given):
        return f"one array {tuple(given.shape)}"
    if isinstance(given, dict):
        return f"a dictionary with {sorted(map(str, given))}"
    return f"{type(given).__name__} of {len(given)}" if isinstance(given, list | tuple) else type(given).__name__
