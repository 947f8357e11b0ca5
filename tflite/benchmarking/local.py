"""Latency of TFLite files on this machine."""

import contextlib
import dataclasses
import statistics
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Unpack, overload

from tflite.benchmarking.benchmarks import Benchmarks
from tflite.benchmarking.intervals import median_interval, spread
from tflite.benchmarking.machine import processor, tool, versions
from tflite.benchmarking.plan import Options, Plan
from tflite.benchmarking.profiler import operator_times
from tflite.benchmarking.result import BenchmarkResult
from tflite.benchmarking.rounds import medians_ms, said_of, take_turns
from tflite.isolation import Limits, Worker
from tflite.utils.arguments import arrays, several, whole, wholes

# The runs in which operators are timed, after those of the benchmark.
_PROFILED = Plan(runs=50, warmup_runs=10, min_seconds=0, max_seconds=10.0)

Several = list[Any] | tuple[Any, ...]


@overload
def benchmark(
    path: str | Path, *, threads: int = 1, delegate: str = "xnnpack", **options: Unpack[Options]
) -> BenchmarkResult: ...


@overload
def benchmark(
    path: Several, *, threads: int | Several = 1, delegate: str | Several = "xnnpack", **options: Unpack[Options]
) -> Benchmarks: ...


@overload
def benchmark(
    path: str | Path, *, threads: Several, delegate: str | Several = "xnnpack", **options: Unpack[Options]
) -> Benchmarks: ...


@overload
def benchmark(path: str | Path, *, threads: int = 1, delegate: Several, **options: Unpack[Options]) -> Benchmarks: ...


def benchmark(
    path: str | Path | Several,
    *,
    threads: int | Several = 1,
    delegate: str | Several = "xnnpack",
    runs: int = 50,
    warmup_runs: int = 10,
    min_seconds: float = 1.0,
    max_seconds: float = 60.0,
    rounds: int = 10,
    precision: float | None = None,
    confidence: float = 0.95,
    inputs: Any = None,
    seed: int = 0,
    keep_samples: bool = False,
    profile: bool = False,
    time_limit: float = 60.0,
    memory_limit: int = Limits.memory_bytes,
    progress: Callable[[int, int], None] | None = None,
) -> BenchmarkResult | Benchmarks:
    """Time TFLite files, one run after the other, each file in a child process of its own.

    One file, one number of threads and one delegate give one result. Several of any give a `Benchmarks`: all are opened
    first and then take turns, a round each, so that a machine that becomes slower does so for all; it has the ratios of
    their times with intervals, and says in words where the machine was too noisy to tell two apart.

    A run is the call that computes, from its start until the outputs are there; filling the input is not part of it. A
    file is run `runs` times and for `min_seconds` or more, or until `max_seconds` have been measured.

    Args:
        path: TFLite file, or several; sizes that a file leaves open are taken as they are in it.
        threads: of the interpreter; one number or several.
        delegate: "xnnpack", or "none" for the interpreter's own kernels; or both, as a sequence.
        runs: at least this many are measured of each, one or more.
        warmup_runs: not measured, and not much longer than `max_seconds`; the first packs weights and fills caches, and
            is never measured.
        min_seconds: measured time of each, at least.
        max_seconds: measured time of each after which no further run starts.
        rounds: the runs are spread over so many turns.
        precision: go on until the interval of every median is no wider than ± this fraction of it, 0.01 for one
            percent, or until `max_seconds`. None measures no longer than the rest asks for.
        confidence: of the intervals of medians and ratios.
        inputs: what the runs work on, in turn: an array (n, height, width, channels) of real numbers in the unit that
            the model was trained with, or a dictionary of arrays by input, for as many runs each; (n,) for an input
            that is a single number. Random pixels in [0, 255] by default, and zeros for int32 and int64 without a
            scale, which are places in a table.
        seed: of the random pixels.
        keep_samples: whether a result holds the time of every run.
        profile: whether results say where the time goes, from `tflite.profile` afterwards; where it cannot be told, a
            note says why.
        time_limit: seconds that a file may take to open and run once, and to do more than was planned in a round.
        memory_limit: bytes that a file's process may allocate.
        progress: called with the rounds done and those planned.

    Raises:
        ModelError: a file that cannot be run, crashes the interpreter or goes beyond a limit; an argument out of range.
    """
    single = isinstance(path, str | Path) and isinstance(threads, int | Integral) and isinstance(delegate, str)
    settings = [
        (one, number, name)
        for one in several("path", path, str | Path)
        for name in several("delegate", delegate, str)
        for number in wholes("threads", threads, 1)
    ]
    inputs, seed = arrays("inputs", inputs), whole("seed", seed, 0)
    plan = Plan(runs, warmup_runs, min_seconds, max_seconds, rounds, precision, confidence)
    limits = Limits(time_limit, memory_limit)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(one, limits=limits)) for one, _, _ in settings]
        opened = [
            worker.call("prepare", path=str(one), threads=number, delegate=name, inputs=inputs, seed=seed)
            for worker, (one, number, name) in zip(workers, settings, strict=True)
        ]
        for worker, start in zip(workers, opened, strict=True):
            allowed = limits.seconds + plan.max_seconds
            ran = worker.call("warm", seconds=allowed, runs=plan.warmup_runs - 1, max_seconds=plan.max_seconds)
            start["warmup_runs"] = 1 + ran
        peaks = [worker.call("memory") for worker in workers]  # the rounds fill memory with their times
        turns = take_turns(workers, plan, progress)
    results = [
        _result(setting, start, times, peak, plan, keep_samples)
        for setting, start, times, peak in zip(settings, opened, turns, peaks, strict=True)
    ]
    if profile:
        results = [_with_operators(result, inputs, seed, limits) for result in results]
    if single:
        return results[0]
    return Benchmarks.of(results, [medians_ms(times) for times in turns], confidence)


def _result(
    setting: tuple[str | Path, int, str],
    start: dict[str, Any],
    times: Sequence[Sequence[int]],
    peak: int,
    plan: Plan,
    keep_samples: bool,
) -> BenchmarkResult:
    path, threads, delegate = setting
    medians = medians_ms(times)
    interval = median_interval(medians, plan.confidence)
    found = BenchmarkResult.of(
        path,
        [time / 1e6 for turn in times for time in turn],
        bytes=start["bytes"],
        warmup_runs=start["warmup_runs"],
        device=processor(),
        threads=threads,
        delegate=delegate,
        versions=versions(),
        images=start["images"],
        first_ms=start["first_ns"] / 1e6,
        init_ms=start["init_ns"] / 1e6,
        peak_memory_bytes=peak,
        tool=tool(),
        keep_samples=keep_samples,
    )
    return dataclasses.replace(
        found,
        median_ms=statistics.median(medians),
        median_interval_ms=interval and (interval.low, interval.high),
        noise=spread(medians),
        notes=tuple(said_of(medians, plan)),
        delegated_operators=start["delegated"],
        file_operators=start["operators"],
    )


def _with_operators(result: BenchmarkResult, inputs: Any, seed: int, limits: Limits) -> BenchmarkResult:
    found = operator_times(
        result.path,
        _PROFILED,
        threads=result.threads or 1,
        delegate=result.delegate,
        inputs=inputs,
        seed=seed,
        limits=limits,
    )
    notes = (f"The times of operators are not known: {found.reason}",) if found.reason else ()
    return dataclasses.replace(result, operators=found.operators, notes=(*result.notes, *notes))
