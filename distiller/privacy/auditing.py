"""The audit of one network."""

from collections.abc import Callable

import numpy as np

from distiller.errors import InputError
from distiller.privacy import curves, scores
from distiller.privacy.results import ATTACKS, Attack, Audit

Images = tuple[np.ndarray, np.ndarray]

_SCORES = {"loss": scores.loss, "confidence": scores.confidence}


def audit(
    predict: Callable[[np.ndarray], np.ndarray],
    members: Images,
    others: Images,
    *,
    attacks: tuple[str, ...] = ATTACKS,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Audit:
    """Attack a network that answers with logits: who was among its training images?

    Args:
        predict: images → logits (n, classes), such as `model.predict` or a TFLite file's interpreter.
        members: images that it was trained on, and their labels (n,).
        others: images of the same kind that it was not trained on, and their labels (m,).
        attacks: "loss" and "confidence", of `distiller.privacy.scores`.
        resamples: of the bootstrap.
        confidence: of the intervals.
        seed: of the bootstrap.

    Raises:
        InputError: no images, answers or labels of another shape, labels that are no classes, an unknown attack, or a
            number out of range.

    >>> import numpy as np
    >>> from distiller import privacy
    >>> logits = np.array([[9.0, 0.0], [0.0, 8.0], [1.0, 0.0], [0.0, 2.0]])
    >>> found = privacy.audit(lambda places: logits[places], (np.array([0, 1]), np.array([0, 1])), (np.array([2, 3]),
    ...               np.array([0, 1])), resamples=10)
    >>> found.attacks[0].area.value, found.attacks[0].at_one_in_hundred.value
    (1.0, 1.0)
    """
    known = [(np.asarray(predict(images)), np.asarray(labels)) for images, labels in (members, others)]
    return audit_answers(*known, attacks=attacks, resamples=resamples, confidence=confidence, seed=seed)


def audit_answers(
    members: Images,
    others: Images,
    *,
    attacks: tuple[str, ...] = ATTACKS,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Audit:
    """The same of a network's answers: logits (n, classes) and labels (n,) of members and of others."""
    if not attacks or set(attacks) - set(_SCORES):
        raise InputError(f"Expected attacks among {', '.join(_SCORES)}. Received: {', '.join(attacks) or 'none'}")
    if resamples < 1 or not 0 < confidence < 1:
        raise InputError(
            f"Expected one resample or more, and a confidence between 0 and 1. Received: resamples={resamples}, "
            f"confidence={confidence}"
        )
    answers = (members, others)
    for what, (logits, labels) in zip(("members", "others"), answers, strict=True):
        scores.check(logits, labels, what)
    found: list[Attack] = []
    drawn: tuple[tuple[float, float], ...] = ()
    for name in attacks:
        one, other = (_SCORES[name](logits, labels) for logits, labels in answers)
        area, rates = curves.measured(one, other, resamples=resamples, confidence=confidence, seed=seed)
        found.append(Attack(name, area, *rates))
        drawn = drawn or curves.curve(one, other)
    right, elsewhere = (float((logits.argmax(axis=1) == labels).mean()) for logits, labels in answers)
    return Audit(len(members[1]), len(others[1]), right, elsewhere, tuple(found), drawn, confidence)
