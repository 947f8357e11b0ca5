"""The key of a cache: what stored outputs belong to, part by part, in a file that a person can read."""

import json
import os
import uuid
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import keras

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.errors import InputError
from distiller.networks import fingerprint
from distiller.utils.atomic_files import appearing

Key = dict[str, Any]
_NAME = "cache.json"
# Of caches with a file a pass, and of those in shards.
_WHOLE, _SHARDED = 1, 2


class Layout(NamedTuple):
    """Division of the rows of a pass into files: their number, and how many a file has."""

    samples: int
    shard: int


def of_network(teacher: keras.Model) -> Key:
    """The teacher as it is now."""
    return {
        "teacher's architecture": fingerprint.architecture(teacher),
        "teacher's weights": fingerprint.weights(teacher),
        "teacher's compute dtypes": fingerprint.precision(teacher),
    }


def of_teacher(teacher: keras.Model, taps: keras.Model, layers: list[str]) -> Key:
    """The teacher as it is now, and what is taken of it."""
    return {
        **of_network(teacher),
        "layers": layers,
        # A name that Keras gave ("conv2d_7") may be another layer's next time.
        "places of the layers": fingerprint.architecture(taps) if layers else None,
    }


def of_views(split: Split, augmentation: Augmentation, seed: int) -> Key:
    """The views that the teacher sees. Without an augmentation the seed does not matter.

    Raises:
        InputError: the augmentation has attributes that its `repr` does not show: another could be taken for it.
    """
    hidden = sorted(
        vars(augmentation).keys() - {field.name for field in fields(augmentation) if field.repr} - {"layers"}
    )
    if hidden:
        raise InputError(
            f"Expected the attributes of {type(augmentation).__name__} as fields, @dataclass(frozen=True), for a cache "
            f"to tell it from another. Received besides: {', '.join(hidden)}"
        )
    shown = repr(augmentation)
    if augmentation.layers and repr(augmentation.layers) not in shown:
        shown += f" and {augmentation.layers!r}"
    return {
        "images": fingerprint.images(split.images),
        "augmentation": shown,
        "seed of the views": None if augmentation == Augmentation() else seed,
    }


def claim(folder: Path, key: Key, layout: Layout | None = None) -> None:
    """Make a folder without a key that of `key`; one that has a key, also one of another process just now, keeps it.

    A pass is one file where there is no layout, or where it fits in one shard.
    """
    path = folder / _NAME
    if path.exists():
        return
    whole = layout is None or layout.samples <= layout.shard
    divided = {"format": _WHOLE} if whole or layout is None else {"format": _SHARDED, **layout._asdict()}
    content = json.dumps({**divided, "key": key}, indent=1).encode()
    scratch = path.with_name(f"{_NAME}.{uuid.uuid4().hex}.part")
    try:
        with appearing(scratch) as file:
            file.write(content)
        _link(scratch, path, content)
    finally:
        scratch.unlink(missing_ok=True)


def discard(folder: Path, key: Key | None = None) -> None:
    """Remove the key of a folder without passes, if it is half-written or `key`."""
    with suppress(OSError):  # another process has removed it, or nothing can be changed
        if _stored(folder) in (None, key):
            (folder / _NAME).unlink()


def read(folder: Path) -> Key:
    """The key of the cache in a folder.

    Raises:
        InputError: it is missing or damaged, or of another version.
    """
    stored = _stored(folder)
    if stored is None:
        raise InputError(
            f"The file {str(folder / _NAME)!r} is missing, damaged or of another version. Delete its folder and build "
            "the cache again"
        )
    return stored


def layout(folder: Path) -> Layout | None:
    """Division of the cache in a folder into shards; None where a pass is one file."""
    stored = _content(folder) or {}
    return Layout(stored["samples"], stored["shard"]) if stored.get("format") == _SHARDED else None


def compare(folder: Path, stored: Key, key: Key, remedy: str = "Name another folder, or delete this one") -> None:
    """Raise InputError unless each part of `key` is as stored; the message says which are not."""
    differing = [
        f"{part} (stored: {stored.get(part)}, received: {value})"
        for part, value in key.items()
        if stored.get(part) != value
    ]
    if differing:
        raise InputError(
            f"The cache in {str(folder)!r} was built for something else. What differs: {'; '.join(differing)}. {remedy}"
        )


def _stored(folder: Path) -> Key | None:
    content = _content(folder)
    return None if content is None else dict(content["key"])


def _content(folder: Path) -> dict[str, Any] | None:
    """Content of the file, where it is whole and of a known version."""
    try:
        stored = json.loads((folder / _NAME).read_text())
        sharded = stored["format"] == _SHARDED and min(int(stored["samples"]), int(stored["shard"])) > 0
        return {**stored, "key": dict(stored["key"])} if sharded or stored["format"] == _WHOLE else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _link(scratch: Path, path: Path, content: bytes) -> None:
    """Let a finished file appear at `path`, whole, unless one is there."""
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(content)
