"""Several measurements that took turns, and how they compare."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite.benchmarking.intervals import median_interval
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import ModelError
from tflite.utils.record import Record

_DELEGATES = {"none": "no delegate", "unknown": "delegate unknown"}


@dataclass(frozen=True)
class Ratio(Record):
    """Ratio of one measurement to another: below 1 it is the faster one.

    `result` and `reference` are places in `Benchmarks.results`. `ratio` is the median over the rounds of the ratio of
    the two medians of a round. The true ratio lies from `low` to `high` with this `confidence`: an interval of ranks
    that assumes nothing of the distribution (`tflite.benchmarking.intervals`). The three are None for too few rounds.
    """

    result: int
    reference: int
    ratio: float
    low: float | None
    high: float | None
    confidence: float | None
    rounds: int

    @property
    def decided(self) -> bool:
        """True if one of the two is faster, as far as this measurement can tell."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


@dataclass(frozen=True)
class Benchmarks(Record):
    """Measurements of several files, numbers of threads or delegates that took turns in rounds.

    `rounds_ms` has the medians of the rounds, one tuple a result. `ratios` compare each result with one that differs in
    one thing only: the first file in the same setting; for the first file the first number of threads; then the first
    delegate. `notes` are sentences that belong to the numbers: a machine too noisy to tell two files apart.
    """

    results: tuple[BenchmarkResult, ...]
    rounds_ms: tuple[tuple[float, ...], ...]
    ratios: tuple[Ratio, ...]
    confidence: float
    notes: tuple[str, ...] = ()

    def ratio(self, result: int, reference: int) -> Ratio:
        """The ratio of any two results, by their places."""
        return ratio(self.rounds_ms, result, reference, self.confidence)

    @classmethod
    def of(
        cls, results: Sequence[BenchmarkResult], rounds_ms: Sequence[Sequence[float]], confidence: float
    ) -> "Benchmarks":
        """The comparison of results whose rounds were measured in turn."""
        pairs = [(i, _reference(results, i)) for i in range(1, len(results))]
        found = tuple(ratio(rounds_ms, i, j, confidence) for i, j in pairs)
        notes = tuple(_undecided(results, each) for each in found if not each.decided)
        return cls(tuple(results), tuple(map(tuple, rounds_ms)), found, confidence, notes)

    @classmethod
    def from_json(cls, text: str) -> "Benchmarks":
        """The object that `to_json` wrote.

        Raises:
            ModelError: not JSON, or of another kind.
        """
        try:
            fields: dict[str, Any] = dict(json.loads(text))
            fields["results"] = tuple(map(BenchmarkResult.from_fields, fields["results"]))
            fields["rounds_ms"] = tuple(map(tuple, fields["rounds_ms"]))
            fields["ratios"] = tuple(Ratio(**each) for each in fields["ratios"])
            return cls(**{**fields, "notes": tuple(fields["notes"])})
        except ModelError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"Expected the JSON of benchmarks. Received: {text[:40]!r} ({error!r})") from error


def ratio(rounds_ms: Sequence[Sequence[float]], result: int, reference: int, confidence: float) -> Ratio:
    """The ratio of two measurements from the medians of the rounds that they took in turn.

    >>> ratio([[2.0] * 6, [1.0, 1.0, 1.1, 1.0, 0.9, 1.0]], 1, 0, 0.95)
    Ratio(result=1, reference=0, ratio=0.5, low=0.45, high=0.55, confidence=0.96875, rounds=6)
    """
    pairs = [a / b for a, b in zip(rounds_ms[result], rounds_ms[reference], strict=True)]
    found = median_interval(pairs, confidence)
    low, high, sure = found or (None, None, None)
    return Ratio(result, reference, statistics.median(pairs), low, high, sure, len(pairs))


def label(results: Sequence[BenchmarkResult], place: int) -> str:
    """Label that tells one result from the others: its file, and threads, delegate and device where they differ."""
    one = results[place]
    same_name = {other.path for other in results if other.path.name == one.path.name}
    name = one.path.name if len(same_name) == 1 else str(one.path)
    # Figures are of text, and the bytes of a name that is not UTF-8 are none.
    words = [name.encode(errors="backslashreplace").decode()]
    if one.threads is not None and len({other.threads for other in results}) > 1:
        words.append(f"{one.threads} thread{'' if one.threads == 1 else 's'}")
    if len({other.delegate for other in results}) > 1:
        words.append(_DELEGATES.get(one.delegate, one.delegate))
    if len({other.device for other in results}) > 1:
        words.append("device unknown" if one.device == "unknown" else one.device)
    alike = [i for i, other in enumerate(results) if _setting(other) == _setting(one)]
    if len(alike) > 1:
        words.append(f"measurement {alike.index(place) + 1}")
    return ", ".join(words)


def _setting(result: BenchmarkResult) -> tuple[Path, int | None, str, str]:
    return result.path, result.threads, result.delegate, result.device


def _reference(results: Sequence[BenchmarkResult], place: int) -> int:
    """The place of the result to compare with."""
    one, first = results[place], results[0]
    for wanted in (
        (first.path, one.threads, one.delegate, one.device),
        (one.path, first.threads, one.delegate, one.device),
    ):
        for i, other in enumerate(results[:place]):
            if _setting(other) == wanted:
                return i
    return 0


def _undecided(results: Sequence[BenchmarkResult], found: Ratio) -> str:
    both = f"{label(results, found.result)} and {label(results, found.reference)}"
    if found.low is None:
        return f"{both} cannot be compared after {found.rounds} rounds: more rounds give an interval"
    noise = max(results[i].noise or 0.0 for i in (found.result, found.reference))
    return (
        f"{both} cannot be told apart: the ratio of their times is {found.ratio:.3f}, from {found.low:.3f} to "
        f"{found.high:.3f}, which includes 1. From round to round they vary by {noise:.1%}; measure for longer, or on "
        "a machine that does nothing else"
    )
