"""The line of statistics that the tool prints after its runs, in microseconds.

Its forms, oldest first; one run, or runs that took equally long, have the short one:

    curr=85 count=1                      curr=82 count=50 min=78 max=443 avg=85.277 std=9
    count=1 curr=85                      count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=9
    count=3 curr=85(all same)            … p5=79 median=82 p95=110
"""

import math
import re
from dataclasses import dataclass

from tflite.errors import ModelError

# A whole number as C++ prints it: 85, 85.277, 1.44445e+06.
NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?"
COUNT = r"[0-9]{1,18}"

_PERCENTILES = rf"(?: p5=(?P<p5>{NUMBER}) median=(?P<median>{NUMBER}) p95=(?P<p95>{NUMBER}))?"
_SPREAD = rf" min=(?P<min>{NUMBER}) max=(?P<max>{NUMBER}) avg=(?P<avg>{NUMBER}) std=(?P<std>{NUMBER})"
_FORMS = tuple(
    re.compile(form + _PERCENTILES)
    for form in (
        rf"count=(?P<count>{COUNT}) first=(?P<first>{NUMBER}) curr=(?P<last>{NUMBER})" + _SPREAD,
        rf"count=(?P<count>{COUNT}) curr=(?P<last>{NUMBER})(?:\(all same\))?",
        rf"curr=(?P<last>{NUMBER}) count=(?P<count>{COUNT})" + _SPREAD,
        rf"curr=(?P<last>{NUMBER}) count=(?P<count>{COUNT})(?:\(all same\))?",
        r"count=(?P<count>0)",
    )
)


@dataclass(frozen=True)
class Statistics:
    """Durations of runs, in microseconds; what an old tool does not print is None."""

    count: int
    mean: float = 0.0
    std: float = 0.0
    min: float = 0.0
    max: float = 0.0
    first: float | None = None
    median: float | None = None
    p95: float | None = None


def parse_statistics(line: str) -> Statistics | None:
    """The statistics on a line, or None where the line is none of the known forms from its first to its last letter.

    >>> parse_statistics("count=1 curr=1446587")
    Statistics(count=1, mean=1446587.0, std=0.0, min=1446587.0, max=1446587.0, first=1446587.0, median=None, p95=None)
    >>> parse_statistics("count=50 first=109 curr=82 min=78 max=443 avg=85.2")  # cut off: there is no std

    Raises:
        ModelError: numbers that cannot belong together.
    """
    match = next((found for form in _FORMS if (found := form.fullmatch(line))), None)
    if match is None:
        return None
    us = {name: float(value) for name, value in match.groupdict().items() if value is not None}
    count = int(match["count"])
    if count == 0:
        return Statistics(0)
    last = us["last"]
    same = "avg" not in us
    statistics = Statistics(
        count=count,
        mean=last if same else us["avg"],
        std=0.0 if same else us["std"],
        min=last if same else us["min"],
        max=last if same else us["max"],
        first=last if same else us.get("first"),
        median=us.get("median"),
        p95=us.get("p95"),
    )
    _check(statistics, line, [last, us.get("p5", statistics.min)])
    return statistics


def near(one: float, other: float, *, absolute: float = 0.0) -> bool:
    """Return whether two prints of the same number agree: C++ prints six digits.

    >>> near(1446587, 1.44659e06), near(85.2, 85.277)
    (True, False)
    """
    return math.isclose(one, other, rel_tol=1e-5, abs_tol=absolute)


def _check(found: Statistics, line: str, others: list[float]) -> None:
    inside = [found.mean, *others, *(value for value in (found.first, found.median, found.p95) if value is not None)]
    low, high = found.min * (1 - 1e-5), found.max * (1 + 1e-5)
    in_order = found.median is None or found.p95 is None or found.median <= found.p95
    if not (all(low <= value <= high for value in inside) and in_order and found.std <= found.max - found.min + 1):
        raise ModelError(f"Expected statistics that fit together. Received: {line!r}")
