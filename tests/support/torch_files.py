"""PyTorch files of the old format, written without PyTorch."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from typing import Any

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Call:
    """In a pickle a call of `module.name` with `arguments`."""

    def __init__(self, module: str, name: str, *arguments: Any):
        self.module, self.name, self.arguments = module, name, arguments

    def __reduce__(self):
        return _function(self.module, self.name), self.arguments


class Storage:
    """In a pickle the persistent id of a storage."""

    def __init__(self, numbers: np.ndarray, key: str):
        self.numbers, self.key = numbers, key


class _Pickler(pickle.Pickler):
    def persistent_id(self, given: Any) -> Any:
        if not isinstance(given, Storage):
            return None
        kind = "LongStorage" if given.numbers.dtype == np.int64 else "FloatStorage"
        return "storage", _function("torch", kind), given.key, "cpu", given.numbers.size, None


def _function(module: str, name: str) -> Any:
    """Something that is pickled as `module.name`, which is not there."""
    for known in (module.partition(".")[0], module):
        sys.modules.setdefault(known, types.ModuleType(known))
    if not hasattr(sys.modules[module], name):
        made = type(name, (), {})
        made.__module__, made.__qualname__ = module, name
        setattr(sys.modules[module], name, made)
    return getattr(sys.modules[module], name)


def pickled(*objects: Any) -> bytes:
    """Pickles of the objects, one after the other; modules that are not there stay so."""
    before = set(sys.modules)
    buffer = io.BytesIO()
    try:
        for each in objects:
            _Pickler(buffer, protocol=2).dump(each)
    finally:
        for module in set(sys.modules) - before:
            del sys.modules[module]
    return buffer.getvalue()


def tensor(storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Call:
    """A tensor as PyTorch pickles it: strides and offset in numbers."""
    return Call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, OrderedDict())


def file(tensors: Any, *storages: Storage) -> bytes:
    """A whole file."""
    keys = [storage.key for storage in storages]
    content = pickled(MAGIC, PROTOCOL, SYSTEM, tensors, keys)
    return content + b"".join(struct.pack("<q", each.numbers.size) + each.numbers.tobytes() for each in storages)
