"""One answer of several teachers: a mean of their probabilities."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.logits.checks import not_negative
from distiller.objectives.objective import log_softmax
from distiller.utils.suggestions import unknown

MEANS = ("arithmetic", "geometric")
CONFIDENCES = ("entropy", "maximum")


def pooled(logits: Sequence[Any], weights: Any, mean: str = "arithmetic") -> Any:
    """The logarithm of a weighted mean of softmaxes, (batch, classes): logits whose softmax is that mean.

    Hinton et al. 2015, 1503.02531, section 2, distil an arithmetic or a geometric mean of several networks. With
    weights w that sum to 1 and the softmax p of each member's logits z,

        arithmetic: log Σ w p           geometric: Σ w log p, renormalized, the softmax of the mean Σ w z of logits.

    The arithmetic mean is a mixture: to it no class is less likely than w times what any one member says. In the
    geometric one a member with large logits outvotes the others, and one that rules a class out does so for all.

    Args:
        logits: of each member, (batch, classes).
        weights: of the members, (members,), or by sample, (batch, members); at least 0, with a sum of 1.
        mean: "arithmetic" or "geometric".

    >>> import numpy as np
    >>> logits = [np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])]
    >>> ops.convert_to_numpy(ops.exp(pooled(logits, np.array([0.5, 0.5])))).round(2)
    array([[0.7, 0.3]], dtype=float32)
    """
    log_p = ops.stack([log_softmax(z, 1.0) for z in logits], axis=1)
    weights = ops.expand_dims(ops.cast(weights, "float32"), -1)
    if mean == "geometric":
        # A member of weight 0 rules nothing out: 0 · −inf would be NaN.
        counted = ops.where(weights > 0, log_p, ops.zeros_like(log_p))
        return ops.log_softmax(ops.sum(weights * counted, axis=1), axis=-1)
    # The logarithm of a weight of 0 is −inf, whose exp is 0 again.
    return ops.logsumexp(ops.log(weights) + log_p, axis=1)


def confident(logits: Sequence[Any], weights: Any, by: str, sharpness: float = 1.0) -> Any:
    """Weights by sample, (batch, members): softmax over the members of log w + sharpness · confidence.

    The confidence of a member in its answer p to a sample is minus its entropy, Σ p log p in nats ("entropy"), or its
    largest probability ("maximum"). Weights by entropy, without labels: Kwon et al. 2020, "Adaptive knowledge
    distillation based on entropy", ICASSP. A member that is sure and wrong gains weight too: see the
    `temperature` of a `Member`.

    Args:
        logits: of each member, (batch, classes).
        weights: of the members, (members,), where all are equally confident.
        by: "entropy" or "maximum".
        sharpness: at least 0; 0 leaves the weights as they are.

    >>> import numpy as np
    >>> logits = [np.array([[9.0, 0.0]]), np.array([[0.0, 0.0]])]
    >>> ops.convert_to_numpy(confident(logits, np.array([0.5, 0.5]), "maximum")).round(2)
    array([[0.62, 0.38]], dtype=float32)
    """
    log_p = ops.stack([log_softmax(z, 1.0) for z in logits], axis=1)
    p = ops.exp(log_p)
    # A class that is ruled out adds nothing to the entropy: 0 · −inf would be NaN.
    negative_entropy = ops.sum(p * ops.where(p > 0, log_p, ops.zeros_like(log_p)), axis=-1)
    confidence = ops.max(p, axis=-1) if by == "maximum" else negative_entropy
    # Keras warns of a softmax over a single member.
    return ops.exp(ops.log_softmax(ops.log(ops.cast(weights, "float32")) + sharpness * confidence, axis=-1))


@keras.saving.register_keras_serializable("distiller")
class Pool(keras.layers.Layer):
    """The layer of `pooled` and `confident`: a list of logits (batch, classes) to one, in float32.

    Its weights (members,) are not trained by gradients; `assign` changes them.

    Raises:
        InputError: an unknown mean or confidence, or a negative sharpness.
    """

    takes_logits = True
    mixes_classes = True

    def __init__(
        self, mean: str = "arithmetic", *, confidence: str | None = None, sharpness: float = 1.0, **kwargs: Any
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if mean not in MEANS:
            raise InputError(unknown("mean", mean, MEANS))
        if confidence is not None and confidence not in CONFIDENCES:
            raise InputError(unknown("confidence", confidence, CONFIDENCES))
        self.mean, self.confidence = mean, confidence
        self.sharpness = not_negative("sharpness", sharpness)

    def build(self, input_shape: Any) -> None:
        """Make the weights, all equal."""
        members = len(input_shape)
        equal = keras.initializers.Constant(1 / members)
        self.shares = self.add_weight(shape=(members,), initializer=equal, trainable=False, name="shares")

    def assign(self, weights: Sequence[float]) -> None:
        """Set the weights of the members, scaled to a sum of 1.

        Raises:
            InputError: not one a member, one below 0 or not finite, or all 0.
        """
        members = self.shares.shape[0]
        if len(weights) != members:
            raise InputError(
                f"Expected a weight for each of the {members} members. Received: {len(weights)}, {list(weights)}"
            )
        total = sum(not_negative(f"weights[{number}]", weight) for number, weight in enumerate(weights))
        if total == 0:
            raise InputError(f"Expected a weight above 0. Received: {list(weights)}")
        self.shares.assign([weight / total for weight in weights])

    def call(self, inputs: Any) -> Any:
        """The logits of the mean."""
        weights = self.shares.value
        if self.confidence:
            weights = confident(inputs, weights, self.confidence, self.sharpness)
        return pooled(inputs, weights, self.mean)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"mean": self.mean, "confidence": self.confidence, "sharpness": self.sharpness}
        return {**super().get_config(), **own}
