"""An input or output of a TFLite model, and the arithmetic between its integers and real numbers."""

from dataclasses import dataclass

import numpy as np

from tflite.errors import ModelError
from tflite.utils.record import Record

_PLACES = ("int32", "int64", "uint32", "uint64")


@dataclass(frozen=True)
class TensorSpec(Record):
    """An input or output: real = scale · (integer − zero_point); without a scale the numbers are what they are.

    `dtype` is a NumPy name ("int8"), `shape` has the batch in front, and 1 for a size that the file leaves open.

    >>> import numpy as np
    >>> from tflite import TensorSpec
    >>> port = TensorSpec("pixels", "int8", (1, 4), scale=0.5, zero_point=-10)
    >>> port.quantize(np.array([0.0, 1.0, 0.8, 1000.0]))
    array([-10,  -8,  -8, 127], dtype=int8)
    >>> port.dequantize(np.array([-10, -8, -8, 127], "int8"))
    array([ 0. ,  1. ,  1. , 68.5], dtype=float32)
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int | None = None

    @property
    def quantized(self) -> bool:
        """True if the integers stand for real numbers."""
        return self.scale is not None

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Real numbers in the type of this port; what does not fit takes the nearest number that does."""
        if np.dtype(self.dtype).kind not in "iu":
            return np.asarray(values, self.dtype)
        if values.dtype == self.dtype and (self.scale, self.zero_point) in ((1.0, 0), (None, None)):
            return values
        limits = np.iinfo(self.dtype)
        integers = np.rint(values / np.float64(self.scale or 1.0)) + (self.zero_point or 0)
        return np.clip(integers, limits.min, limits.max).astype(self.dtype)

    def check_whole(self, values: np.ndarray) -> None:
        """Raise where places in a table are no whole numbers: rounding them would answer for others.

        Raises:
            ModelError: such numbers.
        """
        places = self.dtype in _PLACES and not self.quantized
        if places and values.dtype.kind == "f" and not (values == np.rint(values)).all():
            raise ModelError(f"Expected whole numbers for {self.name!r}, which is {self.dtype}. Received: others")

    def made_up(self, random: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Real numbers that may go in, of the shape of this port or another: random pixels in [0, 255], or zeros.

        Integers of 32 or 64 bits that stand for no real numbers are places in a table, and the first is in every one.
        """
        shape = self.shape if shape is None else shape
        if self.dtype in _PLACES and not self.quantized:
            return np.zeros(shape, self.dtype)
        return random.integers(0, 256, shape).astype("float32")

    def dequantize(self, integers: np.ndarray) -> np.ndarray:
        """Numbers of this port's type as real numbers, float32."""
        if self.scale is None or self.zero_point is None:
            return np.asarray(integers, "float32")
        return (integers.astype("float32") - self.zero_point) * np.float32(self.scale)
