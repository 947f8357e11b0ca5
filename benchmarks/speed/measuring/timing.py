"""Times of several workloads on one machine: in turn, in rounds, each compared with the others of its round."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.shell import progress
from distiller.errors import WorkError
from tflite.benchmarking.intervals import median_interval


@dataclass(frozen=True)
class Ratio:
    """Ratio of two times: the median over rounds, and an interval that holds the true median.

    `low` to `high` covers it with at least 95 %, whatever the distribution; with fewer than six rounds no interval
    does, and it is that of all rounds.
    """

    median: float
    low: float
    high: float


def time_in_rounds(
    steps: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    count: int,
    seed: int = 0,
    done: Callable[[int], None] = lambda measured: None,
) -> dict[str, list[float]]:
    """Seconds per step by workload, one number per round.

    In every round each workload runs `count` steps. The order is drawn anew each round, so that disturbances of the
    machine affect all of them alike.

    Args:
        steps: workload → one step of it, which returns arrays; compiled and warm.
        rounds: at least 1.
        count: steps per measurement, at least 1.
        seed: of the orders.
        done: called with the number of measurements so far.

    Raises:
        WorkError: a step returned a number that is not finite.
    """
    order, draw = list(steps), random.Random(seed)
    seconds: dict[str, list[float]] = {name: [] for name in order}
    # Collecting the graphs of dozens of networks would take longer than a step.
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            draw.shuffle(order)
            for place, name in enumerate(order, start=1):
                taken, result = _seconds(steps[name], count)
                if not all(np.isfinite(array).all() for array in result):
                    raise WorkError(f"{name}: a step of round {number + 1} returned numbers that are not finite")
                seconds[name].append(taken)
                done(number * len(order) + place)
    finally:
        gc.enable()
    return seconds


def compile_and_time(
    title: str, makers: Mapping[str, Callable[[], Callable[[], Any]]], *, rounds: int, count: int
) -> dict[str, list[float]]:
    """Seconds per step of every workload, one number per round, with a progress bar.

    All are compiled by a first step before any is timed.

    Args:
        title: of the progress bar.
        makers: workload → function that builds its step.
        rounds: as of `in_turn`.
        count: as of `in_turn`.

    Raises:
        WorkError: a step returned a number that is not finite.
    """
    ready: dict[str, Callable[[], Any]] = {}
    with progress(title, len(makers) * (1 + rounds)) as task:
        for place, (name, make) in enumerate(makers.items(), start=1):
            task.say(f"compiling {name}")
            ready[name] = make()
            wait(ready[name]())
            task.advance_to(place)
        task.say("taking turns")
        done = len(makers)
        return time_in_rounds(ready, rounds=rounds, count=count, done=lambda number: task.advance_to(done + number))


def _seconds(step: Callable[[], Any], count: int) -> tuple[float, list[np.ndarray]]:
    start = time.perf_counter()
    for _ in range(count):
        returned = step()
    result = wait(returned)
    return (time.perf_counter() - start) / count, result


def wait(result: Any) -> list[np.ndarray]:
    """Arrays that a step returned, once they are computed: accelerators work asynchronously."""
    import keras

    return [keras.ops.convert_to_numpy(array) for array in keras.tree.flatten(result)]


def ratio(seconds: Sequence[float], *others: Sequence[float]) -> Ratio:
    """Times of a workload over the sum of those of `others`, round by round.

    >>> ratio([2.0, 6.0, 9.0], [1.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    Ratio(median=2.0, low=1.0, high=3.0)
    """
    found = sorted(own / sum(rest) for own, *rest in zip(seconds, *others, strict=True))
    interval = median_interval(found, 0.95)  # None of fewer than six
    low, high = (interval.low, interval.high) if interval else (found[0], found[-1])
    return Ratio(statistics.median(found), low, high)
