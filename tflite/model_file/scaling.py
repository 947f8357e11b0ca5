"""Scaling of images to the numbers that a file's input stands for."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.metadata.reading import metadata_or_none
from tflite.model_file.tensor_spec import TensorSpec

if TYPE_CHECKING:
    from tflite.model_file.metadata.schema import Metadata

# What pixels are scaled to where nothing is said: the ends of the numbers, then mean and deviation.
_USUAL = (
    ((0.0, 1.0), (0.0, 255.0)),
    ((-1.0, 1.0), (127.5, 127.5)),
    ((-0.5, 0.5), (127.5, 255.0)),
    ((-128.0, 127.0), (128.0, 1.0)),
)
# Of the width of a range: so near, two ranges are the same one. Images that ranges are measured on may lack black and
# white, and mean and deviation of a channel each give ends that are further off.
_NEAR = 0.03
# Of the width of a range: what is less far outside is rounding, or an image a little brighter than those it was
# measured on.
_MARGIN = 0.05
# The share of the numbers other than zero that may be further outside. Dark and empty places are zero in many units.
_MOST_OUTSIDE = 0.25
# In a range that reaches so far, scaled pixels would fill one or two steps.
_RAW = 64.0

Numbers = tuple[np.ndarray | float, np.ndarray | float]


class Scaling:
    """The way from images to real numbers in the unit of a file's input.

    Pixels, which are integers of [0, 255], are scaled as TFLite Metadata says; where it says nothing, to [0, 1],
    [−1, 1] or [−0.5, 0.5] where the quantized input stands for these. A quantized uint8 input takes uint8 pixels as
    they are, whatever its integers stand for, as it does on a phone. Real numbers are in the unit of the input, or raw
    pixels where the metadata tells that they cannot be; int8 numbers for an int8 input are its own.

    What the first images are holds for the later ones.

    Args:
        path: of the file, for messages.
        content: of the file.
        port: its input.
        stated: whether the file's metadata is of this input.
    """

    def __init__(self, path: str | Path, content: bytes, port: TensorSpec, *, stated: bool = True):
        self._path, self._port = str(path), port
        self._image = len(port.shape) == 4
        self._stated = _stated(self._path, metadata_or_none(content), port) if stated else None
        self._ends, self._symmetric = _ends(Flatbuffer(content), port)
        if self._ends is None and self._stated is not None:
            low, high = ((end - np.asarray(self._stated[0])) / self._stated[1] for end in (0, 255))
            self._ends = float(np.min([low, high])), float(np.max([low, high]))
        self._chosen: Numbers | None = None
        self._own = self._seen = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Real numbers of images (n, …), in the same shape.

        Raises:
            ModelError: pixels whose scaling is not known, or numbers of another unit than the input's: most of them
                outside of its range, or all so near zero that they fall on one or two of its integers.
        """
        if not self._seen:
            self._choose(images)
            self._seen = True
        if self._own:
            return self._port.dequantize(images)
        if self._chosen is None:
            return images
        mean, deviation = self._chosen
        return ((images - np.asarray(mean)) / deviation).astype("float32")

    @property
    def normalization(self) -> Numbers:
        """Mean and deviation with which the first images became numbers: (image − mean) / deviation."""
        if self._own:
            return self._port.zero_point or 0, 1 / (self._port.scale or 1.0)
        return self._chosen or (0.0, 1.0)

    def _choose(self, images: np.ndarray) -> None:
        if images.dtype == self._port.dtype == "int8":
            self._own = self._port.quantized
        elif images.dtype.kind in "ui" and self._of_pixels(images):
            self._choose_for_pixels(images)
        else:
            self._choose_for_numbers(images)

    def _of_pixels(self, images: np.ndarray) -> bool:
        """Return whether integers are pixels; zeros and ones are so only where they may be nothing else."""
        low, high = images.min(), images.max()
        return low >= 0 and high <= 255 and (high > 1 or not high) and (self._image or images.dtype == "uint8")

    def _choose_for_pixels(self, images: np.ndarray) -> None:
        if self._port.dtype == images.dtype == "uint8":
            self._own = self._port.quantized and not self._takes_pixels
        elif self._stated is not None:
            self._chosen = self._stated
        elif self._ends is not None and not (self._takes_pixels and self._outside(images) <= _MOST_OUTSIDE):
            usual = () if self._symmetric else _USUAL
            self._chosen = next((scaled for ends, scaled in usual if self._reaches(*ends)), None)
            if self._chosen is None:
                raise ModelError(
                    f"Expected numbers from {self._ends[0]:.4g} to {self._ends[1]:.4g}, which the input of "
                    f"{self._path!r} stands for. Received: pixels from {images.min()} to {images.max()}, and neither "
                    "its range nor its metadata tells how they are scaled. Give real numbers in the unit of the model, "
                    "or write mean and deviation into the file: tflite.convert(..., normalization=(mean, std))"
                )

    def _choose_for_numbers(self, images: np.ndarray) -> None:
        numbers = images[np.isfinite(images)]
        if not numbers.any() or self._ends is None:
            return
        low, high = float(numbers.min()), float(numbers.max())
        width = self._ends[1] - self._ends[0]
        above = self._ends[1] + _MARGIN * width
        if self._stated is not None and self._image and low >= 0 and above < high <= 255:
            self._chosen = self._stated
            return
        if (share := self._outside(numbers)) > _MOST_OUTSIDE:
            self._refuse(low, high, f"{share:.0%} of those that are not zero outside of that")
        if self._ends[1] >= _RAW and max(-low, high) <= 1:
            self._refuse(low, high, "all so near zero that they are the same to it")
        if self._image and low >= 0 and self._two_sided:
            self._refuse(low, high, "none of them below zero, where dark pixels are")

    def _outside(self, numbers: np.ndarray) -> float:
        """The share of the numbers other than zero that are outside of the input's range."""
        assert self._ends is not None
        margin = _MARGIN * (self._ends[1] - self._ends[0])
        outside = (numbers < self._ends[0] - margin) | (numbers > self._ends[1] + margin)
        return float(outside.sum() / max(1, np.count_nonzero(numbers)))

    @property
    def _takes_pixels(self) -> bool:
        """True if the input stands for raw pixels, as far as its range tells; one of int16 is always symmetric."""
        if self._ends is None or self._stated is not None or self._ends[1] < _RAW:
            return False
        return self._symmetric or self._ends[0] > -0.25 * self._ends[1]

    @property
    def _two_sided(self) -> bool:
        """True if the darkest pixel is as far below zero as the lightest is above it, or the file says how far."""
        if self._ends is None or self._symmetric:
            return False
        if self._stated is not None:
            return self._ends[0] < -2 * _MARGIN * (self._ends[1] - self._ends[0])
        return any(self._reaches(*ends) for ends, _ in _USUAL if ends[0] < 0)

    def _reaches(self, low: float, high: float) -> bool:
        assert self._ends is not None
        return max(abs(self._ends[0] - low), abs(self._ends[1] - high)) <= _NEAR * (high - low)

    def _refuse(self, low: float, high: float, why: str) -> None:
        assert self._ends is not None
        raise ModelError(
            f"Expected numbers from {self._ends[0]:.4g} to {self._ends[1]:.4g}, which the input of {self._path!r} "
            f"stands for, or pixels as uint8. Received: numbers from {low:.4g} to {high:.4g} of {self._port.name!r}, "
            f"{why}"
        )


