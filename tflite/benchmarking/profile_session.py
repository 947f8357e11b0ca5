"""Profiling a file: what happens in the child process."""

import time
from collections.abc import Iterable
from typing import Any

from tflite.benchmarking.litert_c_api import CompiledModel, Event, LibraryError, operators
from tflite.benchmarking.operator_time import readable
from tflite.benchmarking.session import feeds_of, warm_up
from tflite.isolation.blame import blaming
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer, with_written_sizes
from tflite.model_file.interpreter import allocate, open_model

# Their time holds that of the operators of other subgraphs.
_CONTROL = ("CALL_ONCE", "IF", "WHILE", "STABLEHLO_WHILE")

Key = tuple[bool, str, int, int]


def profile(
    _: dict[str, Any],
    path: str,
    threads: int,
    delegate: str,
    inputs: Any,
    seed: int,
    runs: int,
    warmup_runs: int,
    max_seconds: float,
) -> dict[str, Any]:
    """Run a file and say what each operator took: `{"rows", "run_us", "kept", "runs"}`, or a `{"reason"}`."""
    with blaming(path):
        content = read_model(path)
        interpreter = open_model(path, content=content, threads=threads, delegate=delegate)
        allocate(interpreter, path)
        feed = feeds_of(interpreter, path, inputs, seed)[0]
        del interpreter  # it has verified the file, which the library does not
        file = Flatbuffer(content)
        names = [(operator.name, operator.outputs[0].name if operator.outputs else "") for operator in file.operators]
    loops = sorted({name for name, _ in names} & set(_CONTROL))
    if loops:
        return {"reason": f"the file has control flow ({', '.join(loops)}), whose operators count twice"}
    try:
        model = CompiledModel(with_written_sizes(content), threads, delegate)
        model.fill([values for _, values in feed])
        warm_up(lambda: _timed(model), max(1, warmup_runs), max_seconds)
        return _measured(model, names, runs, max_seconds)
    except LibraryError as error:
        return {"reason": f"LiteRT's library: {error}"}


def _timed(model: CompiledModel) -> int:
    started = time.perf_counter_ns()
    model.run()
    return time.perf_counter_ns() - started


def _measured(model: CompiledModel, names: list[tuple[str, str]], runs: int, max_seconds: float) -> dict[str, Any]:
    profiled: list[tuple[int, list[tuple[Key, int]]]] = []
    started = time.perf_counter()
    while len(profiled) < runs and (not profiled or time.perf_counter() - started < max_seconds):
        before = time.perf_counter_ns()
        events = model.profiled()
        whole = _invoked(events) or (time.perf_counter_ns() - before) // 1000
        profiled.append((whole, list(_keyed(operators(events)))))
    if not profiled[0][1]:
        return {"reason": "LiteRT's library: its profiler saw no operator"}
    # What interrupts one run falls on one operator and would pass for its time; the quieter half is without most of it.
    quiet = sorted(profiled, key=lambda run: run[0])[: (len(profiled) + 1) // 2]
    totals: dict[Key, list[int]] = {}
    for _, found in quiet:
        for key, elapsed in found:
            total = totals.setdefault(key, [0, 0])
            total[0] += elapsed
            total[1] += 1
    rows = [[*_named(key, names), key[0], elapsed, calls] for key, (elapsed, calls) in totals.items()]
    return {
        "rows": rows,
        "run_us": sum(whole for whole, _ in quiet) / len(quiet),
        "kept": len(quiet),
        "runs": len(profiled),
    }


def _invoked(events: Iterable[Event]) -> int:
    """Microseconds of the run as the library saw it."""
    return sum(event.elapsed_us for event in events if event.kind == 1 and event.tag == b"Invoke")


def _keyed(found: Iterable[tuple[bool, str, int, int]]) -> Iterable[tuple[Key, int]]:
    """Operators with the partition that they are in: the numbers of a delegate start anew in each."""
    partition, last = 0, -1
    for delegated, tag, index, elapsed in found:
        if delegated:
            partition += index <= last
            last = index
        yield (delegated, tag, index, partition if delegated else 0), elapsed


def _named(key: Key, names: list[tuple[str, str]]) -> tuple[str, str]:
    """Name and type of an operator."""
    delegated, tag, index, partition = key
    if not delegated and 0 <= index < len(names) and names[index][0] == tag and names[index][1]:
        return names[index][1], tag
    kind = readable(tag)
    return f"{kind}:{index}" + (f" of partition {partition + 1}" if partition else ""), kind
