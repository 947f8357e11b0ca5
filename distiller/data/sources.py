"""Where images come from: tensorflow_datasets, scikit-learn's digits, a folder of class folders."""

from pathlib import Path

import numpy as np

from distiller.data.splits import Dataset, Split, hold_out
from distiller.errors import InputError, WorkError
from distiller.nearest import unknown

NAMES = ("cifar10", "cifar100", "digits")
# Names that a folder of validation images goes by.
_HELD = ("val", "valid", "validation")
# Splits are part of what a data set is here: the same for every seed of training.
_SPLIT_SEED = 20240604


def load(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    validation: float = 0.1,
    image_size: tuple[int, int] = (32, 32),
) -> Dataset:
    """Train, validation and test images by name, or from a folder that holds one folder of images a class.

    Args:
        name: "cifar10", "cifar100" (through tensorflow_datasets), "digits" (scikit-learn's 1,797 handwritten digits,
            8×8, no download), or the path of a folder. A folder with subfolders `train` and `test`, and perhaps `val`,
            keeps that division; of any other a sixth is the test split.
        data_dir: where tensorflow_datasets keeps its data; its own default where None.
        validation: share of the training images that is held out, the same in every class; of a folder with `val`,
            none is.
        image_size: height and width that a folder's images are resized to; other sources have their own.

    Raises:
        InputError: unknown name, missing folder, fewer than two classes, or some of `train`, `val` and `test` alone.
        WorkError: the data could not be prepared.
    """
    held = None
    if data_dir is not None and not Path(data_dir).is_dir():
        raise InputError(f"The data folder {str(data_dir)!r} does not exist")
    if str(name) in ("cifar10", "cifar100"):
        train, test, classes = _from_tfds(str(name), data_dir)
    elif str(name) == "digits":
        train, test, classes = _digits()
    elif Path(name).is_dir():
        train, held, test, classes = _from_folder(Path(name), image_size)
    elif "/" in str(name) or isinstance(name, Path):
        raise InputError(f"The image folder {str(name)!r} does not exist")
    else:
        raise InputError(unknown("data set", name, NAMES) + " A folder of class folders is welcome too.")
    if held is None:
        train, held = hold_out(train, validation, _SPLIT_SEED)
    return Dataset(Path(name).name, train, held, test, classes)


def _from_tfds(name: str, data_dir: str | Path | None) -> tuple[Split, Split, tuple[str, ...]]:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
        info = builder.info
        whole = {split: tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)) for split in ("train", "test")}
    except Exception as error:  # tfds raises whatever its downloader, its file system and its parsers raise
        raise WorkError(
            f"tensorflow_datasets could not prepare {name!r} in {data_dir or 'its default folder'}: {error}"
        ) from error
    train, test = (Split(part["image"], part["label"].astype("int32")) for part in whole.values())
    return train, test, tuple(info.features["label"].names)


def _digits() -> tuple[Split, Split, tuple[str, ...]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype("uint8")[..., None]
    train, test = hold_out(Split(images, digits.target.astype("int32")), 0.25, _SPLIT_SEED)
    return train, test, tuple(str(i) for i in range(10))


def _from_folder(folder: Path, image_size: tuple[int, int]) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    there = _folders_in(folder)
    division = there & {"train", "test", *_HELD}
    if not division or (there - division and not {"train", "test"} <= there):
        both, classes = _read_classes(folder, image_size)
        train, test = hold_out(both, 1 / 6, _SPLIT_SEED)
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
        others[part], its_classes = _read_classes(folder / part, image_size)
        if its_classes != classes:
            raise InputError(
                f"Expected the same class folders in train and {part} of {str(folder)!r}. "
                f"Received: {', '.join(sorted(set(classes) ^ set(its_classes)))} in one of them only"
            )
    return train, others[held[0]] if held else None, others["test"], classes


def _folders_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}


def _read_classes(folder: Path, image_size: tuple[int, int]) -> tuple[Split, tuple[str, ...]]:
    import keras

    classes = tuple(sorted(_folders_in(folder)))
    if len(classes) < 2:
        raise InputError(
            f"Expected two or more class folders in {str(folder)!r}. Received: {', '.join(classes) or 'none'}"
        )
    try:
        batches = keras.utils.image_dataset_from_directory(
            str(folder),
            class_names=list(classes),
            image_size=image_size,
            shuffle=False,
            batch_size=256,
            verbose=False,
        )
        parts = [(np.asarray(x), np.asarray(y)) for x, y in batches]
    except Exception as error:  # unreadable images surface as backend errors
        raise InputError(f"Could not read the images in {str(folder)!r}: {error}") from error
    images = np.clip(np.round(np.concatenate([x for x, _ in parts])), 0, 255).astype("uint8")
    labels = np.concatenate([y for _, y in parts]).astype("int32")
    for code, name in enumerate(classes):
        if np.sum(labels == code) < 3:
            raise InputError(
                f"Expected at least 3 images in {str(folder / name)!r}. Received: {np.sum(labels == code)}"
            )
    return Split(images, labels), classes
