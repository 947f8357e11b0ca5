"""Detection of label smoothing in a teacher's training, read off its logits."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from distiller.teachers.diagnosis.probabilities import log_softmax

Verdict = Literal["likely", "not", "cannot tell"]

FEW = 50  # right answers, below which quantiles are too rough
# Log-odds of 6 are a probability of 0.9975. Smoothing by 0.02 asks for 3.9, and teachers overshoot by up to 2.
NO_CEILING, CEILING = 6.0, 5.0
EVEN = 0.72


@dataclass(frozen=True)
class Smoothing:
    """The signs that the right answers of a teacher say about its training labels.

    `ceiling` is the 95th percentile of the log-odds of the right class, `evenness` the share of the wrong classes that
    the rest of the probability is spread over, among the surer half. `strength` is the smoothing that would ask for
    the median log-odds, where the verdict is "likely". `samples` is the number of right answers.
    """

    verdict: Verdict
    reason: str
    ceiling: float | None
    evenness: float | None
    strength: float | None
    samples: int


def score(logits: np.ndarray, labels: np.ndarray) -> Smoothing:
    """A verdict from two marks that label smoothing leaves on the samples that a teacher gets right.

    Targets (1 − ε)·onehot + ε/C are met at log-odds log((1 − ε + ε/C) / (ε (C − 1)/C)) of the right class and equal
    logits of all others (Szegedy et al. 2015, 1512.00567, section 7; Müller et al. 2019, section 2). Hard labels are
    met nowhere: the log-odds go on growing, and the other logits stay as different as the classes are. So

    - `ceiling`: 6 and more is "not": smoothing by 0.02 or more would have stopped it;
    - `evenness` = exp(entropy of the wrong classes' probabilities) / (C − 1), 1 where they are equal: with a ceiling
      below 5 and evenness of 0.72 or more, "likely".

    Anything else is "cannot tell": a teacher that was stopped early, with either kind of labels, since its log-odds
    are low and the rest uneven; strong weight decay; smoothing by 0.02 or less. The thresholds come from small networks
    on digits and CIFAR-10. Mixup, a confidence penalty and logits divided by a temperature leave the same marks, and
    are called "likely"; a student of soft targets may look like its teacher.

    Args:
        logits: (n, classes), finite.
        labels: (n,), 0 … classes − 1.

    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 10, 200)
    >>> logits = 4.6 * np.eye(10)[labels] + rng.normal(scale=0.4, size=(200, 10))
    >>> found = score(logits, labels)
    >>> found.verdict, round(found.strength, 1)
    ('likely', 0.1)
    """
    right = logits.argmax(axis=1) == labels
    count, classes = int(right.sum()), logits.shape[1]
    if count < FEW or classes < 3:
        lack = f"{count} right answers are too few" if count < FEW else "two classes leave one wrong class alone"
        return Smoothing("cannot tell", lack, None, None, None, count)
    odds, evenness = marks(logits[right], labels[right])
    ceiling = float(np.quantile(odds, 0.95))
    surer = float(np.median(evenness[odds >= np.median(odds)]))
    verdict, reason = _judge(ceiling, surer)
    strength = None
    if verdict == "likely":
        strength = float(classes / (classes - 1) / (1 + np.exp(np.median(odds))))
    return Smoothing(verdict, reason, ceiling, surer, strength, count)


def marks(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of the label's class, and evenness over the other classes, (n,) each."""
    log_p = log_softmax(logits)
    rows = np.arange(len(labels))
    own = log_p[rows, labels]
    wrong = np.ones(log_p.shape, bool)
    wrong[rows, labels] = False
    others = log_p[wrong].reshape(len(labels), -1)
    # Not log(1 − p): where p rounds to 1 that is minus infinity.
    highest = others.max(axis=1)
    rest = highest + np.log(np.exp(others - highest[:, None]).sum(axis=1))
    given_wrong = log_softmax(others)
    entropy = -(np.exp(given_wrong) * given_wrong).sum(axis=1)
    return own - rest, np.exp(entropy) / others.shape[1]


def _judge(ceiling: float, evenness: float) -> tuple[Verdict, str]:
    spread = f"the rest is spread as if over {evenness:.0%} of the wrong classes"
    if ceiling >= NO_CEILING:
        return "not", f"right answers reach log-odds of {ceiling:.1f}, beyond what smoothed labels ask for"
    if ceiling < CEILING and evenness >= EVEN:
        return "likely", f"right answers stop at log-odds of {ceiling:.1f}, and {spread}"
    return "cannot tell", f"right answers stop at log-odds of {ceiling:.1f}, and {spread}: neither one nor the other"
