"""The accuracy that needs no look at an image, and whether another one is beyond it."""

import math

import numpy as np

# Of a teacher that is no better than chance, where nothing else is known.
USUAL_CAUSE = (
    "The usual cause is scaling that was left outside of the network: a teacher takes raw pixels, 0 to 255, and a "
    "Rescaling layer comes first. Others are classes in another order (--classes), and too few images to tell"
)


def chance(labels: np.ndarray, classes: int) -> float:
    """The accuracy that needs no look at an image: of guessing, or of always saying the most frequent of `labels` (n,).

    >>> chance(np.array([0, 1, 2, 3]), classes=4), chance(np.array([0, 0, 0, 1]), classes=4)
    (0.25, 0.75)
    """
    return max(1 / classes, float(np.bincount(labels).max() / len(labels)))


def better_than_chance(accuracy: float, chance: float, samples: int) -> bool:
    """Return whether an accuracy is more than three standard deviations above that of an untrained network.

    >>> better_than_chance(0.12, chance=0.1, samples=1000), better_than_chance(0.15, chance=0.1, samples=1000)
    (False, True)
    """
    return accuracy > chance + 3 * math.sqrt(chance * (1 - chance) / samples)


def may_be_chance(accuracy: float, chance: float, samples: int) -> bool:
    """Return whether an accuracy is no better than chance, unless of so few samples no accuracy would be.

    >>> may_be_chance(0.5, chance=0.5, samples=40), may_be_chance(0.5, chance=0.5, samples=4)
    (True, False)
    """
    return better_than_chance(1.0, chance, samples) and not better_than_chance(accuracy, chance, samples)
