"""Where the time of a TFLite file goes on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.arguments import arrays, whole
from tflite.benchmark.host import benchmark
from tflite.benchmark.machine import processor, tool, versions
from tflite.benchmark.operator_time import OperatorTime
from tflite.benchmark.plan import Plan
from tflite.errors import MeasurementError
from tflite.isolation import Limits, Worker
from tflite.isolation.worker import ChildEnded
from tflite.record import Record


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
    chosen = {"threads": threads, "delegate": delegate, "inputs": inputs, "seed": seed, "max_seconds": plan.max_seconds}
    try:
        with Worker(path, limits=limits) as worker:
            found = worker.call(
                "profile",
                seconds=limits.seconds + 2 * plan.max_seconds,
                path=str(path),
                runs=plan.runs,
                warmup_runs=plan.warmup_runs,
                **chosen,
            )
    except (ChildEnded, MeasurementError) as error:
        found = {"reason": f"LiteRT's library: {error}"}
    rows, reason = found.get("rows"), found.get("reason")
    if rows is None:
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
        found = {"run_us": 1000 * plain.mean_ms, "runs": plain.runs}
    operators = None if rows is None else _operators(rows, found["kept"])
    return Profile(
        Path(path),
        threads,
        delegate,
        found["runs"],
        found["run_us"] / 1000,
        operators,
        reason,
        processor(),
        versions(),
        tool(),
    )


def _operators(rows: list[list[Any]], runs: int) -> tuple[OperatorTime, ...]:
    total = sum(elapsed for *_, elapsed, _ in rows)
    return tuple(
        OperatorTime(
            name, kind, elapsed / runs / 1000, elapsed / total if total else 0.0, round(calls / runs), delegated
        )
        for name, kind, delegated, elapsed, calls in rows
    )
