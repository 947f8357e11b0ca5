"""Trained weights that ship with the package.

Each is one `.npz` of float16 arrays in the order of `model.weights`, and one `.json` beside it that says which network
it is, with its SHA-256, the recipe and the log it was trained with, and its accuracy on the test set.
"""

import hashlib
import io
import json
from importlib import resources
from pathlib import Path
from typing import Any

import keras
import numpy as np

from distiller.errors import InputError
from distiller.models import zoo
from distiller.utils.suggestions import unknown

_FOLDER = resources.files("distiller.models") / "weights"


def packaged() -> list[str]:
    """The names that `load` takes."""
    return sorted(entry.name.removesuffix(".json") for entry in _FOLDER.iterdir() if entry.name.endswith(".json"))


def card(name: str) -> dict[str, Any]:
    """The card of packaged weights: network, classes, data, recipe, accuracy (a fraction), log, SHA-256."""
    if name not in packaged():
        raise InputError(unknown("packaged model", name, packaged()))
    return json.loads((_FOLDER / f"{name}.json").read_text())


def load(name: str, *, dtype: str = "float32") -> keras.Model:
    """A trained network of the package, raw pixels in and logits out.

    Raises:
        InputError: no such packaged model; the message names the nearest.
        InputError: the file is not the one that was packaged.
    """
    entry = card(name)
    content = (_FOLDER / f"{name}.npz").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry["sha256"]:
        raise InputError(f"The weights of {name!r} are damaged. Expected SHA-256 {entry['sha256']}. Received: {digest}")
    network = entry["model"]
    model = zoo.build(
        network["name"], network["classes"], tuple(network["input_shape"]), dtype=dtype, **network["options"]
    )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        model.set_weights([arrays[key].astype("float32") for key in sorted(arrays.files)])
    return model


def pack(model: keras.Model, entry: dict[str, Any], folder: Path, name: str) -> Path:
    """Write `model`'s weights in float16 and their card; returns the path of the weights."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"{i:04d}": w.astype("float16") for i, w in enumerate(model.get_weights())}
    np.savez_compressed(buffer, **arrays)
    path = folder / f"{name}.npz"
    path.write_bytes(buffer.getvalue())
    entry = {
        **entry,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "bytes": len(buffer.getvalue()),
    }
    (folder / f"{name}.json").write_text(json.dumps(entry, indent=1) + "\n")
    return path
