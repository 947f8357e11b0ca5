"""Images in a folder of class folders."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from distiller.data import photos
from distiller.data.class_names import check
from distiller.data.splits import Split, first_of_each
from distiller.errors import InputError
from distiller.utils.progress import Reporter

# Names that the folders of a division go by, in small letters.
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def read(
    folder: Path, image_size: tuple[int, int], validation: float | None, seed: int
) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test images of a folder, and their classes.

    Where they are not divided, a sixth is the test split. With a share `validation` so much is held out of the training
    images where there is no folder of validation images. Which images are held out follows from `seed` and from their
    paths in the folder. What is divided further has three images of each class at least. Where there are training and
    validation images and no test images, the validation images are the test split.

    Raises:
        InputError: fewer than two classes, or images that cannot be read, or `train` or `test` alone.
    """
    there = _folders_in(folder)
    division = {name for name in there if name.lower() in _PARTS}
    parts = {_PARTS[name.lower()]: name for name in division}
    held = None
    if not _is_divided(folder, there - division, parts):
        _check_classes(folder, sorted(there))
        train, keys, classes = _read_classes(folder, image_size, seed)
        train, keys, test = _hold_out(train, keys, 1 / 6)
    else:
        if not {"train", "test"} <= parts.keys():
            parts = _without_test(folder, parts, division)
        if len(set(parts.values())) < len(division):
            raise _not_divided(folder, division)
        train, keys, classes, others = _read_parts(folder, parts, image_size, seed)
        test, held = others["test"], others.get("val")
    if held is None and validation is not None:
        train, _, held = _hold_out(train, keys, validation)
    return train, held, test, classes


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


def _read_parts(
    folder: Path, parts: Mapping[str, str], image_size: tuple[int, int], seed: int
) -> tuple[Split, np.ndarray, tuple[str, ...], dict[str, Split]]:
    """The training images with their keys, the classes, and the images of the other parts.

    Raises:
        InputError: other classes in one of them, or images that cannot be read: those of all parts.
    """
    train, others = None, {}
    broken: list[str] = []
    for part, name in sorted(parts.items(), key=lambda item: item[0] != "train"):
        try:
            found = _read_classes(folder / name, image_size, seed, fewest=3 if part == "train" else 1)
        except photos.BrokenImages as error:
            broken += error.problems
            continue
        if part == "train":
            train = found
            continue
        if train and found[2] != train[2]:
            raise InputError(
                f"Expected the same class folders in {parts['train']} and {name} of {str(folder)!r}. "
                f"Received: {', '.join(sorted(set(train[2]) ^ set(found[2])))} in one of them only"
            )
        others[part] = found[0]
    if broken or train is None:
        raise photos.BrokenImages(broken)
    return *train, others


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


def _hold_out(split: Split, keys: np.ndarray, share: float) -> tuple[Split, np.ndarray, Split]:
    """Split into what remains, with its keys, and what is held out: of each class the images with the smallest keys.

    All splits follow one order. So one image more moves at most one other across each of their borders, and those that
    leave the validation split for the test split are replaced by training images.
    """
    held = first_of_each(split.labels, share, np.argsort(keys, kind="stable"))
    return split.take(np.flatnonzero(~held)), keys[~held], split.take(np.flatnonzero(held))


def _key(path: str, seed: int) -> int:
    """A number of 64 bits that follows from a path and a seed alone; also of a path that is not UTF-8."""
    return int.from_bytes(hashlib.sha256(f"{seed} {path}".encode(errors="surrogateescape")).digest()[:8])


def _read_classes(
    folder: Path, image_size: tuple[int, int], seed: int, *, fewest: int = 3
) -> tuple[Split, np.ndarray, tuple[str, ...]]:
    """The images of class folders, a key (n,) of each that follows from its path in `folder`, and the classes."""
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
    keys = np.array([_key(name, seed) for name in names], "uint64")
    images = photos.read(paths, image_size, f"read {folder.name}")
    return Split(images, labels, np.array(names, object)), keys, classes
