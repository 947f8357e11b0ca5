"""Times of operators, measured by LiteRT's own profiler in a child process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.benchmarking.operator_time import OperatorTime
from tflite.benchmarking.plan import Plan
from tflite.errors import MeasurementError
from tflite.isolation import Limits, Worker
from tflite.isolation.worker import ChildEnded


@dataclass(frozen=True)
class Profiled:
    """Attributes:
    operators: in the order of execution; None where the times cannot be told.
    reason: why not.
    run_ms: mean of the runs that count, as a whole.
    runs: how many were profiled.
    """

    operators: tuple[OperatorTime, ...] | None
    reason: str | None
    run_ms: float | None = None
    runs: int | None = None


def operator_times(
    path: str | Path, plan: Plan, *, threads: int, delegate: str, inputs: Any, seed: int, limits: Limits
) -> Profiled:
    """Profile the runs of a file.

    Raises:
        ModelError: a file that cannot be run, crashes the interpreter or goes beyond a limit.
    """
    try:
        with Worker(path, limits=limits) as worker:
            found = worker.call(
                "profile",
                seconds=limits.seconds + 2 * plan.max_seconds,
                path=str(path),
                runs=plan.runs,
                warmup_runs=plan.warmup_runs,
                threads=threads,
                delegate=delegate,
                inputs=inputs,
                seed=seed,
                max_seconds=plan.max_seconds,
            )
    except (ChildEnded, MeasurementError) as error:
        return Profiled(None, f"LiteRT's library: {error}")
    if found.get("rows") is None:
        return Profiled(None, found.get("reason"))
    operators = _operators(found["rows"], found["kept"])
    return Profiled(operators, found.get("reason"), found["run_us"] / 1000, found["runs"])


def _operators(rows: list[list[Any]], runs: int) -> tuple[OperatorTime, ...]:
    total = sum(elapsed for *_, elapsed, _ in rows)
    return tuple(
        OperatorTime(
            name, kind, elapsed / runs / 1000, elapsed / total if total else 0.0, round(calls / runs), delegated
        )
        for name, kind, delegated, elapsed, calls in rows
    )
