"""Weights of classes for a `tf.data.Dataset` in which some samples have no label."""

from collections.abc import Mapping
from typing import Any


def as_sample_weights(dataset: Any, class_weight: Mapping[int, float]) -> Any:
    """A `tf.data.Dataset` of (x, y) as one of (x, y, the weights of the labels y); None where it is of another form.

    As Keras does for arrays, samples whose class has no weight, unlabelled ones among them, get 1; of a dataset Keras
    looks such a class up where there is none. `y` are sparse labels, (batch,) or (batch, 1).
    """
    spec = getattr(dataset, "element_spec", None)
    if not hasattr(dataset, "map") or not isinstance(spec, tuple) or len(spec) != 2:
        return None
    rank = getattr(getattr(spec[1], "shape", None), "rank", None)
    if rank != 1 and not (rank == 2 and spec[1].shape[1] == 1):
        return None
    import tensorflow as tf

    entries = tf.lookup.KeyValueTensorInitializer(
        list(class_weight), list(class_weight.values()), key_dtype="int64", value_dtype="float32"
    )
    weights = tf.lookup.StaticHashTable(entries, default_value=1.0)
    return dataset.map(lambda x, y: (x, y, weights.lookup(tf.cast(tf.reshape(y, [-1]), "int64"))))
