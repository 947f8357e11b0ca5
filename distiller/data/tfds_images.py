"""Images of any data set of tensorflow_datasets that has an image and a label."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from distiller.data import mapped
from distiller.data.splits import Split, hold_out
from distiller.errors import InputError, WorkError
from distiller.utils.progress import Reporter

PREFIX = "tfds:"
_TRAIN, _TEST, _VALIDATION = ("train",), ("test",), ("validation", "val", "valid")
_TOGETHER = 64


def read(
    name: str, data_dir: str | Path | None, image_size: tuple[int, int] | None, cache_dir: Path | None, seed: int
) -> tuple[Split, Split | None, Split, tuple[str, ...]]:
    """Train, validation (None where there is none) and test images of `tfds:NAME`, and their classes.

    Its splits are kept. Without `test` the validation images are the test split, and without those either a sixth of
    the training images, drawn by `seed`. Where images have several sizes, or another is asked for, they are resized
    (bilinear, antialiased). Larger than memory, or with `cache_dir`, they are in a mapped file.

    Raises:
        InputError: the data set has no image or no label of classes, or no training images.
        WorkError: it is not there and cannot be downloaded, or tensorflow_datasets is not installed.
    """
    builder = _builder(name.removeprefix(PREFIX), data_dir)
    features = builder.info.features
    image, label = _features(features, name)
    classes = tuple(features[label].names)
    if len(classes) < 2:
        raise InputError(f"Expected two or more classes in {name!r}. Received: {len(classes)}")
    height, width, channels = features[image].shape
    if image_size and height and width and image_size != (height, width):
        asked = "×".join(map(str, image_size))
        Reporter().say(f"The images in {name!r}, of {height}×{width}, are resized to {asked}")
    size = image_size or ((height, width) if height and width else None)
    if size is None:
        size = (32, 32)
        Reporter().say(f"The images in {name!r} are resized to 32×32: `image_size` says another")
    parts = _parts(builder.info.splits, name)
    counts = [builder.info.splits[part].num_examples for part in parts.values()]
    # Images with transparency lose it.
    shape = (*size, 1 if channels == 1 else 3)
    make = partial(_blocks, builder, list(parts.values()), image, shape, f"read {name}")
    if cache_dir is None and not mapped.is_large(sum(counts), shape):
        images = np.empty((sum(counts), *shape), np.uint8)
        done = 0
        for block in make():
            images[done : done + len(block)] = block
            done += len(block)
    else:
        key = [builder.info.full_name, counts, _fingerprint(builder)]
        title = name.replace(":", "-").replace("/", "-")
        images = mapped.stored(title, key, shape, sum(counts), make, cache_dir)
    labels: list[int] = []
    for part in parts.values():
        labels += [int(each[label]) for each in _examples(builder, part, image)]
    ends = np.cumsum(counts).tolist()
    splits = {
        part: Split(images[end - count : end], np.array(labels[end - count : end], "int32"))
        for part, end, count in zip(parts, ends, counts, strict=True)
    }
    train, held, test = splits["train"], splits.get("validation"), splits.get("test")
    if test is None and held is not None:
        test, held = held, None
    if test is None:
        train, test = hold_out(train, 1 / 6, seed)
    return train, held, test, classes


def _builder(name: str, data_dir: str | Path | None) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise WorkError(
            f"{PREFIX}{name} needs tensorflow_datasets: pip install tensorflow-datasets. {error}"
        ) from error
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # tfds raises whatever its downloader, its file system and its parsers raise
        reason = " ".join(str(error).split())[:300]
        raise WorkError(
            f"tensorflow_datasets could not prepare {name!r} in {data_dir or 'its default folder'}: {reason}. Expected "
            "a name of its catalogue and a network, or data_dir, the folder in which the data set is prepared"
        ) from error
    return builder


def _features(features: Any, name: str) -> tuple[str, str]:
    """Names of the image and of the label: the usual ones, else the only one of its kind."""
    import tensorflow_datasets as tfds

    found = []
    for usual, kind in (("image", tfds.features.Image), ("label", tfds.features.ClassLabel)):
        names = [key for key in features if isinstance(features[key], kind)]
        if usual not in names and len(names) != 1:
            raise InputError(
                f"Expected a data set with an image and a label in {name!r}, as {usual}. "
                f"Received: {', '.join(f'{key} ({type(features[key]).__name__})' for key in features)}"
            )
        found.append(usual if usual in names else names[0])
    return found[0], found[1]


def _parts(splits: Any, name: str) -> dict[str, str]:
    """Names of the splits that are training, validation and test images."""
    found = {}
    for part, usual in (("train", _TRAIN), ("validation", _VALIDATION), ("test", _TEST)):
        there = [each for each in usual if each in splits and splits[each].num_examples]
        if there:
            found[part] = there[0]
    if "train" not in found:
        raise InputError(f"Expected a split train in {name!r}. Received: {', '.join(splits) or 'none'}")
    return found


def _examples(builder: Any, part: str, image: str, *, decode: bool = False) -> Iterator[dict[str, Any]]:
    """The examples of a split in the order of its files; images as they are stored, unless they are to be decoded."""
    import tensorflow_datasets as tfds

    skip = {} if decode else {image: tfds.decode.SkipDecoding()}
    return iter(tfds.as_numpy(builder.as_dataset(split=part, shuffle_files=False, decoders=skip)))


def _blocks(
    builder: Any, parts: list[str], image: str, shape: tuple[int, int, int], title: str
) -> Iterator[np.ndarray]:
    total = sum(builder.info.splits[part].num_examples for part in parts)
    done, block = 0, []
    with Reporter().task(title, total) as task:
        for part in parts:
            for example in _examples(builder, part, image, decode=True):
                block.append(_resized(example[image], shape))
                if len(block) == _TOGETHER:
                    yield np.stack(block)
                    done, block = done + len(block), []
                    task.advance_to(done)
        if block:
            yield np.stack(block)
            task.advance_to(total)


def _resized(pixels: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """An image (height, width, channels) in another size, uint8, with the first `shape[-1]` colours."""
    from PIL import Image

    if pixels.dtype != np.uint8:
        raise InputError(f"Expected images of whole numbers up to 255 in tensorflow_datasets. Received: {pixels.dtype}")
    if pixels.shape[-1] != shape[-1]:
        pixels = np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
    if pixels.shape[:2] == shape[:2]:
        return pixels
    grey = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    resized = np.asarray(image.resize(shape[1::-1], Image.Resampling.BILINEAR))
    return resized[..., None] if grey else resized


def _fingerprint(builder: Any) -> list[list[Any]]:
    """Names, sizes and times of change of the files of a prepared data set."""
    files = sorted(path for path in Path(builder.data_dir).iterdir() if path.is_file())
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
