"""Confidence interval of a difference between two groups of seeds, after Welch."""

import math
from collections.abc import Sequence

from distiller.report.measure import Measure

CONFIDENCE = 0.95


def welch(found: Sequence[float], base: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """The interval of mean(found) − mean(base), for independent samples whose variances may differ.

    d ± t · √(s²/n + s₀²/n₀) with Welch and Satterthwaite's degrees of freedom (Welch 1947). Few seeds know their
    deviation badly, which t accounts for: with three each it is 2.8 to 4.3 and not 2.

    Returns None where there is no telling: fewer than two values on a side, or none that differ.

    >>> welch([0.93, 0.95], [0.90, 0.92])  # 0.03 ± 4.303 · √(0.0002 / 2 + 0.0002 / 2)
    (-0.0308..., 0.0908...)
    >>> welch([0.93], [0.90, 0.92]) is None
    True
    """
    own, other = Measure.of(found), Measure.of(base)
    if own.deviation is None or other.deviation is None or not (own.deviation or other.deviation):
        return None
    # Deviations as shares of the larger one: the squares of tiny ones would vanish.
    scale = max(own.deviation, other.deviation)
    parts = [(deviation / scale) ** 2 / one.n for one, deviation in ((own, own.deviation), (other, other.deviation))]
    freedom = sum(parts) ** 2 / sum(part**2 / (one.n - 1) for part, one in zip(parts, (own, other), strict=True))
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * scale * math.sqrt(sum(parts))
    difference = own.mean - other.mean
    return difference - reach, difference + reach


def in_points(interval: tuple[float, float]) -> str:
    """An interval of fractions in percentage points, with signs.

    >>> in_points((-0.0012, 0.0345))
    '−0.12 to +3.45'
    """
    return " to ".join(signed(bound) for bound in interval)


def signed(difference: float) -> str:
    """A difference of fractions in percentage points; zero has no sign.

    >>> signed(0.0123), signed(-0.0123), signed(-0.00001)
    ('+1.23', '−1.23', '0.00')
    """
    text = f"{100 * difference:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")
