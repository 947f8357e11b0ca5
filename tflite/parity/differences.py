"""Differences between numbers, some of which may be infinite or not a number."""

import math

import numpy as np

# Decibels: the ratio where the difference is without bounds, or where nothing is expected and something is there.
SILENT = -300.0


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """|one − other| in float64: 0 where both are the same infinity, NaN where one or both are NaN.

    >>> difference(np.array([1.0, np.inf, np.inf, np.nan]), np.array([3.0, np.inf, 0.0, np.nan]))
    array([ 2.,  0., inf, nan])
    """
    with np.errstate(invalid="ignore"):  # of two infinities
        return np.where(one == other, 0.0, np.abs(np.subtract(one, other, dtype="float64")))


def energy(values: np.ndarray) -> float:
    """The sum of the squares of what is finite."""
    return float(np.sum(np.square(values, dtype="float64"), where=np.isfinite(values)))


def ratio(signal: float, noise: float) -> float:
    """10·log₁₀(signal / noise) in decibels: infinite without noise, −300 without signal or where noise is not finite.

    >>> ratio(100.0, 1.0), ratio(1.0, 0.0), ratio(0.0, 1.0), ratio(1.0, float("nan"))
    (20.0, inf, -300.0, -300.0)
    """
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal and math.isfinite(noise) else SILENT


def decibels(expected: np.ndarray, received: np.ndarray) -> float:
    """Ratio of a signal to what `received` differs from it, 10·log₁₀(Σ expected² / Σ (expected − received)²)."""
    return ratio(energy(expected), float(np.sum(np.square(difference(received, expected)))))
