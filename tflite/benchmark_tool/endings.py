"""Last lines of the tool when its runs are finished, in the words of its generation.

2018–19  Average inference timings in us: Warmup: 83235, Init: 38467, no stats: 79760.9   (or Inference: 79760.9)
2020–    Inference timings in us: Init: 3203, First inference: 2190, Warmup (avg): 83.7, Inference (avg): 85.3
LiteRT   Model initialization: 3.20 ms … Inference (avg): 0.09 ms (50 runs) …, a line each, and the same of the
         program litert-benchmark of its Python package
"""

import re
from dataclasses import dataclass

from tflite.benchmark_tool.statistics import COUNT, NUMBER, Statistics

_TIMINGS = (
    re.compile(
        rf"Inference timings in us: Init: (?P<init>{NUMBER}), First inference: (?P<first>{NUMBER}), "
        rf"Warmup \(avg\): (?P<warmup>{NUMBER}), Inference \(avg\): (?P<mean>{NUMBER})"
    ),
    re.compile(
        rf"Average inference timings in us: Warmup: (?P<warmup>{NUMBER}), Init: (?P<init>{NUMBER}), "
        rf"(?:no stats|Inference): (?P<mean>{NUMBER})"
    ),
)
_LITERT = {
    "init": re.compile(rf"Model initialization: +({NUMBER}) ms"),
    "first": re.compile(rf"Warmup \(first\): +({NUMBER}) ms"),
    "warmup": re.compile(rf"Warmup \(avg\): +({NUMBER}) ms \({COUNT} runs\)"),
    "warmup_runs": re.compile(rf"Warmup \(avg\): +{NUMBER} ms \(({COUNT}) runs\)"),
    "mean": re.compile(rf"Inference \(avg\): +({NUMBER}) ms \({COUNT} runs\)"),
    "runs": re.compile(rf"Inference \(avg\): +{NUMBER} ms \(({COUNT}) runs\)"),
    "min": re.compile(rf"Inference \(min\): +({NUMBER}) ms"),
    "max": re.compile(rf"Inference \(max\): +({NUMBER}) ms"),
    "std": re.compile(rf"Inference \(std\): +({NUMBER})(?: ms)?"),
}
_PEAK = re.compile(
    rf"Overall peak memory footprint \(MB\) via periodic monitoring: ({NUMBER})"
    rf"|Peak memory footprint \(MB\): init={NUMBER} overall=({NUMBER})"
    rf"|Peak memory: +({NUMBER}) MB"
)

# LiteRT prints hundredths of a millisecond: two prints of a time may be this many microseconds apart.
_HUNDREDTHS = 5.01


@dataclass(frozen=True)
class Ending:
    """The last words of a finished run, in microseconds and megabytes; `line` is the number of their first line.

    `runs` and `warmup_runs` are what LiteRT says here; the older tools say it in lines before.
    """

    line: int
    init: float
    warmup: float
    mean: float
    first: float | None = None
    runs: Statistics | None = None
    warmup_runs: int | None = None
    resolution: float = 0.0


def parse_endings(lines: list[str]) -> list[Ending]:
    """One for every finished run; whole lines alone count."""
    found = []
    for number, line in enumerate(lines):
        match = next((match for form in _TIMINGS if (match := form.fullmatch(line))), None)
        if match:
            us = {name: float(value) for name, value in match.groupdict().items()}
            found.append(Ending(number, us["init"], us["warmup"], us["mean"], us.get("first")))
    return found + _parse_litert(lines)


def parse_peak(lines: list[str]) -> float | None:
    """The most memory that the tool says it took, in megabytes of 2²⁰ bytes.

    >>> parse_peak(["Peak memory footprint (MB): init=0 overall=12.8672"])
    12.8672
    """
    for line in lines:
        if match := _PEAK.fullmatch(line):
            return float(next(value for value in match.groups() if value is not None))
    return None


def _parse_litert(lines: list[str]) -> list[Ending]:
    values: dict[str, list[tuple[int, float]]] = {name: [] for name in _LITERT}
    for number, line in enumerate(lines):
        for name, form in _LITERT.items():
            if match := form.fullmatch(line):
                values[name].append((number, float(match[1])))
    # A run whose lines are not all there is unfinished; where there are two of a line, several runs are mixed.
    complete = min(map(len, values.values()))
    if complete != max(map(len, values.values())):
        return []
    return [_litert({name: found[i] for name, found in values.items()}) for i in range(complete)]


def _litert(found: dict[str, tuple[int, float]]) -> Ending:
    us = {name: value * 1000 for name, (_, value) in found.items()}
    runs = Statistics(int(found["runs"][1]), us["mean"], us["std"], us["min"], us["max"])
    return Ending(
        line=found["init"][0],
        init=us["init"],
        warmup=us["warmup"],
        mean=us["mean"],
        first=us["first"],
        runs=runs,
        warmup_runs=int(found["warmup_runs"][1]),
        resolution=_HUNDREDTHS,
    )
