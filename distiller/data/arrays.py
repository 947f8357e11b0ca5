"""Images in a file of arrays, named as in the files of `keras.datasets`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from distiller.data.splits import Split, hold_out
from distiller.errors import InputError, WorkError
from distiller.utils.atomic_files import appearing

ENDING = ".npz"


def read(path: Path, seed: int) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test images of a file of `numpy.savez`, and their classes.

    It holds `x_train`, uint8 (n, height, width, channels) or (n, height, width), and `y_train`, whole numbers (n,) or
    (n, 1) from 0; perhaps `x_test` and `y_test`, else a sixth is the test split, drawn by `seed`; perhaps `x_val` and
    `y_val`; and perhaps `classes`, the names, which are the numbers by default.

    Raises:
        InputError: no such file or none of arrays, arrays missing or of another type or shape, images of several
            sizes, or labels that are no classes.
    """
    found = read_all(path)
    splits = {part: _split(found, part, path) for part in ("train", "val", "test") if f"x_{part}" in found}
    if "train" not in splits:
        raise InputError(
            f"Expected the arrays x_train and y_train in {str(path)!r}. Received: {', '.join(sorted(found)) or 'none'}"
        )
    sizes = {split.images.shape[1:] for split in splits.values()}
    if len(sizes) > 1:
        raise InputError(f"Expected images of one size in {str(path)!r}. Received: {sorted(sizes)}")
    classes = _classes(found, splits, path)
    train, test = splits["train"], splits.get("test")
    if test is None:
        train, test = hold_out(train, 1 / 6, seed)
    return train, splits.get("val"), test, classes


def write(path: Path, splits: Mapping[str, Split | None], classes: tuple[str, ...]) -> None:
    """Write a file that `read` reads, whole or not at all; WorkError where that is not possible."""
    found: dict[str, np.ndarray] = {"classes": np.array(classes)}
    for part, split in splits.items():
        if split is not None:
            found |= {f"x_{part}": split.images, f"y_{part}": split.labels}
    try:
        with appearing(path) as file:
            np.savez_compressed(file, allow_pickle=False, **found)
    except OSError as error:
        raise WorkError(f"Could not write {str(path)!r}: {error.strerror or error}") from error


def read_all(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; InputError where there are none."""
    if not path.is_file():
        raise InputError(f"The file of arrays {str(path)!r} does not exist")
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("one array without a name, and no file of `numpy.savez`")
            return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}
    except Exception as error:  # damage surfaces as errors of zip files, of compression and of Python's parser
        raise InputError(f"Could not read the arrays in {str(path)!r}: {error}") from error


def images_of(found: Mapping[str, np.ndarray], part: str, path: Path) -> np.ndarray:
    """The images `x_PART`, uint8 (n, height, width, channels); InputError where they are none."""
    images = found[f"x_{part}"]
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise InputError(
            f"Expected x_{part} in {str(path)!r} as uint8 (n, height, width, channels) with 1 or 3 channels. "
            f"Received: {images.dtype} {found[f'x_{part}'].shape}"
        )
    return images


def _split(found: Mapping[str, np.ndarray], part: str, path: Path) -> Split:
    images, labels = images_of(found, part, path), found.get(f"y_{part}")
    if labels is not None and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels is None or labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"Expected y_{part} in {str(path)!r} as whole numbers ({len(images)},). "
            f"Received: {'none' if labels is None else f'{labels.dtype} {labels.shape}'}"
        )
    if labels.min() < 0 or labels.max() > np.iinfo("int32").max:  # as int32 they would be other classes
        raise InputError(
            f"Expected y_{part} in {str(path)!r} as classes, from 0. Received: {labels.min()} … {labels.max()}"
        )
    return Split(images, labels.astype("int32"))


def _classes(found: Mapping[str, np.ndarray], splits: Mapping[str, Split], path: Path) -> tuple[str, ...]:
    high = max(split.labels.max() for split in splits.values())
    if "classes" not in found and high >= len(splits["train"]):
        raise InputError(
            f"Expected fewer classes than the {len(splits['train'])} images of x_train in {str(path)!r}. "
            f"Received: a label {high}"
        )
    named = found.get("classes", np.arange(high + 1))
    classes = tuple(np.ravel(named).astype(str).tolist())
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise InputError(f"Expected two or more different classes in {str(path)!r}. Received: {list(classes)}")
    if high >= len(classes):
        raise InputError(f"Expected the labels 0 … {len(classes) - 1} in {str(path)!r}. Received: a label {high}")
    for code, name in enumerate(classes):
        if np.sum(splits["train"].labels == code) < 3:
            raise InputError(f"Expected at least 3 images of {name!r} in x_train of {str(path)!r}")
    return classes
