"""Images in a folder of class folders."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL

from distiller.data import mapped, photos
from distiller.data.class_names import check
from distiller.data.splits import Split, first_of_each
from distiller.errors import InputError
from distiller.utils.progress import Reporter

# Names that the folders of a division go by, in small letters.
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Photos:
    """Image files (n,) with their names in a folder, their labels and the keys that order them."""

    paths: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    keys: np.ndarray

    def take(self, indices: np.ndarray) -> "Photos":
        """The files at `indices`, in that order."""
        return Photos(self.paths[indices], self.names[indices], self.labels[indices], self.keys[indices])


def read(
    folder: Path, image_size: tuple[int, int], validation: float | None, seed: int, cache_dir: Path | None = None
) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test images of a folder, and their classes.

    Where they are not divided, a sixth is the test split. With a share `validation` so much is held out of the training
    images where there is no folder of validation images. Which images are held out follows from `seed` and from their
    paths in the folder. What is divided further has three images of each class at least. Where there are training and
    validation images and no test images, the validation images are the test split. With `cache_dir`, and where they
    would take more than half of the free memory, the images are decoded once into a file and mapped from there.

    Raises:
        InputError: fewer than two classes, or images that cannot be read, or `train` or `test` alone.
    """
    there = _folders_in(folder)
    division = {name for name in there if name.lower() in PARTS}
    parts = {PARTS[name.lower()]: name for name in division}
    held = None
    if not _is_divided(folder, there - division, parts):
        _check_classes(folder, sorted(there))
        train, classes = _list_classes(folder, seed)
        train, test = _hold_out(train, 1 / 6)
    else:
        if not {"train", "test"} <= parts.keys():
            parts = _without_test(folder, parts, division)
        if len(set(parts.values())) < len(division):
            raise _not_divided(folder, division)
        train, classes, others = _list_parts(folder, parts, seed)
        test, held = others["test"], others.get("val")
    if held is None and validation is not None:
        train, held = _hold_out(train, validation)
    several = [train, test] if held is None else [train, test, held]
    splits = decoded(folder, several, image_size, cache_dir)
    return splits[0], splits[2] if held is not None else None, splits[1], classes


def decoded(folder: Path, parts: list[Photos], size: tuple[int, int], cache_dir: Path | None) -> list[Split]:
    """The images of files, decoded one part after another, so that those of a part are neighbours."""
    paths = [path for part in parts for path in part.paths]
    shape = (*size, 3)
    title = f"read {folder.name}"
    if cache_dir is None and not mapped.is_large(len(paths), shape):
        images = photos.read(paths, size, title)
    else:
        stats = [(path, path.stat()) for path in paths]
        # Another version of Pillow may decode and resize to other bytes.
        key = [PIL.__version__, [(str(p.relative_to(folder)), s.st_size, s.st_mtime_ns) for p, s in stats]]
        blocks = partial(photos.blocks, paths, size, title)
        images = mapped.stored(folder.resolve().name, key, shape, len(paths), blocks, cache_dir)
    ends = np.cumsum([len(part.paths) for part in parts]).tolist()
    return [
        Split(images[end - len(part.paths) : end], part.labels, part.names)
        for end, part in zip(ends, parts, strict=True)
    ]


def _is_divided(folder: Path, others: set[str], parts: Mapping[str, str]) -> bool:
    """Return whether a folder holds parts, each with the folders of the classes, beside `others`, and not classes."""
    if not others or {"train", "test"} <= parts.keys():
        return bool(parts)
    if not {"train", "val"} <= parts.keys():
        return False
    inside = [_folders_in(folder / parts[part]) for part in ("train", "val")]
    return bool(inside[0]) and inside[0] == inside[1]


def _without_test(folder: Path, parts: Mapping[str, str], division: set[str]) -> dict[str, str]:
    """The parts of a folder with training and validation images alone: those are its test split."""
    if parts.keys() != {"train", "val"} or len(division) > len(parts):
        raise _not_divided(folder, division)
    Reporter().say(
        f"There are no test images in {str(folder)!r}: those in {parts['val']} are the test split, and others are held "
        "out of the training images for validation"
    )
    return {"train": parts["train"], "test": parts["val"]}


