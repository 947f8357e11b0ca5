"""Images in a folder of class folders."""

from pathlib import Path

import numpy as np

from distiller.data import photos
from distiller.data.splits import Split, hold_out
from distiller.errors import InputError
from distiller.progress import Reporter

# Names that a folder of validation images goes by.
_HELD = ("val", "valid", "validation")


def read(folder: Path, image_size: tuple[int, int], seed: int) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test images of a folder, and their classes.

    Where they are not divided, a sixth is the test split, drawn by `seed`. What is divided further, here or by who
    reads it, has three images of each class at least.

    Raises:
        InputError: fewer than two classes, or images that cannot be read, or some of `train`, `val` and `test` alone.
    """
    there = _folders_in(folder)
    division = there & {"train", "test", *_HELD}
    if not division or (there - division and not {"train", "test"} <= there):
        both, classes = _read_classes(folder, image_size)
        train, test = hold_out(both, 1 / 6, seed)
        return train, None, test, classes
    held = sorted(division & set(_HELD))
    if not {"train", "test"} <= division or len(held) > 1:
        raise InputError(
            f"Expected the folders train and test, and perhaps one of {' and '.join(_HELD)}, in {str(folder)!r}. "
            f"Received: {', '.join(sorted(division))}"
        )
    train, classes = _read_classes(folder / "train", image_size)
    others = {}
    for part in (*held, "test"):
        others[part], its_classes = _read_classes(folder / part, image_size, fewest=1)
        if its_classes != classes:
            raise InputError(
                f"Expected the same class folders in train and {part} of {str(folder)!r}. "
                f"Received: {', '.join(sorted(set(classes) ^ set(its_classes)))} in one of them only"
            )
    return train, others[held[0]] if held else None, others["test"], classes


def _folders_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _read_classes(folder: Path, image_size: tuple[int, int], *, fewest: int = 3) -> tuple[Split, tuple[str, ...]]:
    classes = tuple(sorted(_folders_in(folder)))
    if len(classes) < 2:
        raise InputError(
            f"Expected two or more class folders in {str(folder)!r}. Received: {', '.join(classes) or 'none'}"
        )
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
    return Split(photos.read(paths, image_size, f"read {folder.name}"), labels), classes