def _stated(path: str, metadata: "Metadata | None", port: TensorSpec) -> Numbers | None:
    """Mean and deviation by the metadata, shaped to go with an image; None where raw pixels go in or it says nothing.

    Metadata of labels alone has 0 and 1, whatever the model takes.
    """
    if metadata is None or not (metadata.mean and metadata.std):
        return None
    mean, deviation = np.asarray(metadata.mean, "float64"), np.asarray(metadata.std, "float64")
    if not mean.any() and (deviation == 1).all():
        return None
    channels = {1, *port.shape[-1:], *port.shape[1:2]}
    if not {mean.size, deviation.size} <= channels or not np.isfinite([*mean, *deviation]).all() or 0 in deviation:
        raise ModelError(
            f"Expected metadata with one finite mean and deviation, or one a channel, in {path!r} with inputs "
            f"{port.shape}. Received: mean {metadata.mean}, deviation {metadata.std}"
        )
    return _by_channel(mean, port), _by_channel(deviation, port)


def _by_channel(values: np.ndarray, port: TensorSpec) -> np.ndarray:
    """One number per channel, which is the last axis, or in files of other frameworks the first of an image."""
    if values.size == 1 or values.size == port.shape[-1]:
        return values
    return values.reshape(-1, *(1 for _ in port.shape[2:]))


def _ends(file: Flatbuffer, port: TensorSpec) -> tuple[tuple[float, float] | None, bool]:
    """The numbers that the smallest and the largest integer of the input stand for; None of a floating-point one.

    And whether it has int16, which goes as far below zero as above it whatever is put in.

    A floating-point input that is quantized before anything else has those of what it is quantized to.
    """
    if np.dtype(port.dtype).kind == "f":
        readers = file.consumers[file.inputs[0].index] if len(file.inputs) == 1 else ()
        if len(readers) != 1 or readers[0].name != "QUANTIZE" or len(readers[0].outputs[0].scales) != 1:
            return None, False
        made = readers[0].outputs[0]
        dtype, scale, zero_point = made.dtype, made.scales[0], (made.zero_points or (0,))[0]
    elif port.quantized:
        dtype, scale, zero_point = port.dtype, port.scale or 1.0, port.zero_point or 0
    elif port.dtype == "uint8":
        dtype, scale, zero_point = port.dtype, 1.0, 0
    else:
        return None, False
    if dtype not in ("int8", "uint8", "int16"):
        return None, False
    limits = np.iinfo(dtype)
    ends = float((limits.min - zero_point) * scale), float((limits.max - zero_point) * scale)
    return ends, dtype == "int16"
