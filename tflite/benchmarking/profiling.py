"""Profile of a TFLite file on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.benchmarking.local import benchmark
from tflite.benchmarking.machine import processor, tool, versions
from tflite.benchmarking.operator_time import OperatorTime
from tflite.benchmarking.plan import Plan
from tflite.benchmarking.profiler import operator_times
from tflite.isolation import Limits
from tflite.utils.arguments import arrays, whole
from tflite.utils.record import Record


@dataclass(frozen=True)
class Profile(Record):
    """The time of each operator of a TFLite file, in the order of execution.

    Of `runs` runs the quicker half counts. `run_ms` is the mean of these as a whole while they were profiled, which
    takes a little longer than a run that is not; what the operators do not add up to is the interpreter's own. Times of
    operators are whole microseconds, rounded down, before they are averaged: of operators that take a few, they are
    rough. `operators` is None where the times cannot be told; `reason` says why, and `run_ms` is of plain runs then.
    """

    path: Path
    threads: int
    delegate: str
    runs: int
    run_ms: float
    operators: tuple[OperatorTime, ...] | None
    reason: str | None
    device: str
    versions: dict[str, str]
    tool: str

    @property
    def operators_ms(self) -> float | None:
        """The time of all operators in a run."""
        return None if self.operators is None else sum(operator.mean_ms for operator in self.operators)

    @property
    def fallback_share(self) -> float | None:
        """The share of the time in operators that no delegate took; of a run without a delegate, 1."""
        if self.operators is None:
            return None
        return float(sum(operator.share for operator in self.operators if not operator.delegated))


def profile(
    path: str | Path,
    *,
    threads: int = 1,
    delegate: str = "xnnpack",
    runs: int = 50,
    warmup_runs: int = 10,
    max_seconds: float = 10.0,
    inputs: Any = None,
    seed: int = 0,
    time_limit: float = 60.0,
    memory_limit: int = Limits.memory_bytes,
) -> Profile:
    """Time every operator of a TFLite file, with those inside the delegate, in a child process.

    Args:
        path: TFLite file without control flow, with which the whole is timed; sizes that it leaves open are taken as
            they are in it.
        threads: of the kernels.
        delegate: "xnnpack", or "none" for the interpreter's own kernels.
        runs: that are profiled, at most.
        warmup_runs: before that, without the profiler.
        max_seconds: after which no further run starts.
        inputs: as for `tflite.benchmark`; the first batch of them.
        seed: of random inputs.
        time_limit: seconds that the file may take beyond what was planned.
        memory_limit: bytes that the file's process may allocate.

    Raises:
        ModelError: a file that cannot be run, crashes the interpreter or goes beyond a limit; an argument out of range.
    """
    plan = Plan(runs=runs, warmup_runs=warmup_runs, min_seconds=0, max_seconds=max_seconds)
    threads, seed = whole("threads", threads, 1), whole("seed", seed, 0)
    inputs, limits = arrays("inputs", inputs), Limits(time_limit, memory_limit)
    found = operator_times(path, plan, threads=threads, delegate=delegate, inputs=inputs, seed=seed, limits=limits)
    run_ms, profiled = found.run_ms, found.runs
    if found.operators is None:
        plain = benchmark(
            path,
            threads=threads,
            delegate=delegate,
            runs=runs,
            warmup_runs=warmup_runs,
            min_seconds=0.0,
            max_seconds=max_seconds,
            inputs=inputs,
            seed=seed,
            time_limit=time_limit,
            memory_limit=memory_limit,
        )
        run_ms, profiled = plain.mean_ms, plain.runs
    assert run_ms is not None
    assert profiled is not None
    return Profile(
        Path(path), threads, delegate, profiled, run_ms, found.operators, found.reason, processor(), versions(), tool()
    )
