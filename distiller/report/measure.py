"""A number measured once a seed: its mean, its deviation, and how both are written."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """Mean and sample standard deviation (n − 1) of `n` values; one value has no deviation."""

    mean: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Measure":
        """The measure of at least one value."""
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, len(values))


def percent(measure: Measure) -> str:
    """A fraction in percent, without the sign.

    >>> percent(Measure.of([0.90, 0.92]))
    '91.00 ± 1.41'
    >>> percent(Measure.of([0.9]))
    '90.00'
    """
    return _spread(100 * measure.mean, measure.deviation and 100 * measure.deviation, 2)


def milliseconds(measure: Measure) -> str:
    """Milliseconds to about three digits, without the unit.

    >>> milliseconds(Measure.of([0.8412])), milliseconds(Measure.of([0.00444]))
    ('0.841', '0.0044')
    >>> milliseconds(Measure.of([12.0, 13.0]))
    '12.5 ± 0.7'
    """
    mean = measure.mean
    return _spread(
        mean, measure.deviation, 4 if mean < 0.01 else 3 if mean < 1 else 2 if mean < 10 else 1 if mean < 100 else 0
    )


def size(count: float) -> str:
    """Bytes in decimal units to three digits.

    >>> size(812), size(78_500), size(1_204_000)
    ('812 B', '78.5 kB', '1.20 MB')
    """
    value = float(count)
    for unit in ("B", "kB", "MB"):
        text = f"{value:.0f}" if unit == "B" else _three_digits(value)
        if float(text) < 1000:
            return f"{text} {unit}"
        value /= 1000
    return f"{_three_digits(value)} GB"


def count(value: float | None) -> str:
    """A large count in short form; of one that is not known, nothing.

    >>> count(272_474), count(40_551_000), count(950), count(None)
    ('272 k', '40.6 M', '950', '')
    """
    if value is None:
        return ""
    for unit in ("", " k", " M"):
        text = f"{value:.0f}" if not unit else _three_digits(value)
        if float(text) < 1000:
            return text + unit
        value /= 1000
    return f"{_three_digits(value)} G"


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def _spread(mean: float, deviation: float | None, decimals: int) -> str:
    text = f"{mean:.{decimals}f}"
    return text if deviation is None else f"{text} ± {deviation:.{decimals}f}"
