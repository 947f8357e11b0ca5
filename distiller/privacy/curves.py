"""Area under the curve and true positives of an attack, and their intervals by the bootstrap."""

from dataclasses import dataclass

import numpy as np

from distiller.privacy.results import Rate

FALSE_POSITIVES = (0.001, 0.01)
_POINTS = 60


@dataclass(frozen=True)
class Ranks:
    """Members and others by the rank of their score, the highest first; equal scores share a rank."""

    members: np.ndarray
    others: np.ndarray
    count: int

    @classmethod
    def of(cls, members: np.ndarray, others: np.ndarray) -> "Ranks":
        """Ranks of scores (n,) and (m,)."""
        values, ranks = np.unique(np.concatenate([members, others]), return_inverse=True)
        ranks = len(values) - 1 - ranks
        return cls(ranks[: len(members)], ranks[len(members) :], len(values))

    def rates(self, members: np.ndarray | None = None, others: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """False and true positives, fractions, of every threshold; of resampled images by how often each was drawn."""
        true = np.bincount(self.members, members, self.count).cumsum()
        false = np.bincount(self.others, others, self.count).cumsum()
        return np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]]


def area(false: np.ndarray, true: np.ndarray) -> float:
    """Area under the curve: how often a member scores above another image, ties counted half (Mann and Whitney)."""
    return float(np.trapezoid(true, false))


def true_positives(false: np.ndarray, true: np.ndarray, allowed: float) -> float:
    """The largest share of members found by a threshold that takes at most the `allowed` share of others for members.

    Reported at low rates, after Carlini et al. 2022, "Membership Inference Attacks From First Principles",
    https://arxiv.org/abs/2112.03570: an attack that is sure of a few images is one, whatever its average says.
    """
    return float(true[false <= allowed + 1e-12].max())


def measured(
    members: np.ndarray, others: np.ndarray, *, resamples: int, confidence: float, seed: int
) -> tuple[Rate, tuple[Rate, ...]]:
    """Area, and true positives at each of `FALSE_POSITIVES`, of scores (n,) and (m,), with their intervals.

    Members and others are drawn anew with replacement, `resamples` times; the ends are percentiles (Efron 1979).
    """
    ranks, random = Ranks.of(members, others), np.random.default_rng(seed)
    drawn = np.array(
        [_summary(*ranks.rates(_again(random, len(members)), _again(random, len(others)))) for _ in range(resamples)]
    )
    ends = np.percentile(drawn, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)
    rates = [
        Rate(float(value), float(low), float(high))
        for value, low, high in zip(_summary(*ranks.rates()), *ends, strict=True)
    ]
    return rates[0], tuple(rates[1:])


def curve(members: np.ndarray, others: np.ndarray) -> tuple[tuple[float, float], ...]:
    """True positives at false positives from 1 / m to 1, evenly on a logarithmic axis."""
    false, true = Ranks.of(members, others).rates()
    allowed = np.geomspace(min(0.5, 1 / len(others)), 1.0, _POINTS)
    return tuple((float(rate), true_positives(false, true, rate)) for rate in allowed)


def _summary(false: np.ndarray, true: np.ndarray) -> tuple[float, ...]:
    return area(false, true), *(true_positives(false, true, allowed) for allowed in FALSE_POSITIVES)


def _again(random: np.random.Generator, count: int) -> np.ndarray:
    """Number of times that each of so many images is drawn in as many draws."""
    return np.bincount(random.integers(0, count, count), minlength=count)
