"""Image files as arrays: upright, on white, in three colours and one size."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from distiller.errors import InputError
from distiller.progress import Reporter

# What Pillow knows by name and leaves to other programs.
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


def find(folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files in a folder and the folders in it, in the order of their names, and the files of other kinds.

    What is hidden, such as the `._*` files of macOS, is neither.
    """
    from PIL import Image

    kinds = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN.keys() - _NOT_READ}
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    images = [path for path in files if path.suffix.lower() in kinds]
    return images, [path for path in files if path.suffix.lower() not in kinds]


def read(paths: Sequence[Path], size: tuple[int, int], title: str) -> np.ndarray:
    """Images of `size`, height and width, as uint8 (files, height, width, 3), with a bar while they are read.

    Photos are turned as their EXIF data says, transparent pixels lie on white, and of several frames the first counts.

    Raises:
        InputError: a file that cannot be read, or whose pixels are floating-point numbers.
    """
    images = np.empty((len(paths), *size, 3), np.uint8)
    with _of_any_size(), Reporter().task(title, len(paths)) as task, ThreadPoolExecutor() as pool:
        for i, image in enumerate(pool.map(lambda path: _image(path, size), paths)):
            images[i] = image
            task.advance_to(i + 1)
    return images


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Let Pillow open photos of more than 89 million pixels, as phones take them."""
    from PIL import Image

    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = most


def _image(path: Path, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            file.draft("RGB", (2 * max(size),) * 2)  # a large JPEG is decoded smaller, by a power of two
            upright = ImageOps.exif_transpose(file)
            return np.asarray(_coloured(upright).resize(size[::-1], Image.Resampling.BILINEAR))
    except Exception as error:  # of whatever a damaged file makes
        raise InputError(f"The image {str(path)!r} cannot be read: {error}") from None


def _coloured(image):
    """An image in three colours of eight bits."""
    from PIL import Image

    if image.mode == "F":  # perhaps to 1, perhaps to 65535
        raise InputError("its pixels are floating-point numbers of no known range. Save it with 8 or 16 bits a colour")
    if image.mode.startswith("I"):  # sixteen bits of grey
        return Image.fromarray((np.asarray(image, "int64").clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
