"""Weights of classes where some samples have no label."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from distiller.trainer.targets import LABELS


def weighted(
    x: Any, y: Any, class_weight: Mapping[int, float], *, held_out: float = 0.0, marked: bool = True
) -> tuple[Any, Any, Mapping[int, float] | None]:
    """The arguments of `fit`, as (x, sample_weight, class_weight): weights of samples wherever Keras would err.

    As with Keras, samples whose class has no weight get 1. So do unlabelled ones, whose labels are below zero: in a
    `tf.data.Dataset` Keras looks up a class -1, and of a vector of them it takes the first class. Other forms, a
    `PyDataset` among them, are left to Keras.

    Args:
        x: inputs, or a `tf.data.Dataset` of (inputs, labels).
        y: labels, (n,), (n, 1) or a vector of each class's share, (n, classes), or a dict with such "labels"; None
            where `x` has them.
        class_weight: by class.
        held_out: the fraction of an array's samples, its last, that `validation_split` evaluates: they weigh 1, for
            weights of classes are those of a training.
        marked: whether labels below zero are unlabelled, as of losses of classes; else Keras's first class of a vector.
    """
    labels = _labels(y)
    if getattr(labels, "ndim", None) in (1, 2) and (labels is not y or tuple(labels.shape[1:]) > (1,)):
        labels = np.asarray(labels)
        if tuple(labels.shape[1:]) > (1,):
            classes = np.where(marked & (labels < 0).all(axis=1), -1, labels.argmax(axis=1))
        else:
            classes = labels.reshape(-1)
        weights = np.array([class_weight.get(int(one), 1.0) for one in classes], "float32")
        if held_out:
            weights[math.floor(len(weights) * (1 - held_out)) :] = 1  # where Keras cuts
        return x, weights, None
    spec = getattr(x, "element_spec", None)
    if y is not None or not hasattr(x, "map") or not isinstance(spec, tuple) or len(spec) != 2:
        return x, None, class_weight
    shape = getattr(_labels(spec[1]), "shape", None)
    rank = getattr(shape, "rank", None)
    if rank not in (1, 2):
        return x, None, class_weight
    import tensorflow as tf

    entries = tf.lookup.KeyValueTensorInitializer(
        list(class_weight), list(class_weight.values()), key_dtype="int64", value_dtype="float32"
    )
    weights = tf.lookup.StaticHashTable(entries, default_value=1.0)

    def of(labels: Any) -> Any:
        if rank == 1 or (shape is not None and shape[1] == 1):
            return tf.cast(tf.reshape(labels, [-1]), "int64")
        return tf.where(marked & tf.reduce_all(labels < 0, axis=1), tf.constant(-1, "int64"), tf.argmax(labels, axis=1))

    return x.map(lambda images, labels: (images, labels, weights.lookup(of(_labels(labels))))), None, None


def _labels(y: Any) -> Any:
    """The labels among the targets."""
    return y[LABELS] if isinstance(y, Mapping) and LABELS in y else y
