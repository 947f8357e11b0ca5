"""The C interface of LiteRT's own library, as far as a profile needs it.

The interpreter of Python has no profiler; the library beside it has one (`litert/c/*.h` of google-ai-edge/LiteRT,
version 2.3). Nothing checks that a later library takes the same arguments: use it in a child process.
"""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_CPU = 1
_WRITE = 1
_NAMES = {"darwin": "libLiteRt.dylib", "win32": "libLiteRt.dll"}
# What the library calls the options of its CPU kernels and of itself.
_CPU_OPTIONS, _RUNTIME_OPTIONS = b"xnnpack", b"runtime_options_string"

Pointer = ctypes.c_void_p


class LibraryError(Exception):
    """The library is missing, lacks a function, or refuses a call."""


class _TensorType(ctypes.Structure):
    _fields_ = (
        ("element", ctypes.c_int),
        ("rank", ctypes.c_uint32),
        ("sizes", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class Event(ctypes.Structure):
    """Event of the profiler: an operator, a part of the library's work, a setting."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int32),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_uint64 * 6),
        ("index", ctypes.c_int64),
        ("subgraph", ctypes.c_int64),
        ("source", ctypes.c_int32),
    )


class CompiledModel:
    """A file opened for profiling on the CPU; the process keeps it until it ends.

    Args:
        content: of a TFLite file of fixed sizes that an interpreter has accepted: this library does not verify it.
        threads: of the CPU kernels.
        delegate: "xnnpack" or "none".

    Raises:
        LibraryError: it cannot be opened here, or there is no profiler.
    """

    def __init__(self, content: bytes, threads: int, delegate: str):
        self._library = _load()
        self._environment = self._made("CreateEnvironment", ctypes.c_int(0), None)
        self._content = ctypes.create_string_buffer(content, len(content))  # the library reads it while it runs
        model = self._made("CreateModelFromBuffer", self._environment, self._content, ctypes.c_size_t(len(content)))
        options = self._made("CreateOptions")
        self._call("SetOptionsHardwareAccelerators", options, ctypes.c_int(_CPU))
        mode = "xnnpack" if delegate == "xnnpack" else "builtin"
        self._payloads: list[Any] = []
        self._add(options, _CPU_OPTIONS, f'kernel_mode = "{mode}"\nnum_threads = {threads}\n')
        self._add(options, _RUNTIME_OPTIONS, "enable_profiling = true\n")
        self._model = self._made("CreateCompiledModel", self._environment, model, options)
        self._profiler = self._made("CompiledModelGetProfiler", self._model)
        if not self._profiler:
            raise LibraryError("it made no profiler")
        self._signature = self._made("GetModelSignature", model, ctypes.c_size_t(0))
        self._inputs, self._outputs = self._buffers("Input"), self._buffers("Output")

    def fill(self, values: Sequence[np.ndarray]) -> None:
        """Set the inputs, in the order of the signature."""
        if len(values) != len(self._inputs):
            raise LibraryError(f"it has {len(self._inputs)} inputs and not {len(values)}")
        for buffer, array in zip(self._inputs, values, strict=True):
            packed = np.ascontiguousarray(array)
            size = ctypes.c_size_t()
            self._call("GetTensorBufferPackedSize", Pointer(buffer), ctypes.byref(size))
            if size.value != packed.nbytes:
                raise LibraryError(f"an input has {size.value} bytes and not {packed.nbytes}")
            place = Pointer()
            self._call("LockTensorBuffer", Pointer(buffer), ctypes.byref(place), ctypes.c_int(_WRITE))
            ctypes.memmove(place, packed.ctypes.data, packed.nbytes)
            self._call("UnlockTensorBuffer", Pointer(buffer))

    def run(self) -> None:
        """Run once, unobserved."""
        inputs, outputs = (ctypes.c_size_t(len(each)) for each in (self._inputs, self._outputs))
        self._call("RunCompiledModel", self._model, ctypes.c_size_t(0), inputs, self._inputs, outputs, self._outputs)

    def profiled(self) -> list[Event]:
        """Run once; returns what the profiler saw, in order. The tags live until the next run."""
        self._call("ResetProfiler", self._profiler)
        self._call("StartProfiler", self._profiler)
        self.run()
        self._call("StopProfiler", self._profiler)
        count = ctypes.c_int()
        self._call("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (Event * count.value)()
        if count.value:
            self._call("GetProfilerEvents", self._profiler, count, events)
        return list(events)

    def _buffers(self, role: str) -> Any:
        """Managed buffers for the inputs or outputs of the first signature."""
        count = ctypes.c_size_t()
        self._call(f"GetNumSignature{role}s", self._signature, ctypes.byref(count))
        buffers = (Pointer * count.value)()
        for i in range(count.value):
            place = ctypes.c_size_t(i)
            tensor = self._made(f"GetSignature{role}TensorByIndex", self._signature, place)
            kind = _TensorType()
            self._call("GetRankedTensorType", tensor, ctypes.byref(kind))
            needs = self._made(f"GetCompiledModel{role}BufferRequirements", self._model, ctypes.c_size_t(0), place)
            buffers[i] = self._made(
                "CreateManagedTensorBufferFromRequirements", self._environment, ctypes.byref(kind), needs
            )
        return buffers

    def _add(self, options: Pointer, name: bytes, text: str) -> None:
        payload = ctypes.create_string_buffer(text.encode())
        keep = ctypes.CFUNCTYPE(None, Pointer)(lambda _: None)
        self._payloads += [payload, keep]  # the library reads them later, and must not free them
        made = self._made("CreateOpaqueOptions", name, ctypes.cast(payload, Pointer), keep)
        self._call("AddOpaqueOptions", options, made)

    def _made(self, name: str, *arguments: Any) -> Pointer:
        """Return what a C function gives through its last argument."""
        made = Pointer()
        self._call(name, *arguments, ctypes.byref(made))
        return made

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, f"LiteRt{name}")
        except AttributeError as error:
            raise LibraryError(f"it has no LiteRt{name}") from error
        function.restype = ctypes.c_int
        status = function(*arguments)
        if status:
            raise LibraryError(f"LiteRt{name} failed with status {status}")


def _load() -> ctypes.CDLL:
    found = importlib.util.find_spec("ai_edge_litert")
    folder = Path(found.origin).parent if found and found.origin else Path()
    path = folder / _NAMES.get(sys.platform, "libLiteRt.so")
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryError(f"{path.name} cannot be loaded ({error})") from error


def operators(events: Sequence[Event]) -> Iterator[tuple[bool, str, int, int]]:
    """Of the operators among the events: whether a delegate ran it, its tag, its index, microseconds."""
    for event in events:
        tag = (event.tag or b"").decode(errors="replace")
        if event.kind in _DELEGATED:
            yield True, tag, event.index, event.elapsed_us
        elif event.kind == _INTERPRETED and event.subgraph == 0 and tag not in _WHOLE_DELEGATES:
            yield False, tag, event.index, event.elapsed_us


# Kinds of events, and operators that stand for all that a delegate runs.
_INTERPRETED, _DELEGATED = 2, (4, 8)
_WHOLE_DELEGATES = ("DELEGATE", "TfLiteXNNPackDelegate")
