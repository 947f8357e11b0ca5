"""Closeness of a network's outputs to those of the network it stands for."""

from dataclasses import dataclass

import numpy as np
from keras import ops

from distiller.objectives.objective import kl_divergence, log_softmax


@dataclass(frozen=True)
class Closeness:
    """Of two arrays of logits, the second in place of the first.

    Attributes:
        agreement: fraction of samples with the same likeliest class.
        divergence: mean KL(first, second) in nats, both softened by the temperature.
        mean_difference: mean |difference| of the logits, each sample's without their mean, which no softmax sees.
        largest_difference: the largest of them.
    """

    agreement: float
    divergence: float
    mean_difference: float
    largest_difference: float

    def within(self, agreement: float, divergence: float) -> bool:
        """True where as many samples agree, and the divergence is no greater."""
        return self.agreement >= agreement and self.divergence <= divergence


def closeness(exact: np.ndarray, other: np.ndarray, *, temperature: float = 4.0) -> Closeness:
    """Compare logits (samples, classes) with exact ones.

    >>> closeness(np.float32([[0, 2]]), np.float32([[1, 3]]))
    Closeness(agreement=1.0, divergence=0.0, mean_difference=0.0, largest_difference=0.0)
    """
    divergence = kl_divergence(*(log_softmax(ops.convert_to_tensor(each), temperature) for each in (exact, other)))
    apart = np.abs((exact - exact.mean(-1, keepdims=True)) - (other - other.mean(-1, keepdims=True)))
    return Closeness(
        agreement=float((exact.argmax(-1) == other.argmax(-1)).mean()),
        divergence=float(ops.convert_to_numpy(divergence).mean()),
        mean_difference=float(apart.mean()),
        largest_difference=float(apart.max()),
    )
