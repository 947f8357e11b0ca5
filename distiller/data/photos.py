"""Image files as arrays: upright, on white, in three colours and one size."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np

from distiller.errors import InputError
from distiller.utils.progress import Reporter

# What Pillow knows by name and leaves to other programs.
_NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
# Phones take photos of 200 million pixels, of which each takes four bytes while a file is decoded. A file of a few
# hundred kilobytes may have many more.
_MOST_PIXELS = 250_000_000
# Photos of more pixels are decoded one at a time, and made smaller strip by strip before they have three colours.
_LARGE = 2**25
_PART = 2**22
_one_at_a_time = threading.Lock()
# Images that are decoded before the next are begun, and bytes of them.
_TOGETHER, _BYTES = 256, 2**22
# Broken images that a message names.
_NAMED = 5


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
        InputError: a file that cannot be read, has more than 250 million pixels, or pixels that are floating-point
            numbers.
    """
    images = np.empty((len(paths), *size, 3), np.uint8)
    done = 0
    for block in blocks(paths, size, title):
        images[done : done + len(block)] = block
        done += len(block)
    return images


def blocks(paths: Sequence[Path], size: tuple[int, int], title: str) -> Iterator[np.ndarray]:
    """The same images, a few at a time, so that no more of them are in memory; errors as of `read`, at the end."""
    broken: list[str] = []
    together = max(2 * _workers(), min(_TOGETHER, _BYTES // (size[0] * size[1] * 3)))
    with _of_any_size(), Reporter().task(title, len(paths)) as task, ThreadPoolExecutor(_workers()) as pool:
        for first in range(0, len(paths), together):
            found = list(pool.map(lambda path: _image_or_problem(path, size), paths[first : first + together]))
            broken += [problem for problem in found if isinstance(problem, str)]
            task.advance_to(first + len(found))
            if not broken:
                yield np.stack([image for image in found if not isinstance(image, str)])
    if broken:
        raise BrokenImages(sorted(broken))


def _workers() -> int:
    """One thread a processor and one more, for what waits for the disk."""
    # Not all of a machine's, where a process may use some of them.
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class BrokenImages(InputError):
    """Images that cannot be read: all are counted, and the first are named, each with its reason in `problems`."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        named = "; ".join(f"the image {problem}" for problem in problems[:_NAMED])
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        several = f"{len(problems)} images cannot be read: " if len(problems) > 1 else ""
        said = f"{several}{named}{more}"
        super().__init__(f"{said[0].upper()}{said[1:]}")


def sizes_differ(paths: Sequence[Path], size: tuple[int, int]) -> bool:
    """Return whether the first of the images that can be read has another height or width than `size`."""
    from PIL import Image

    for path in paths:
        with suppress(Exception), Image.open(path) as file:
            return (file.height, file.width) != size
    return False


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Let Pillow open photos of more than 89 million pixels, as phones take them."""
    from PIL import Image

    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = most


def _image_or_problem(path: Path, size: tuple[int, int]) -> np.ndarray | str:
    """The pixels of an image, or its path and what is wrong with it."""
    try:
        return _image(path, size)
    except MemoryError:
        return f"{str(path)!r} cannot be read: no memory is left for it"
    except Exception as error:  # of whatever a damaged file makes
        # Pillow says the path once more of a file that is no image.
        reason = " ".join(str(error).replace(repr(str(path)), "it").split())
        return f"{str(path)!r} cannot be read: {reason}"


def _image(path: Path, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        pixels = file.width * file.height
        if pixels > _MOST_PIXELS:
            raise InputError(
                f"expected {_MOST_PIXELS:,} pixels at most. Received: {file.width:,} × {file.height:,}. "
                "Make it smaller, or take it out of the folder"
            )
        file.draft("RGB", (2 * max(size),) * 2)  # a large JPEG is decoded smaller, by a power of two
        with _one_at_a_time if pixels > _LARGE else nullcontext():
            image = _reduced(file, 4 * max(size)) if file.width * file.height > _LARGE else file
            upright = ImageOps.exif_transpose(image)
            return np.asarray(_coloured(upright).resize(size[::-1], Image.Resampling.BILINEAR))


def _reduced(image: Any, side: int) -> Any:
    """An image in three colours and both sides `side` pixels or a little more, where they are longer: means of pixels.

    It is made from strips of the image, as one of three colours takes four times the memory of a drawing.
    """
    from PIL import Image

    image.load()  # which turns a TIFF
    factors = [max(1, length // side) for length in image.size]
    width, height = (-(-length // factor) for length, factor in zip(image.size, factors, strict=True))
    reduced = Image.new("RGB", (width, height))
    rows = max(1, _PART // image.width // factors[1]) * factors[1]
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        reduced.paste(_coloured(strip).reduce(tuple(factors)), (0, top // factors[1]))
    orientation = 0x0112
    reduced.getexif()[orientation] = image.getexif().get(orientation, 1)
    return reduced


def _coloured(image: Any) -> Any:
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
