"""Images with a mask each: PNG files of the class numbers of their pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distiller.data import photos
from distiller.data.folders import Photos, key_of
from distiller.errors import InputError
from distiller.utils.progress import Reporter

IMAGES, MASKS = "images", "masks"
# The number of pixels that do not count, as in masks of the field; in labels it is −1.
IGNORED = 255


def list_pairs(
    folder: Path, size: tuple[int, int], classes: Sequence[str] | None, seed: int
) -> tuple[Photos, tuple[str, ...]]:
    """The images in `images/` with the masks of their names in `masks/`, int32 (n, height, width), and the classes.

    A mask has one channel, of bytes or of a palette, and the size of its image; 255 is −1, which does not count. Masks
    are resized to `size` without mixing numbers. Classes are the names of the numbers from 0, by default the numbers.

    Raises:
        InputError: a folder, an image or a mask is missing, a mask has another size or is none, or holds a number of no
            class; the message names the file.
    """
    for name in (IMAGES, MASKS):
        if not (folder / name).is_dir():
            raise InputError(f"Expected the folders {IMAGES} and {MASKS} in {str(folder)!r}. Received: no {name}")
    found, _ = photos.find(folder / IMAGES)
    if not found:
        raise InputError(f"Expected images in {str(folder / IMAGES)!r}. Received: none")
    stems: dict[Path, Path] = {}
    for path in found:
        stem = path.relative_to(folder / IMAGES).with_suffix("")
        if stem in stems:
            raise InputError(f"Expected one image of each name. Received: {str(stems[stem])!r} and {str(path)!r}")
        stems[stem] = path
    with Reporter().task(f"read the masks of {folder.name}", len(found)) as task:
        masks = np.empty((len(found), *size), "int32")
        for done, (stem, path) in enumerate(stems.items()):
            masks[done] = _mask(folder / MASKS / f"{stem}.png", path, size, classes)
            task.advance_to(done + 1)
    highest = int(masks.max())
    names = tuple(classes) if classes else tuple(map(str, range(highest + 1)))
    if len(names) < 2:
        raise InputError(f"Expected two or more classes in {str(folder / MASKS)!r}. Received: {', '.join(names)}")
    named = np.array([path.relative_to(folder).as_posix() for path in found])
    keys = np.array([key_of(name, seed) for name in named], np.uint64)
    return Photos(np.array(found, object), named, masks, keys), names


def _mask(path: Path, image: Path, size: tuple[int, int], classes: Sequence[str] | None) -> np.ndarray:
    from PIL import Image

    if not path.is_file():
        raise InputError(f"Expected the mask {str(path)!r} of the image {str(image)!r}. Received: no such file")
    try:
        with Image.open(path) as file:
            mode, sides = file.mode, file.size
            resized = file.resize(size[::-1], Image.Resampling.NEAREST) if mode in ("L", "P", "1") else None
            numbers = np.unique(np.asarray(file)) if resized is not None else np.empty(0)
        with Image.open(image) as file:
            expected = _upright(file)
    except (OSError, ValueError) as error:
        raise InputError(f"The mask {str(path)!r} or its image {str(image)!r} cannot be read: {error}") from error
    if resized is None:
        raise InputError(
            f"Expected a mask of one channel of bytes, the numbers of classes, in {str(path)!r}. Received: mode {mode}"
        )
    if sides != expected:
        raise InputError(
            f"Expected the mask {str(path)!r} in the size of its image, {expected[0]}×{expected[1]}. "
            f"Received: {sides[0]}×{sides[1]}"
        )
    known = numbers[numbers != IGNORED]
    if classes and known.size and known.max() >= len(classes):
        raise InputError(
            f"Expected the numbers 0 … {len(classes) - 1} of classes, or {IGNORED} for none, in {str(path)!r}. "
            f"Received: {known.max()}"
        )
    mask = np.asarray(resized).astype("int32")
    return np.where(mask == IGNORED, -1, mask)


def _upright(file: Any) -> tuple[int, int]:
    """Width and height of an image once it is turned as its EXIF data says."""
    orientation = 0x0112
    turned = file.getexif().get(orientation, 1) >= 5
    return (file.height, file.width) if turned else (file.width, file.height)
