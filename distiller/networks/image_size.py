"""The size of the images that a network takes, from its file and without loading it."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def of_keras(path: str | Path) -> tuple[int, int] | None:
    """Height and width that the network in a Keras file takes; None where it leaves them open or takes no images.

    None is also the answer of what cannot be read: what is wrong with a file is told where it is opened.
    """
    try:
        return sides(_first_input(Path(path)))
    except Exception:  # of whatever a damaged file makes
        return None


def sides(shape: Sequence[Any]) -> tuple[int, int] | None:
    """Height and width in the shape (batch, height, width, channels); None in others, and where they are open.

    >>> sides((None, 224, 160, 3)), sides((None, None, None, 3)), sides((None, 64))
    ((224, 160), None, None)
    """
    if len(shape) != 4 or not all(isinstance(side, int) and side > 1 for side in shape[1:3]):
        return None
    return shape[1], shape[2]


def _first_input(path: Path) -> Sequence[Any]:
    """The shape of the first input in a model's configuration."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            saved = json.loads(file.read("config.json"))
    else:
        import h5py

        with h5py.File(path) as file:
            saved = json.loads(file.attrs["model_config"])
    layers = saved["config"].get("layers", [])
    entries = [layer["config"] for layer in layers if layer["class_name"] == "InputLayer"]
    # Keras 2 had another name for it.
    shapes = [entry.get("batch_shape") or entry["batch_input_shape"] for entry in entries]
    return shapes[0] if shapes else saved["build_config"]["input_shape"]
