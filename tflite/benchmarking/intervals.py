"""Confidence interval of a median."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """The median lies from `low` to `high` with this confidence."""

    low: float
    high: float
    confidence: float


def median_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """The confidence interval of the median that assumes nothing of the distribution; None for too few values.

    Its ends are two of the sorted values, as far from both sides: the number of values below the true median is
    binomial with p = ½ (Conover, Practical Nonparametric Statistics, 1999, section 3.2). The narrowest pair that has at
    least the confidence is taken, and its own confidence is returned. 95 % takes six values or more.

    >>> median_interval([3.0, 1.0, 2.0, 5.0, 4.0, 6.0], 0.95)
    Interval(low=1.0, high=6.0, confidence=0.96875)
    """
    count, outside, found = len(values), 0.0, None
    ordered = sorted(values)
    for place in range(count // 2):
        outside += 2 * math.comb(count, place) / 2**count
        if 1 - outside < confidence:
            break
        found = Interval(ordered[place], ordered[-1 - place], 1 - outside)
    return found


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation of values above zero as a fraction of their mean; None for less than two.

    >>> spread([1.0, 3.0])
    0.7071067811865476
    """
    return statistics.stdev(values) / statistics.fmean(values) if len(values) > 1 else None
