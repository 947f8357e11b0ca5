"""Calibration: a teacher that is right as often as it says, or not."""

from dataclasses import dataclass

import numpy as np

from distiller.teachers.diagnosis.probabilities import log_softmax


@dataclass(frozen=True)
class Bin:
    """Samples whose confidence is in (`low`, `high`]: their mean confidence and accuracy."""

    low: float
    high: float
    samples: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Gap between confidence and accuracy.

    `error` is the expected calibration error, a fraction; `confidence` the mean probability of the likeliest class;
    `nll` the mean negative log-likelihood in nats. `temperature` is the one that makes it smallest,
    `nll_at_temperature`; both are None where no finite temperature does. `bins` are those that have samples.
    """

    error: float
    confidence: float
    nll: float
    temperature: float | None
    nll_at_temperature: float | None
    bins: tuple[Bin, ...]


def calibrate(logits: np.ndarray, labels: np.ndarray, bins: int = 15) -> Calibration:
    """Expected calibration error Σ_b |b|/n · |accuracy_b − confidence_b| over `bins` equal bins of the confidence.

    Guo et al. 2017, 1706.04599, equations 2, 3 and 5, and temperature scaling (section 4.2) fitted on the same data.

    Args:
        logits: (n, classes), finite.
        labels: (n,), 0 … classes − 1.
        bins: their number.

    >>> logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    >>> round(calibrate(logits, np.array([0, 1, 0, 1])).error, 4)
    0.4
    """
    probabilities = np.exp(log_softmax(logits))
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    found = tuple(
        _bin(edges[place], edges[place + 1], confidence[places == place], right[places == place])
        for place in np.unique(places)
    )
    error = sum(abs(b.accuracy - b.confidence) * b.samples for b in found) / len(labels)
    temperature = best_temperature(logits, labels)
    return Calibration(
        error=error,
        confidence=float(confidence.mean()),
        nll=negative_log_likelihood(logits, labels),
        temperature=temperature,
        nll_at_temperature=None if temperature is None else negative_log_likelihood(logits, labels, temperature),
        bins=found,
    )


def _bin(low: float, high: float, confidence: np.ndarray, right: np.ndarray) -> Bin:
    return Bin(float(low), float(high), len(right), float(confidence.mean()), float(right.mean()))


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Mean of −log softmax(logits / temperature)[label], in nats."""
    return float(-log_softmax(logits, temperature)[np.arange(len(labels)), labels].mean())


def best_temperature(logits: np.ndarray, labels: np.ndarray) -> float | None:
    """The temperature with the smallest negative log-likelihood; None where that is at zero or infinity.

    The likelihood is convex in 1/temperature: its slope mean(Σ_k p_k z_k − z_label) rises through zero once, and
    Brent's method finds where. It is at temperature zero where every sample is right, and at infinity where the logits
    say nothing of the labels.

    >>> best_temperature(np.array([[2.0, 0.0]] * 4), np.array([0, 0, 0, 1])).__round__(4)  # 2 / log 3
    1.8205
    """
    z = np.asarray(logits, "float64")
    z = z - z.max(axis=1, keepdims=True)
    own = z[np.arange(len(labels)), labels]

    def slope(sharpness: float) -> float:
        return float(np.mean(np.sum(np.exp(log_softmax(z * sharpness)) * z, axis=1) - own))

    # As the sharpness grows, Σ p z tends to the largest logit, which is 0 here.
    if slope(0.0) >= 0 or not np.any(own < 0):
        return None
    low, high = 1.0, 1.0
    while slope(high) < 0:
        low, high = high, 2 * high
    while slope(low) >= 0:
        low, high = low / 2, low
    from scipy.optimize import brentq

    return 1 / brentq(slope, low, high, xtol=1e-9 * high, rtol=1e-9)
