"""Cost of an operator: multiply-adds and bytes of weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator, Tensor
from tflite.utils.record import Record


@dataclass(frozen=True)
class Cost(Record):
    """The cost of one operator for one inference.

    `multiply_adds` is None where it cannot be told from the shapes. `weight_bytes` counts a constant at the first
    operator that computes with it, and a stored float16 or sparse weight where it is used, not where it is unpacked.
    `delegated` says whether XNNPACK takes the operator.
    """

    index: int
    multiply_adds: int | None
    weight_bytes: int
    delegated: bool


def costs(file: Flatbuffer, delegated: frozenset[int]) -> tuple[Cost, ...]:
    """One cost an operator, in the order of execution."""
    weights = _weight_bytes(file, set())
    return tuple(
        Cost(operator.index, multiply_adds(operator), weights.get(operator.index, 0), operator.index in delegated)
        for operator in file.operators
    )


def bytes_by_type(file: Flatbuffer) -> dict[str, int]:
    """Type → bytes of the weights of that type, the most first."""
    found: dict[str, int] = {}
    for tensor in file.weights:
        found[tensor.dtype] = found.get(tensor.dtype, 0) + tensor.bytes
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def bytes_by_operator(file: Flatbuffer) -> dict[str, int]:
    """Name of an operator → bytes of the weights that all of that name have, the most first."""
    found: dict[str, int] = {}
    counted: set[int] = set()
    for graph in file.subgraphs:
        for index, size in _weight_bytes(graph, counted).items():
            name = graph.operators[index].name
            found[name] = found.get(name, 0) + size
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def multiply_adds(operator: Operator) -> int | None:
    """Multiplications with an addition; 0 for an operator that multiplies no matrices, None for one not known."""
    if operator.custom or operator.name in _OPAQUE:
        return None
    try:
        return _COUNTS[operator.name](operator) if operator.name in _COUNTS else 0
    except (IndexError, ValueError):  # a file may claim anything; the interpreter does not run this one
        return None


def _weight_bytes(file: Flatbuffer, counted: set[int]) -> dict[int, int]:
    """Index of an operator → bytes of the weights that it is the first to compute with.

    Several tensors may share a buffer: those that were `counted` are not counted again.
    """
    found: dict[int, int] = {}
    users = [(tensor, _user(file, tensor)) for tensor in file.tensors if file.is_weight(tensor)]
    for tensor, operator in sorted(users, key=lambda each: each[1].index if each[1] else 0):
        if operator is not None and file.buffer(tensor) not in counted:
            counted.add(file.buffer(tensor))
            found[operator.index] = found.get(operator.index, 0) + tensor.bytes
    return found


def _user(file: Flatbuffer, tensor: Tensor) -> Operator | None:
    readers = file.consumers[tensor.index]
    if not readers:
        return None
    first = readers[0]
    unpacks = first.name in _UNPACKING and file.consumers[first.outputs[0].index]
    return (_user(file, first.outputs[0]) or first) if unpacks else first


def _convolution(operator: Operator) -> int:
    return operator.outputs[0].elements * math.prod(operator.inputs[1].shape[1:])


def _depthwise(operator: Operator) -> int:
    return operator.outputs[0].elements * math.prod(operator.inputs[1].shape[1:3])


def _transposed(operator: Operator) -> int:
    weights, image = operator.inputs[1:3]
    return image.elements * math.prod(weights.shape[:3])


def _volume(operator: Operator) -> int:
    return operator.outputs[0].elements * math.prod(operator.inputs[1].shape[:4])


def _dense(operator: Operator) -> int:
    return operator.outputs[0].elements * operator.inputs[1].shape[-1]


def _matrices(operator: Operator) -> int:
    left, out = operator.inputs[0].shape, operator.outputs[0].shape
    # Where the left matrix is transposed, the summed axis is its last but one.
    return operator.outputs[0].elements * (left[-1] if left[-2] == out[-2] else left[-2])


_COUNTS: dict[str, Callable[[Operator], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D": _volume,
    "FULLY_CONNECTED": _dense,
    "BATCH_MATMUL": _matrices,
}

# Operators that make a weight from what is stored of it.
_UNPACKING = ("DEQUANTIZE", "DENSIFY")

# Operators that multiply matrices inside, or run other subgraphs.
_OPAQUE = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "CALL",
        "CALL_ONCE",
        "CONV_3D_TRANSPOSE",
        "IF",
        "LSTM",
        "RNN",
        "STABLEHLO_COMPOSITE",
        "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
        "WHILE",
    }
)
