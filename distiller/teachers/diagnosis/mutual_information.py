"""Mutual information: what a teacher's logits still know of the single image, and not only of its class."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distiller.data.splits import UNLABELLED
from distiller.errors import InputError


@dataclass(frozen=True)
class PairInformation:
    """The estimate for two classes: in `nats`, from `examples` images, at most log `examples`."""

    classes: tuple[int, int]
    nats: float
    examples: int


@dataclass(frozen=True)
class Information:
    """The mean over pairs of classes, in `nats` and as `share` of the largest possible value.

    Two classes collapsed into two points give log 2 = 0.69 nats; images that are all told apart give log `examples`.
    """

    nats: float
    share: float
    draws: int
    pairs: tuple[PairInformation, ...]

    @classmethod
    def of(cls, pairs: Sequence[PairInformation], draws: int) -> "Information":
        """The mean of at least one pair."""
        nats = math.fsum(pair.nats for pair in pairs) / len(pairs)
        share = math.fsum(pair.nats / math.log(pair.examples) for pair in pairs) / len(pairs)
        return cls(nats, share, draws, tuple(pairs))


def mutual_information(differences: np.ndarray) -> float:
    """Mutual information in nats between an example and the difference of two of its logits, seen through random views.

    With f_xl the difference for view l of example x, μ_x its mean over views, and σ² the mean of (f_xl − μ_x)² over
    both, I = mean_xl [ −(f_xl − μ_x)² / 2σ² − log mean_x' exp(−(f_xl − μ_x')² / 2σ²) ]: Müller et al. 2019,
    1906.02629, section 4, with the mean over x' that makes it an estimate between 0 and log(examples).

    Args:
        differences: (examples, draws), of both classes.

    Raises:
        InputError: fewer than two examples or two draws.

    Two clusters that views do not leave tell which cluster it is, and nothing more:

    >>> views = np.array([-0.1, 0.1])
    >>> clusters = np.array([[5.0], [5.0], [-5.0], [-5.0]]) + views
    >>> round(mutual_information(clusters), 4), round(np.log(2), 4)
    (0.6931, np.float64(0.6931))
    """
    values = np.asarray(differences, "float64")
    if values.ndim != 2 or min(values.shape) < 2:
        raise InputError(f"Expected differences (examples, draws) with two or more of each. Received: {values.shape}")
    centres = values.mean(axis=1)
    # Views that change nothing leave a variance of rounding errors: float32 logits tell no more apart than this.
    smallest = np.finfo("float32").eps * np.abs(values).max()
    variance = max(float(np.mean((values - centres[:, None]) ** 2)), float(smallest**2))
    if not variance:
        return 0.0
    rows = [_pointwise(own, place, centres, variance) for place, own in enumerate(values)]
    return float(np.mean(rows))


def _pointwise(own: np.ndarray, place: int, centres: np.ndarray, variance: float) -> float:
    """The mean over the views `own` (draws,) of the example at `place`; one example at a time, to save memory."""
    exponents = -((own[:, None] - centres) ** 2) / (2 * variance)
    highest = exponents.max(axis=1)
    mixture = highest + np.log(np.exp(exponents - highest[:, None]).mean(axis=1))
    return float(np.mean(exponents[:, place] - mixture))


def choose(labels: np.ndarray, classes: int, examples: int, seed: int) -> np.ndarray:
    """Places of the first samples of some classes, drawn by `seed`, so that a pair of them has `examples` at most.

    The choice depends on the labels and the seed alone, not on the teacher: two teachers are asked the same.

    >>> choose(np.array([0, 1, 0, -1, 1, 1]), classes=2, examples=4, seed=0)
    array([0, 2, 1, 4])
    """
    known = np.unique(labels[labels != UNLABELLED])
    drawn = np.sort(np.random.default_rng(seed).permutation(known)[:classes])
    return np.concatenate([np.flatnonzero(labels == code)[: examples // 2] for code in drawn])


def between_pairs(logits: np.ndarray, labels: np.ndarray) -> Information:
    """The estimate for every pair of the classes in `labels`, on equally many samples of both, and its mean.

    Args:
        logits: (draws, n, classes), of the views of n samples.
        labels: (n,).
    """
    found = []
    for one, other in itertools.combinations(np.unique(labels), 2):
        members = [np.flatnonzero(labels == code) for code in (one, other)]
        places = np.concatenate([part[: min(map(len, members))] for part in members])
        nats = mutual_information((logits[:, places, one] - logits[:, places, other]).T)
        found.append(PairInformation((int(one), int(other)), nats, len(places)))
    return Information.of(found, len(logits))
