"""Tensors of a TFLite file, and the operators between them."""

import math
from dataclasses import dataclass

from tflite.utils.record import Record

_FLOATS = frozenset({"bfloat16", "float16", "float32", "float64"})


@dataclass(frozen=True)
class Tensor(Record):
    """A tensor: `scales` and `zero_points` have one number, or one a channel, or none where it is not quantized.

    `index` is its place in the file. `constant` says whether its values are in the file; `bytes` is the memory that
    its values take. `open_shape` says whether the caller may choose a size of it; `shape` then has a 1 there. Where
    `block_size` is not 0, so many numbers in a row share a scale, and another tensor of the file holds the scales.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    constant: bool
    bytes: int
    open_shape: bool
    block_size: int = 0

    @property
    def elements(self) -> int:
        """Number of its elements; open sizes count as one."""
        return math.prod(max(1, size) for size in self.shape)

    @property
    def is_float(self) -> bool:
        """True if it holds floating-point numbers."""
        return self.dtype in _FLOATS

    @property
    def is_weight(self) -> bool:
        """True if it is a constant of real numbers; shapes and axes are not."""
        return self.constant and (self.is_float or bool(self.scales) or self.block_size > 0)


@dataclass(frozen=True)
class Operator(Record):
    """An operator: `index` is its place in the order of execution; absent optional inputs are left out.

    `activation` is the one that is fused into it: NONE, RELU, RELU6, … `custom` says that it is none of the standard's.
    """

    index: int
    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    activation: str = "NONE"
    custom: bool = False

    @property
    def is_float(self) -> bool:
        """True if a floating-point number enters or leaves."""
        return any(tensor.is_float for tensor in (*self.inputs, *self.outputs))

    @property
    def place(self) -> str:
        """The name of what it computes, which tells its layer."""
        return self.outputs[0].name if self.outputs and self.outputs[0].name else f"operator {self.index}"
