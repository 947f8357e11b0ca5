"""The memory that activations need, planned as the interpreter plans it."""

from dataclasses import dataclass

from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.operators import Operator, Tensor

_ALIGNMENT = 64
# The interpreter lets these write where they read. The first change the shape alone, so others may go on reading.
_RESHAPES = frozenset({"BITCAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"})
_IN_PLACE = frozenset({"ADD", "DIV", "MUL", "SOFTMAX", "SUB"})


@dataclass(frozen=True)
class _Block:
    size: int
    first: int
    last: int


def arena_bytes(file: Flatbuffer) -> int:
    """Bytes of one memory block that holds every activation while it is needed, for one image.

    An estimate of what the interpreter's own kernels take: the largest tensor first, each in the smallest gap beside
    those that live at the same time. Inputs and outputs are kept to the end. Scratch memory of kernels, and the
    packed weights of XNNPACK, come on top.
    """
    placed: list[tuple[int, _Block]] = []
    for block in sorted(_blocks(file), key=lambda block: (-block.size, block.first)):
        together = sorted((at, other.size) for at, other in placed if _overlap(block, other))
        placed.append((_smallest_gap(block.size, together), block))
    return max((at + block.size for at, block in placed), default=0)


def _blocks(file: Flatbuffer) -> list[_Block]:
    """Size and life of every activation; those that share memory are one."""
    end = len(file.operators)
    kept = {tensor.index for tensor in (*file.inputs, *file.outputs)}
    lives: dict[int, tuple[int, int, int]] = {}
    for tensor in file.tensors:
        producer, readers = file.producers.get(tensor.index), file.consumers[tensor.index]
        if tensor.constant or (producer is None and tensor.index not in kept) or _unpacks(producer):
            continue
        first = producer.index if producer else 0
        last = end if tensor.index in kept else max((reader.index for reader in readers), default=first)
        root = _root(file, tensor)
        size, earliest, latest = lives.get(root, (0, first, last))
        lives[root] = (max(size, _aligned(tensor.bytes)), min(first, earliest), max(last, latest))
    return [_Block(*life) for life in lives.values() if life[0]]


def _unpacks(producer: Operator | None) -> bool:
    """Return whether it makes a weight from a stored one: that is no activation."""
    return producer is not None and all(tensor.constant for tensor in producer.inputs)


def _root(file: Flatbuffer, tensor: Tensor) -> int:
    """The tensor whose memory this one uses."""
    ends = {end.index for end in (*file.inputs, *file.outputs)}
    while tensor.index not in ends:
        producer = file.producers.get(tensor.index)
        shared = next((t for t in _writable(file, producer) if t.bytes == tensor.bytes and t.index not in ends), None)
        if shared is None:
            break
        tensor = shared
    return tensor.index


def _writable(file: Flatbuffer, operator: Operator | None) -> list[Tensor]:
    """Inputs of an operator that it may overwrite."""
    if operator is None or operator.name not in _RESHAPES | _IN_PLACE:
        return []
    activations = [tensor for tensor in operator.inputs if not tensor.constant]
    if operator.name in _RESHAPES:
        return activations
    return [tensor for tensor in activations if len(file.consumers[tensor.index]) == 1]


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _overlap(one: _Block, other: _Block) -> bool:
    return one.first <= other.last and other.first <= one.last


def _smallest_gap(size: int, taken: list[tuple[int, int]]) -> int:
    """The start of the smallest gap that is large enough, or the end of what is taken."""
    best, end = None, 0
    for start, length in taken:
        gap = start - end
        if gap >= size and (best is None or gap < best[0]):
            best = (gap, end)
        end = max(end, start + length)
    return end if best is None else best[1]