def _not_divided(folder: Path, division: set[str]) -> InputError:
    return InputError(
        "Expected the folders train and test, and perhaps one of val and valid and validation, or train and one of "
        f"those, in {str(folder)!r}. Received: {', '.join(sorted(division))}"
    )


def _list_parts(folder: Path, parts: Mapping[str, str], seed: int) -> tuple[Photos, tuple[str, ...], dict[str, Photos]]:
    """The training images, the classes, and the images of the other parts.

    Raises:
        InputError: other classes in one of them.
    """
    train, classes = _list_classes(folder / parts["train"], seed)
    others = {}
    for part, name in parts.items():
        if part == "train":
            continue
        others[part], theirs = _list_classes(folder / name, seed, fewest=1)
        if theirs != classes:
            raise InputError(
                f"Expected the same class folders in {parts['train']} and {name} of {str(folder)!r}. "
                f"Received: {', '.join(sorted(set(classes) ^ set(theirs)))} in one of them only"
            )
    return train, classes, others


def _folders_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _check_classes(folder: Path, names: list[str]) -> None:
    """Raise InputError where the folders of an undivided folder are no classes: each holds the same folders alone."""
    inside = [_folders_in(folder / name) for name in names]
    shared = sorted(set.intersection(*inside)) if inside else []
    if shared and not any(path.parent == folder / name for name in names for path in photos.find(folder / name)[0]):
        raise InputError(
            f"Expected images of one class in each folder of {str(folder)!r}, or the folders train and test. "
            f"Received: {', '.join(names)}, each with the folders {', '.join(shared)} and no image beside them"
        )


def _hold_out(images: Photos, share: float) -> tuple[Photos, Photos]:
    """Split into what remains and what is held out: of each class the images with the smallest keys.

    All splits follow one order. So one image more moves at most one other across each of their borders, and those that
    leave the validation split for the test split are replaced by training images.
    """
    held = first_of_each(images.labels, share, np.argsort(images.keys, kind="stable"))
    return images.take(np.flatnonzero(~held)), images.take(np.flatnonzero(held))


def key_of(path: str, seed: int) -> int:
    """A number of 64 bits that follows from a path and a seed alone; also of a path that is not UTF-8."""
    return int.from_bytes(hashlib.sha256(f"{seed} {path}".encode(errors="surrogateescape")).digest()[:8])


def _list_classes(folder: Path, seed: int, *, fewest: int = 3) -> tuple[Photos, tuple[str, ...]]:
    """The images of class folders, each with a key that follows from its path in `folder`, and the classes."""
    classes = tuple(sorted(_folders_in(folder)))
    if len(classes) < 2:
        raise InputError(
            f"Expected two or more class folders in {str(folder)!r}. Received: {', '.join(classes) or 'none'}"
        )
    check(classes, str(folder))
    found = [photos.find(folder / name) for name in classes]
    others = [path for _, several in found for path in several]
    if others:
        kinds = ", ".join(sorted({path.suffix or path.name for path in others}))
        files = f"{len(others)} file{'s' if len(others) > 1 else ''}"
        Reporter().say(f"{files} in {str(folder)!r} left out, no images of a kind that can be read: {kinds}")
    labels = np.repeat(np.arange(len(classes), dtype="int32"), [len(images) for images, _ in found])
    for code, name in enumerate(classes):
        received = np.sum(labels == code)
        if received < fewest:
            wanted = "1 image" if fewest == 1 else f"{fewest} images"
            raise InputError(f"Expected at least {wanted} in {str(folder / name)!r}. Received: {received}")
    paths = [path for images, _ in found for path in images]
    names = [path.relative_to(folder).as_posix() for path in paths]
    keys = np.array([key_of(name, seed) for name in names], "uint64")
    listed = np.empty(len(paths), object)
    listed[:] = paths
    return Photos(listed, np.array(names, object), labels, keys), classes
