"""Measuring in turn: one round of each file after the other, until enough is known."""

import statistics
from collections.abc import Callable, Sequence

from tflite.benchmarking.intervals import median_interval, spread
from tflite.benchmarking.plan import Plan
from tflite.isolation import Worker

# Runs at the start of a turn that are not measured: another file has had the caches since.
_SETTLE = 3
_NOISY = 0.05


def take_turns(
    workers: Sequence[Worker], plan: Plan, progress: Callable[[int, int], None] | None
) -> list[list[list[int]]]:
    """Nanoseconds by worker, round and run."""
    turns: list[list[list[int]]] = [[] for _ in workers]
    number = 0
    while number == 0 or (_seconds(turns) < plan.max_seconds and (number < plan.least_rounds or _unsure(turns, plan))):
        for i, worker in enumerate(workers):
            times = worker.call(
                "measure",
                seconds=worker.limits.seconds + plan.most_seconds,
                runs=plan.runs_in(number),
                min_seconds=plan.least_seconds,
                max_seconds=plan.most_seconds,
                settle=min(_SETTLE, plan.warmup_runs) if len(workers) > 1 else 0,
            )
            turns[i].append(times)
            if progress is not None:
                progress(number * len(workers) + i + 1, max(plan.least_rounds, number + 1) * len(workers))
        number += 1
    return turns


def _seconds(turns: Sequence[Sequence[Sequence[int]]]) -> float:
    """Seconds measured of the slowest."""
    return max(sum(map(sum, times)) for times in turns) / 1e9


def _unsure(turns: Sequence[Sequence[Sequence[int]]], plan: Plan) -> bool:
    """Return whether a median is not known well enough."""
    if plan.precision is None:
        return False
    widths = [half_width(medians_ms(times), plan.confidence) for times in turns]
    return any(width is None or width > plan.precision for width in widths)


def half_width(medians: Sequence[float], confidence: float) -> float | None:
    """Half the interval of the median, as a fraction of it."""
    found = median_interval(medians, confidence)
    return None if found is None else (found.high - found.low) / 2 / statistics.median(medians)


def medians_ms(times: Sequence[Sequence[int]]) -> list[float]:
    """The median of each round, in milliseconds."""
    return [statistics.median(turn) / 1e6 for turn in times]


def said_of(medians: Sequence[float], plan: Plan) -> list[str]:
    """Remarks on a measurement, from the medians of its rounds."""
    notes = []
    noise = spread(medians)
    if noise is not None and noise > _NOISY:
        notes.append(
            f"The medians of the {len(medians)} rounds vary by {noise:.0%}: something else keeps this machine busy. "
            "Trust the ratios of files that took turns, and not the times"
        )
    half = half_width(medians, plan.confidence)
    if plan.precision is not None and (half is None or half > plan.precision):
        reached = "not known" if half is None else f"± {half:.1%}"
        notes.append(
            f"A precision of ± {plan.precision:.1%} was not reached in {plan.max_seconds:g} s: the median is {reached}"
        )
    return notes
