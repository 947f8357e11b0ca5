"""Statistics of a teacher's soft targets at each temperature, and which one to begin with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distiller.teachers.diagnosis.probabilities import log_softmax
from distiller.teachers.diagnosis.smoothing import Verdict

TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
USUAL = 4.0  # the field's default, and what the tables of most methods were made with
ONE_HOT, UNIFORM = 0.05, 0.9  # entropy as a share of log C, beyond which targets say little; rules of thumb


@dataclass(frozen=True)
class Entropy:
    """Mean entropy of softmax(logits / temperature), as a `share` of log C: 0 for one-hot targets, 1 for uniform."""

    temperature: float
    share: float


@dataclass(frozen=True)
class SoftTargets:
    """Entropies by temperature, and the distillation temperature to begin with."""

    entropies: tuple[Entropy, ...]
    suggested_temperature: float
    reason: str


def entropy(logits: np.ndarray, temperature: float = 1.0) -> float:
    """Mean over samples of −Σ_k p_k log p_k / log C with p = softmax(logits / temperature).

    >>> round(entropy(np.zeros((2, 5))), 6)
    1.0
    """
    log_p = log_softmax(logits, temperature)
    p = np.exp(log_p)
    # A class that is ruled out adds nothing: 0 · −inf would be NaN.
    return float(-(p * np.where(p > 0, log_p, 0)).sum(axis=1).mean() / math.log(log_p.shape[1]))


def describe(logits: np.ndarray, smoothed: Verdict) -> SoftTargets:
    """Entropies at `TEMPERATURES`, and a temperature: see `suggest`."""
    entropies = tuple(Entropy(temperature, entropy(logits, temperature)) for temperature in TEMPERATURES)
    return SoftTargets(entropies, *suggest(entropies, smoothed))


def suggest(entropies: Sequence[Entropy], smoothed: Verdict) -> tuple[float, str]:
    """A distillation temperature and the reason.

    The lowest for a teacher trained with label smoothing (Chandrasegaran et al. 2022, 2206.14532). For any other the
    usual 4, unless the targets are nearly one-hot or nearly uniform there; then the nearest at which they are not.

    >>> suggest([Entropy(2.0, 0.2), Entropy(4.0, 0.5)], "not")[0]
    4.0
    """
    if smoothed == "likely":
        return TEMPERATURES[0], (
            "the teacher was likely trained with label smoothing, and higher temperatures spread such a teacher's "
            "targets over classes that are not alike (Chandrasegaran et al. 2022)"
        )
    shares = {one.temperature: one.share for one in entropies}
    useful = [temperature for temperature, share in shares.items() if ONE_HOT <= share <= UNIFORM]
    if USUAL in useful:
        return USUAL, f"the usual one; the targets there have {shares[USUAL]:.0%} of the largest possible entropy"
    extreme = "one-hot" if shares[USUAL] < ONE_HOT else "uniform"
    if not useful:
        return USUAL, f"the usual one, but the targets are nearly {extreme} at every temperature that was tried"
    nearest = min(useful, key=lambda temperature: abs(math.log(temperature / USUAL)))
    return (
        nearest,
        f"at the usual {USUAL:g} the targets are nearly {extreme} ({shares[USUAL]:.0%} of the largest entropy)",
    )
