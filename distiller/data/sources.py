"""Sources of images: tensorflow_datasets, scikit-learn's digits, a folder of class folders, a file of arrays."""

from pathlib import Path

import numpy as np

from distiller.data import arrays, folders, photos, sounds, tfds_images
from distiller.data.splits import Dataset, Split, hold_out
from distiller.errors import InputError, WorkError
from distiller.utils.progress import Reporter
from distiller.utils.suggestions import unknown

NAMES = ("cifar10", "cifar100", "digits", "tones")
# Height and width that a folder's images are resized to where nothing is said, and how many are looked at before.
_USUAL_SIZE, _LOOKED_AT = (32, 32), 5
# Splits are part of what a data set is here: the same for every seed of training.
SPLIT_SEED = 20240604


def load(
    name: str | Path,
    *,
    data_dir: str | Path | None = None,
    validation: float = 0.1,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | Path | None = None,
) -> Dataset:
    """Train, validation and test images by name, from a folder with one folder per class, or from arrays.

    Args:
        name: "cifar10", "cifar100" (through tensorflow_datasets), "digits" (scikit-learn's 1,797 handwritten digits,
            8×8, no download), "tones" (synthesised sounds as spectrograms, 49×40), "tfds:NAME" of any other data set of
            tensorflow_datasets with an image and a label, such as "tfds:oxford_flowers102", or the path of a folder,
            also of WAV files (`distiller.data.sounds.read`). A folder with subfolders `train` and `test`, and
            perhaps `val`, keeps that division (`Train`, `testing` and the like as well; the images in `val` are the
            test split where there is no `test`); of any other a sixth is the test split.
            What is held out follows from the names of the files: one photo more in an undivided folder moves, of its
            class, one image at most into each split, and none from the training images into the test split. Or the
            path of a file of arrays, `.npz`, with `x_train`, uint8 (n, height, width, channels) or (n, height, width),
            and `y_train`, whole numbers from 0; perhaps `x_val`, `y_val`, `x_test` and `y_test`; and perhaps
            `classes`, their names. Other images in it are another choice of what is held out.
        data_dir: where tensorflow_datasets keeps its data, its own default where None; a file `cifar10.npz` in it,
            which `export` writes, is read without TensorFlow.
        validation: share of the training images that is held out, the same in every class; none where there are
            validation images.
        image_size: height and width that the images of a folder or of "tfds:NAME" are resized to, 32×32 where None,
            which is then told, or the one size that those of "tfds:NAME" have; other sources have their own.
        cache_dir: folder into which the images of a folder or of "tfds:NAME" are decoded once, in the size that is
            asked for, and mapped into memory from there: the same images, however many. Where None they are in memory,
            or if they would take more than half of what is free, in a file in `~/.cache/distillite/images`, which is
            then told. The file belongs to these paths, sizes and times of change, and is made anew where one differs.

    Raises:
        InputError: unknown name, missing folder or file, fewer than two classes, some of `train`, `val` and `test`
            alone, or arrays that are no images with their classes.
        WorkError: the data could not be prepared, or decoded images not be written.
    """
    folder = None if cache_dir is None else Path(cache_dir)
    train, held, test, classes = _divided(name, data_dir, image_size, validation, folder)
    if held is None:
        train, held = hold_out(train, validation, SPLIT_SEED)
    return Dataset(Path(name).name, train, held, test, classes)


def export(
    name: str | Path,
    path: str | Path,
    *,
    data_dir: str | Path | None = None,
    image_size: tuple[int, int] | None = None,
) -> None:
    """Write the images that `load` finds by `name` into a file of arrays that `load` reads.

    In a data folder, as `cifar10.npz`, it stands for what tensorflow_datasets would load, in the same order, also on a
    machine without TensorFlow. What is held out of a folder's training images is chosen anew in its file. The arguments
    are those of `load`, and `path` is of the file.

    Raises:
        InputError: `path` does not end with .npz, or as of `load`.
        WorkError: the file cannot be written, or as of `load`.
    """
    if Path(path).suffix != arrays.ENDING:
        raise InputError(f"Expected a file name that ends with {arrays.ENDING!r}. Received: {str(path)!r}")
    train, held, test, classes = _divided(name, data_dir, image_size)
    arrays.write(Path(path), {"train": train, "val": held, "test": test}, classes)


