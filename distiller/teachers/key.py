"""What stored answers belong to, part by part, in a file that a person can read."""

import json
from pathlib import Path
from typing import Any

import keras

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.errors import InputError
from distiller.teachers import fingerprint
from distiller.teachers.store import appearing

Key = dict[str, Any]
_NAME = "cache.json"
_FORMAT = 1


def of_teacher(teacher: keras.Model, taps: keras.Model, layers: list[str]) -> Key:
    """The teacher as it is now, and what is taken of it."""
    return {
        "teacher's architecture": fingerprint.architecture(teacher),
        "teacher's weights": fingerprint.weights(teacher),
        "teacher's compute dtypes": fingerprint.precision(teacher),
        "layers": layers,
        # A name that Keras gave ("conv2d_7") may be another layer's next time.
        "places of the layers": fingerprint.architecture(taps) if layers else None,
    }


def of_views(split: Split, augmentation: Augmentation, seed: int) -> Key:
    """What the teacher sees. Without an augmentation the seed does not matter."""
    return {
        "images": fingerprint.images(split.images),
        "augmentation": repr(augmentation),
        "seed of the views": None if augmentation == Augmentation() else seed,
    }


def write(folder: Path, key: Key) -> None:
    """Keep the key of the cache in a folder."""
    with appearing(folder / _NAME) as file:
        file.write(json.dumps({"format": _FORMAT, "key": key}, indent=1).encode())


def read(folder: Path) -> Key:
    """The key of the cache in a folder.

    Raises:
        InputError: it is missing or damaged, or of another version.
    """
    path = folder / _NAME
    try:
        stored = json.loads(path.read_text())
        if stored["format"] == _FORMAT:
            return dict(stored["key"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(
        f"The file {str(path)!r} is missing, damaged or of another version. Delete its folder and build the cache again"
    )


def compare(folder: Path, stored: Key, key: Key) -> None:
    """Raise InputError unless each part of `key` is as stored; the message says which are not."""
    differing = [
        f"{part} (stored: {stored.get(part)}, received: {value})"
        for part, value in key.items()
        if stored.get(part) != value
    ]
    if differing:
        raise InputError(
            f"The cache in {str(folder)!r} was built for something else. What differs: {'; '.join(differing)}. "
            "Name another folder, or delete this one"
        )
