"""Noise-contrastive estimation: the losses of telling pairs of embeddings that belong together from others."""

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops


class Embeddings(NamedTuple):
    """Embeddings of teacher and student, (n, dimensions), with their labels and ids, int32 (n,); −1 is unknown."""

    teacher: Any
    student: Any
    labels: Any
    ids: Any


def identified(teacher, student, labels=None, ids=None) -> Embeddings:
    """A batch of embeddings with integer labels, −1 where unknown, and ids, by default the places in the batch."""
    ids = (
        ops.arange(ops.shape(student)[0], dtype="int32") if ids is None else ops.cast(ops.reshape(ids, (-1,)), "int32")
    )
    if labels is None:
        return Embeddings(teacher, student, ops.full_like(ids, -1), ids)
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) > 1 and labels.shape[-1] != 1:
        # Of a row of probabilities the class is known where one of them is 1.
        certain = ops.max(labels, axis=-1) >= 1
        labels = ops.where(certain, ops.cast(ops.argmax(labels, axis=-1), "int32"), -1)
    return Embeddings(teacher, student, ops.cast(ops.reshape(labels, (-1,)), "int32"), ids)


def differ(samples: Embeddings, others: Embeddings):
    """Mask of the negatives of each sample, bool (batch, n): neither the sample itself nor one of its class."""

    def same(codes, other_codes):
        codes = ops.expand_dims(codes, 1)
        return ops.logical_and(codes >= 0, codes == ops.expand_dims(other_codes, 0))

    return ops.logical_not(ops.logical_or(same(samples.ids, others.ids), same(samples.labels, others.labels)))


def losses(samples: Embeddings, others: Embeddings, temperature: float, level: Callable[[Any], Any] | None = None):
    """One loss per sample, (batch,), and log Z of its two terms, (2,).

    Log Z is that of this batch, or what `level` makes of it.
    """
    allowed = differ(samples, others)
    negatives = ops.sum(ops.cast(allowed, "float32"), axis=-1)
    pairs = ops.sum(samples.teacher * samples.student, axis=-1) / temperature
    terms = (samples.student, others.teacher), (samples.teacher, others.student)
    scores = [ops.matmul(anchors, ops.transpose(answers)) / temperature for anchors, answers in terms]
    levels = ops.stack([_log_mean(pairs, of_term, allowed, negatives) for of_term in scores])
    levels = ops.stop_gradient(level(levels) if level else levels)
    # h = sigmoid(score − threshold), so that −log h and −log(1 − h) are softplus and cannot overflow.
    thresholds = [ops.log(ops.maximum(negatives, 1.0)) + levels[term] for term in range(2)]
    total = ops.zeros_like(pairs)
    for of_term, threshold in zip(scores, thresholds, strict=True):
        apart = ops.where(allowed, ops.softplus(of_term - ops.expand_dims(threshold, -1)), 0.0)
        total = total + ops.softplus(threshold - pairs) + ops.sum(apart, axis=-1)
    return ops.where(negatives > 0, total, 0.0), levels


def _log_mean(pairs, scores, allowed, negatives):
    """The logarithm of the mean of exp over all pairs and negatives."""
    seen = ops.concatenate([ops.expand_dims(pairs, -1), ops.where(allowed, scores, -1e9)], axis=-1)
    return ops.logsumexp(seen) - ops.log(ops.sum(negatives) + ops.cast(ops.shape(pairs)[0], "float32"))
