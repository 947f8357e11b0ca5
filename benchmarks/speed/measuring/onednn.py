"""Kernels of oneDNN that a step runs: two frameworks may call different versions of it."""

import collections
import ctypes
import multiprocessing
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from distiller.errors import WorkError


def kernels_of_step(make: Callable[..., Callable[[], Any]], *arguments: Any) -> dict[str, Any]:
    """`version` of oneDNN and the `kernels` of one step: "primitive, implementation, direction" → runs.

    Args:
        make: returns the step; it is called in a process of its own, with oneDNN's verbose output.
        arguments: of `make`.

    Raises:
        WorkError: the process failed or ended.
    """
    os.environ["ONEDNN_VERBOSE"] = "1"
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(_verbose, make, arguments).result()
    except (BrokenProcessPool, RuntimeError, ImportError) as error:
        raise WorkError(f"A process of the benchmark failed: {type(error).__name__}: {error}") from error
    finally:
        del os.environ["ONEDNN_VERBOSE"]


def _verbose(make: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...]) -> dict[str, Any]:
    with tempfile.TemporaryFile("w+") as said:
        os.dup2(said.fileno(), 1)  # oneDNN writes to the standard output of C
        step = make(*arguments)
        for _ in range(3):
            step()
        flush = ctypes.CDLL(None).fflush
        flush(None)
        before = said.tell()
        step()
        flush(None)
        said.seek(0)
        return parse_verbose(said.read(before), said.read())


def parse_verbose(first: str, step: str) -> dict[str, Any]:
    """Result of `of_step`, parsed from oneDNN's verbose output before and during a step.

    >>> parse_verbose("onednn_verbose,v1,info,oneDNN v3.7.3", "onednn_verbose,v1,primitive,exec,cpu,sum,ref,undef,")
    {'version': '3.7.3', 'kernels': {'sum, ref, undef': 1}}
    """
    fields = [line.split(",") for line in step.splitlines() if line.startswith("onednn_verbose,")]
    runs = collections.Counter(", ".join(parts[5:8]) for parts in fields if parts[3:4] == ["exec"])
    version = re.search(r"oneDNN v([0-9.]+)", first)
    return {"version": version[1] if version else None, "kernels": dict(sorted(runs.items()))}


def compare_convolutions(here: dict[str, Any], there: dict[str, Any], name: str) -> str:
    """The convolutions and their gradients of a step here and of one in the framework `name`, in a sentence.

    >>> one = {"version": "3.7", "kernels": {"convolution, a, backward_data": 2, "sum, ref, undef": 1}}
    >>> compare_convolutions(one, {**one, "version": "3.9"}, "X")
    'Convolutions and their gradients: oneDNN 3.7 here, 3.9 in X; 2 runs of the same kernels in both.'
    >>> compare_convolutions(one, {"version": "3.9", "kernels": {"convolution, b, backward_data": 2}}, "X")
    'Convolutions and their gradients: oneDNN 3.7 here, 3.9 in X; a (backward_data, 2) here, b (backward_data, 2) in X.'
    """
    versions = f"oneDNN {here['version']} here, {there['version']} in {name}"
    own, other = _convolutions(here), _convolutions(there)
    if own == other:
        said = f"{own.total()} runs of the same kernels in both"
    else:
        said = f"{_kernel_names(own - other)} here, {_kernel_names(other - own)} in {name}"
    return f"Convolutions and their gradients: {versions}; {said}."


def _convolutions(found: dict[str, Any]) -> collections.Counter[str]:
    runs = {name: runs for name, runs in found["kernels"].items() if name.startswith("convolution, ")}
    return collections.Counter(runs)


def _kernel_names(runs: collections.Counter[str]) -> str:
    parts = [(*kernel.split(", ")[1:], number) for kernel, number in runs.items()]
    return (
        ", ".join(f"{implementation} ({direction}, {number})" for implementation, direction, number in parts) or "none"
    )
