"""The metadata of a file from what its author says."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.metadata.schema import Metadata

if TYPE_CHECKING:
    import keras

Numbers = float | Sequence[float]


def metadata_of(
    model: "keras.Model",
    labels: "Sequence[str] | str | Path | None",
    normalization: tuple[Numbers, Numbers] | None,
) -> Metadata | None:
    """Metadata to write into the file; None where nothing was given.

    Raises:
        ModelError: labels that do not fit the outputs, or numbers that normalise nothing.
    """
    if labels is None and normalization is None:
        return None
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            "Expected `labels` and `normalization` for a model of one input and one output. "
            f"Received: {model.name!r} with {len(model.inputs)} and {len(model.outputs)}. Convert it without, and keep "
            "the names of classes beside the file"
        )
    shape = model.inputs[0].shape[1:]
    color = {1: "grayscale", 3: "rgb"}.get(shape[-1] or 0, "unknown") if len(shape) == 3 else "unknown"
    mean, std = _normalization(normalization or (0.0, 1.0), shape[-1] if shape else 1)
    names = () if labels is None else _labels(labels, model.outputs[0].shape[-1], model.name)
    return Metadata(name=model.name, color_space=color, mean=mean, std=std, labels=names)


def _labels(labels: "Sequence[str] | str | Path", classes: int | None, name: str) -> tuple[str, ...]:
    if isinstance(labels, str | Path):
        path = Path(labels)
        if not path.is_file():
            raise ModelError(f"Expected `labels` to be names, or a file with one a line. Received: {str(path)!r}")
        try:
            found = tuple(path.read_text(encoding="utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"Could not read the labels of {str(path)!r}: {error}") from error
    else:
        found = tuple(labels)
    wrong = next((label for label in found if not isinstance(label, str) or label.splitlines() != [label]), None)
    if wrong is not None:
        raise ModelError(f"Expected `labels` of one line of text each. Received: {wrong!r}")
    if len(found) != classes:
        raise ModelError(f"Expected as many `labels` as {name!r} has outputs, {classes}. Received: {len(found)}")
    return found


def _normalization(given: tuple[Numbers, Numbers], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        mean, std = (tuple(np.atleast_1d(np.asarray(part, "float64")).tolist()) for part in given)
    except (TypeError, ValueError) as error:
        raise ModelError(f"Expected `normalization` to be (mean, std). Received: {given!r}") from error
    if {len(mean), len(std)} - {1, channels} or not np.isfinite([*mean, *std]).all() or 0 in std:
        raise ModelError(
            f"Expected `normalization` to be (mean, std), each one number or {channels}, std not zero. "
            f"Received: {given!r}"
        )
    # Readers on phones want as many of the one as of the other.
    most = max(len(mean), len(std))
    return mean * (most // len(mean)), std * (most // len(std))