def is_name(name: str | Path) -> bool:
    """Return whether images are named, as a data set of this package or of tensorflow_datasets, and no path of them.

    >>> from distiller.data import is_name
    >>> is_name("digits"), is_name("tfds:oxford_flowers102"), is_name("photos")
    (True, True, False)
    """
    return str(name) in NAMES or str(name).startswith(tfds_images.PREFIX)


def can_resize(name: str | Path) -> bool:
    """Return whether the images of a name come in the size that is asked for: those of folders and of "tfds:NAME".

    >>> from distiller.data import can_resize
    >>> can_resize("tfds:oxford_flowers102"), can_resize("digits")
    (True, False)
    """
    return str(name).startswith(tfds_images.PREFIX) or Path(name).is_dir()


def _divided(
    name: str | Path,
    data_dir: str | Path | None,
    image_size: tuple[int, int] | None,
    validation: float | None = None,
    cache_dir: Path | None = None,
) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none yet) and test images, and their classes.

    `validation` is the share that is held out of a folder's training images.
    """
    if str(name) in ("cifar10", "cifar100"):
        _check_data_dir(data_dir)
        exported = Path(data_dir) / f"{name}{arrays.ENDING}" if data_dir is not None else None
        if exported and exported.is_file():
            return arrays.read(exported, SPLIT_SEED)
        train, test, classes = _from_tfds(str(name), data_dir)
        return train, None, test, classes
    if str(name).startswith(tfds_images.PREFIX):
        _check_data_dir(data_dir)
        return tfds_images.read(str(name), data_dir, image_size, cache_dir, SPLIT_SEED)
    if str(name) == "digits":
        train, test, classes = _digits()
        return train, None, test, classes
    if str(name) == "tones":
        train, test = (sounds.synthesised(count, seed) for count, seed in ((200, 0), (75, 1)))
        return train, None, test, sounds.CLASSES
    if Path(name).is_dir() and sounds.is_folder_of_sounds(Path(name)):
        return sounds.read(Path(name), validation, SPLIT_SEED)
    if Path(name).is_dir():
        if image_size is None and photos.sizes_differ(photos.find(Path(name))[0][:_LOOKED_AT], _USUAL_SIZE):
            Reporter().say(f"The images in {str(name)!r} are resized to 32×32: `image_size` says another")
        return folders.read(Path(name), image_size or _USUAL_SIZE, validation, SPLIT_SEED, cache_dir)
    if Path(name).suffix == arrays.ENDING:
        return arrays.read(Path(name), SPLIT_SEED)
    if Path(name).is_file():
        raise InputError(
            f"Expected a folder of class folders or a file of arrays ({arrays.ENDING}). Received: {str(name)!r}"
        )
    if "/" in str(name) or isinstance(name, Path):
        raise InputError(f"The image folder {str(name)!r} does not exist")
    raise InputError(
        unknown("data set", name, NAMES)
        + " A folder of class folders, a file of arrays or tfds:NAME of tensorflow_datasets is welcome too."
    )


def _check_data_dir(data_dir: str | Path | None) -> None:
    """A folder that is misspelt would be downloaded to."""
    if data_dir is None or Path(data_dir).is_dir() or Path(data_dir) == Path("~/tensorflow_datasets").expanduser():
        return
    raise InputError(
        f"The data folder {str(data_dir)!r} does not exist. Make it to download to it, or leave it out: "
        "tensorflow_datasets has a folder of its own"
    )


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
    train, test = hold_out(Split(images, digits.target.astype("int32")), 0.25, SPLIT_SEED)
    return train, test, tuple(str(i) for i in range(10))
