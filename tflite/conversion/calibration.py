"""From the numbers that a tensor takes to the range that its integers stand for."""

from collections.abc import Callable
from functools import partial

import numpy as np

# Fine enough that a percentile is right to a fraction of an 8-bit step of what is inside of it.
BINS = 2**14
# Shares of a range that the search for the least error tries first, and how far round the best it then goes, in steps
# of a hundredth.
_COARSE = np.linspace(0.05, 1.0, 20)
_FINE = np.linspace(-0.04, 0.04, 9)
_ROUNDS = 3

# How ranges can be found. "minmax" is the converter's own way.
CALIBRATIONS = ("minmax", "percentile", "mse")


class Histogram:
    """Histogram of a tensor's numbers: first `widen` with all of them, then `count` all of them again."""

    def __init__(self) -> None:
        self.low, self.high = 0.0, 0.0  # zero is in every range
        self.counts = np.zeros(BINS, "int64")

    def widen(self, values: np.ndarray) -> None:
        """Let the bins hold these numbers."""
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def count(self, values: np.ndarray) -> None:
        """Add these numbers to the bins."""
        width = (self.high - self.low) / BINS or 1.0
        places = ((values.ravel().astype("float64") - self.low) / width).astype("int64")
        self.counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)

    @property
    def centres(self) -> np.ndarray:
        """The number in the middle of each bin."""
        return self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS


def percentile_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """The range without the largest and the smallest numbers: from percentile 100 − p to percentile p, zero inside.

    Args:
        histogram: of the numbers.
        percentile: p, above 50, at most 100, which is the whole range.
    """
    if percentile == 100:
        return histogram.low, histogram.high
    edges = np.linspace(histogram.low, histogram.high, BINS + 1)
    below = np.concatenate([[0], np.cumsum(histogram.counts)]) / max(1, histogram.counts.sum())
    low, high = np.interp([1 - percentile / 100, percentile / 100], below, edges)
    return min(0.0, float(low)), max(0.0, float(high))


def mse_range(histogram: Histogram, *, bits: int, symmetric: bool) -> tuple[float, float]:
    """The range with the least mean squared error between numbers and what their integers stand for.

    A narrower range rounds finer and cuts off more. Both ends are searched in turn, each to a hundredth of what was
    seen there.

    Args:
        histogram: of the numbers.
        bits: of the integers.
        symmetric: whether the range is [−m, m].
    """
    used = histogram.counts > 0
    values, weights = histogram.centres[used], histogram.counts[used]
    most = max(-histogram.low, histogram.high)
    if not most:
        return histogram.low, histogram.high

    def error(low: float, high: float) -> float:
        return float(np.dot(weights, (rounded(values, low, high, bits=bits, symmetric=symmetric) - values) ** 2))

    if symmetric:
        best = _least(lambda end: error(-end, end), most)
        return -best, best
    low, high = histogram.low, histogram.high
    for _ in range(_ROUNDS):
        before = (low, high)
        if histogram.high:
            high = _least(partial(error, low), histogram.high)
        if histogram.low:
            low = _least(partial(error, high=high), histogram.low)
        if (low, high) == before:
            break
    return low, high


def rounded(values: np.ndarray, low: float, high: float, *, bits: int, symmetric: bool) -> np.ndarray:
    """The numbers that the integers of `values` stand for (Jacob et al. 2018, 1712.05877, eq. 12), float64."""
    if symmetric:
        most = 2 ** (bits - 1) - 1
        scale = high / most
        return np.clip(np.rint(values / scale), -most, most) * scale
    most = 2**bits - 1
    scale = (high - low) / most
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(values / scale) + zero, 0, most) - zero) * scale


def _least(error: Callable[[float], float], end: float) -> float:
    """The share of a range's end with the least error."""
    coarse = min(_COARSE, key=lambda share: error(float(share * end)))
    fine = (min(1.0, float(coarse + step)) for step in _FINE)
    return float(min(fine, key=lambda share: error(share * end)) * end)
