"""Tensors of a PyTorch file of the old format (before 1.6), read without PyTorch.

Such a file is a row of pickles (magic number, protocol, sizes of types, state dict, keys of the storages) followed by
the storages' bytes. A pickle can call any function of any module; this reader knows four names and refuses all others.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class Refused(ValueError):
    """The file is no state dict of plain tensors in PyTorch's old format."""


class _Storage(NamedTuple):
    """Place of a tensor's numbers, read after the pickles. Tuples, which no pickle can change once they are made."""

    key: str
    dtype: np.dtype
    size: int


class _Tensor(NamedTuple):
    """A tensor's place in its storage, offset and strides in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _StateDict(OrderedDict[str, Any]):
    """A state dict; PyTorch hangs `_metadata` on it, which says nothing about numbers."""

    def __setstate__(self, state: Any) -> None:
        """Ignores what hangs on the dict."""


class _Rebuild:
    """PyTorch's function that makes a tensor; of no attribute that a pickle could set."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_unused: Any) -> _Tensor:
        """The tensor; gradients and hooks do not count."""
        whole = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides)
        if not isinstance(storage, _Storage) or not whole:
            raise Refused("a tensor in it has no storage, or no shape with as many strides")
        if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *strides)):
            raise Refused("the shape, strides and offset of a tensor in it are no whole numbers from 0")
        return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    """Knows ordered dicts and tensors in storages of known types, and no other name."""

    def find_class(self, module: str, name: str) -> Any:
        """The object of this name, of the four that a state dict needs."""
        if module == "torch" and name in _TYPES:
            return name
        if (module, name) == ("collections", "OrderedDict"):
            return _StateDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Rebuild()
        raise Refused(f"it asks for {module}.{name}, and a state dict of tensors needs no such thing")

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that a persistent id describes."""
        match pid:
            case ("storage", str(kind), str(key), str(), int(size), None) if kind in _TYPES and size >= 0:
                return _Storage(key, _TYPES[kind], size)
        raise Refused(f"it refers to {pid!r:.80}, which is no storage")


def read(content: bytes) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, float32 or int64, in the file's order.

    Raises:
        Refused: anything else than a state dict of plain tensors, also where the file is cut.
    """
    file = io.BytesIO(content)
    try:
        magic, protocol, system, tensors, keys = (_Unpickler(file).load() for _ in range(5))
        if (magic, protocol) != (_MAGIC, _PROTOCOL) or system.get("little_endian") is not True:
            raise Refused("it does not begin as PyTorch's old format does")
        if not all(isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in tensors.items()):
            raise Refused("it holds other things than tensors by name")
        storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
        numbers = {key: _numbers(file, storages[key]) for key in keys}
        return {name: _array(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}
    except Refused:
        raise
    except Exception as error:  # a broken pickle raises whatever its instructions run into
        raise Refused(f"it cannot be read: {type(error).__name__}: {error}") from error


def _numbers(file: BinaryIO, storage: _Storage) -> np.ndarray:
    """The next storage in the file: its size, eight bytes, and its numbers."""
    size = int.from_bytes(file.read(8), "little")
    content = file.read(storage.size * storage.dtype.itemsize)
    if size != storage.size or len(content) != storage.size * storage.dtype.itemsize:
        raise Refused(f"the storage {storage.key} should have {storage.size} numbers")
    return np.frombuffer(content, storage.dtype)


def _array(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    """The tensor's part of its storage, which may be laid out in any order of axes, as an array of its own."""
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or last >= len(numbers):
        raise Refused(f"a tensor of shape {tensor.shape} does not lie within its storage")
    steps = [step * numbers.itemsize for step in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps).copy()
