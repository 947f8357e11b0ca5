"""Scores of membership: the larger, the more an image looks like one of the training's.

- loss: minus the cross-entropy of the image's label. An attacker who knows the label calls those below a threshold
  members: Yeom, Giacomelli, Fredrikson and Jha 2018, "Privacy Risk in Machine Learning", adversary 1,
  https://arxiv.org/abs/1709.01604.
- confidence: the largest probability. It needs no label: Salem, Zhang, Humbert, Berrang, Fritz and Backes 2019,
  "ML-Leaks", adversary 3, https://arxiv.org/abs/1806.01246.
"""

import numpy as np

from distiller.errors import InputError


def loss(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Minus the cross-entropy of each image, natural logarithm, float64 (n,).

    Args:
        logits: (n, classes).
        labels: (n,), 0 … classes − 1.
    """
    return _log_probabilities(logits)[np.arange(len(labels)), labels]


def confidence(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The logarithm of the largest probability of each image, float64 (n,): in the order of the probabilities.

    Args:
        logits: (n, classes).
        labels: not looked at.
    """
    return _log_probabilities(logits).max(axis=1)


def check(logits: np.ndarray, labels: np.ndarray, what: str) -> None:
    """See that answers fit to labels.

    Raises:
        InputError: other shapes, labels that are no classes, or logits that are not finite.
    """
    if logits.ndim != 2 or labels.shape != (len(logits),) or not len(labels):
        raise InputError(
            f"Expected logits (n, classes) and labels (n,) of the {what}. Received: {logits.shape} and {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise InputError(
            f"Expected labels from 0 to {logits.shape[1] - 1} of the {what}. Received: {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(logits).all():
        raise InputError(f"Expected finite logits of the {what}. Received: NaN or an infinity among them")


def _log_probabilities(logits: np.ndarray) -> np.ndarray:
    # Members differ in the last digits of a probability near 1: float32 would make them equal.
    shifted = logits.astype("float64") - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
