"""Weights of an ensemble, learned from labelled images."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from distiller.bridges.labelled import labelled_outputs
from distiller.errors import InputError
from distiller.networks.feature_extraction import entry
from distiller.teachers.diagnosis.probabilities import log_softmax
from distiller.teachers.ensembles.pool import Pool


@dataclass(frozen=True)
class Learned:
    """Learned weights, and what they are worth on held-out images; accuracies are fractions.

    Attributes:
        weights: of the members, with a sum of 1.
        accuracy: of the ensemble with these weights.
        equal: of the ensemble with equal weights.
        alone: of each member.
    """

    weights: tuple[float, ...]
    accuracy: float
    equal: float
    alone: tuple[float, ...]


def learn_weights(ensemble: keras.Model, train: Any, validation: Any) -> Learned:
    """Set the weights of an `ensemble` to those that make the labels of some images most likely; see `most_likely`.

    Use images that no member was trained on: on its own a member is too sure of itself.

    Args:
        ensemble: of `teachers.ensemble`, with an arithmetic mean and without confidence by sample. Its weights change
            in place.
        train, validation: pairs (images (n, h, w, c), labels (n,)) in the student's classes; labels −1 are left out.

    Raises:
        InputError: another network or mean, no labelled images, or labels out of range.

    >>> import keras
    >>> import numpy as np
    >>> from distiller.teachers import learn_weights
    >>> from distiller import teachers
    >>> members = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]) for _ in range(2)]
    >>> data = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 3
    >>> learned = learn_weights(teachers.ensemble(members, 3), data, data)
    >>> round(sum(learned.weights), 6)
    1.0
    """
    pool = ensemble.layers[-1] if isinstance(ensemble, keras.Model) else None
    if not isinstance(pool, Pool):
        raise InputError(f"Expected a network of `teachers.ensemble`. Received: {type(ensemble).__name__}")
    if pool.mean != "arithmetic" or pool.confidence:
        raise InputError(
            "Expected an ensemble with an arithmetic mean and without confidence, whose weights have one best value. "
            f"Received: mean={pool.mean!r}, confidence={pool.confidence!r}"
        )
    answers = pool.input if isinstance(pool.input, list) else [pool.input]  # Keras unwraps a single one
    members = keras.Model(entry(ensemble), ops.stack(answers, axis=1))
    (logits, labels), (held, held_labels) = labelled_outputs(members, train, validation, ensemble.output_shape[-1])
    of_truth = np.take_along_axis(log_softmax(logits), labels[:, None, None], axis=-1)[..., 0]
    pool.assign(most_likely(of_truth).tolist())
    weights = ops.convert_to_numpy(pool.shares.value)
    p = np.exp(log_softmax(held))
    correct = [(answer.argmax(-1) == held_labels).mean() for answer in (weights @ p, p.mean(1), *np.moveaxis(p, 1, 0))]
    accuracy, equal, *alone = map(float, correct)
    return Learned(tuple(weights.tolist()), accuracy, equal, tuple(alone))


def most_likely(log_p: np.ndarray, *, tolerance: float = 1e-7, steps: int = 10_000) -> np.ndarray:
    """The weights w ≥ 0, with a sum of 1, that maximize the mean of log Σ w_m p_m, by expectation maximization.

    p_m is the probability that member m gives to the truth. The objective is concave: "stacking of predictive
    distributions" by the logarithmic score (Yao et al. 2018, 1704.02030). A step multiplies each weight by its gain
    g_m, the mean over images of p_m / Σ w p, and none goes down (Dempster, Laird & Rubin 1977). The gains are the
    gradient, so that no other weights are better by more than max g − 1; where that is small enough it stops.

    Args:
        log_p: (n, members), of the true classes.
        tolerance: how far from the maximum the result may be, in nats.
        steps: at most.

    >>> most_likely(np.log([[0.9, 0.1], [0.1, 0.3]])).round(2)  # where 0.8 / (0.1 + 0.8 w) = 0.2 / (0.3 − 0.2 w)
    array([0.69, 0.31])
    """
    # The scale of an image's probabilities does not matter.
    p = np.exp(log_p - log_p.max(1, keepdims=True), dtype="float64")
    weights = np.full(p.shape[1], 1 / p.shape[1])
    for _ in range(steps):
        gains = (p / (p @ weights)[:, None]).mean(0)
        if gains.max() - 1 <= tolerance:
            break
        weights = weights * gains
    return weights / weights.sum()
