"""Images in a folder of class folders."""

import hashlib
from pathlib import Path

import numpy as np

from distiller.class_names import check
from distiller.data import photos
from distiller.data.splits import Split, first_of_each
from distiller.errors import InputError
from distiller.progress import Reporter

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
    paths in the folder. What is divided further has three images of each class at least.

    Raises:
        InputError: fewer than two classes, or images that cannot be read, or some of `train`, `val` and `test` alone.
    """
    there = _folders_in(folder)
    division = {name for name in there if name.lower() in _PARTS}
    parts = {_PARTS[name.lower()]: name for name in division}
    held = None
    if not division or (there - division and not {"train", "test"} <= parts.keys()):
        _check_classes(folder, sorted(there))
        train, keys, classes = _read_classes(folder, image_size, seed)
        train, keys, test = _hold_out(train, keys, 1 / 6)
    else:
        if not {"train", "test"} <= parts.keys() or len(parts) < len(division):
            raise InputError(
                "Expected the folders train and test, and perhaps one of val and valid and validation, in "
                f"{str(folder)!r}. Received: {', '.join(sorted(division))}"
            )
        train, keys, classes = _read_classes(folder / parts["train"], image_size, seed)
        test = _read_part(folder, parts, "test", image_size, classes)
        if "val" in parts:
            held = _read_part(folder, parts, "val", image_size, classes)
    if held is None and validation is not None:
        train, _, held = _hold_out(train, keys, validation)
    return train, held, test, classes


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


def _read_part(
    folder: Path, parts: dict[str, str], part: str, image_size: tuple[int, int], classes: tuple[str, ...]
) -> Split:
    """The images of `part`, which has the same classes as the training images."""
    split, _, its_classes = _read_classes(folder / parts[part], image_size, seed=0, fewest=1)
    if its_classes != classes:
        raise InputError(
            f"Expected the same class folders in {parts['train']} and {parts[part]} of {str(folder)!r}. "
            f"Received: {', '.join(sorted(set(classes) ^ set(its_classes)))} in one of them only"
        )
    return split


def _hold_out(split: Split, keys: np.ndarray, share: float) -> tuple[Split, np.ndarray, Split]:
    """What remains with its keys, and what is held out: of each class the images with the smallest keys.

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
    keys = np.array([_key(path.relative_to(folder).as_posix(), seed) for path in paths], "uint64")
    return Split(photos.read(paths, image_size, f"read {folder.name}"), labels), keys, classes
