"""Images for an application's own test, and the answers of the interpreter here to them."""

import io
from dataclasses import dataclass

import numpy as np

from tflite.app_bundle.contract import Contract
from tflite.errors import ModelError
from tflite.model_file.interpreter import Runner

# Enough to see swapped colours, swapped axes and a wrong scale; an application's test stays quick.
COUNT = 3


@dataclass(frozen=True)
class TestImage:
    """An image and the answer to it.

    Attributes:
        name: of its file, without the ending.
        pixels: (height, width, channels), uint8.
        scores: real numbers, (classes,), as the file gives them.
    """

    # Not a class of tests, whatever pytest takes the name for.
    __test__ = False

    name: str
    pixels: np.ndarray
    scores: np.ndarray

    @property
    def best(self) -> int:
        """The class with the largest score; the first of several."""
        return int(np.argmax(self.scores))

    def png(self) -> bytes:
        """The image as a PNG file, which loses nothing."""
        from PIL import Image

        buffer = io.BytesIO()
        grey = self.pixels.shape[-1] == 1
        Image.fromarray(self.pixels[..., 0] if grey else self.pixels).save(buffer, "PNG")
        return buffer.getvalue()


def answered(contract: Contract, images: np.ndarray | None, threads: int = 1) -> tuple[TestImage, ...]:
    """Test images with the answers of the file through the interpreter.

    Args:
        contract: of the file.
        images: uint8, (n, height, width, channels); the first three are used. None makes three images up, of smooth
            colours with noise, from a fixed seed.
        threads: of the interpreter.

    Raises:
        ModelError: images of another shape or type.
    """
    chosen = made_up(contract.input.shape[1:], COUNT) if images is None else np.asarray(images)
    if chosen.dtype != np.uint8 or chosen.ndim != 4 or not len(chosen):
        raise ModelError(
            f"Expected test images as uint8 of shape (n, height, width, channels). Received: {chosen.dtype} "
            f"{chosen.shape}"
        )
    chosen = chosen[:COUNT]
    scores = Runner(contract.path, threads=threads)(chosen)
    return tuple(TestImage(f"image_{i}", image, row) for i, (image, row) in enumerate(zip(chosen, scores, strict=True)))


def made_up(shape: tuple[int, ...], count: int) -> np.ndarray:
    """Images (count, height, width, channels), uint8, of smooth colours with noise, from a fixed seed.

    Args:
        shape: of an image.
        count: how many.
    """
    random = np.random.default_rng(0)
    height, width, channels = shape
    rows, columns = np.mgrid[0:1:height*1j, 0:1:width*1j][..., None]  # fmt: skip
    waves = random.uniform(0.5, 3, (2, count, 1, 1, channels))
    smooth = 127.5 + 100 * np.sin(2 * np.pi * (waves[0] * rows + waves[1] * columns))
    return np.clip(smooth + random.normal(0, 20, smooth.shape), 0, 255).astype("uint8")
