"""Kinds of cross-entropies of Keras: of classes or their shares, of probabilities or logits."""

from functools import partial
from typing import Any, Literal, NamedTuple

import keras

from distiller.networks.internals import options_of_loss

_TABLE: tuple[tuple[str, Any, Any], ...] = (
    ("classes", keras.losses.SparseCategoricalCrossentropy, keras.losses.sparse_categorical_crossentropy),
    (
        "classes",
        keras.losses.CategoricalGeneralizedCrossEntropy,
        keras.losses.categorical_generalized_cross_entropy,
    ),
    ("shares", keras.losses.CategoricalCrossentropy, keras.losses.categorical_crossentropy),
    ("shares", keras.losses.CategoricalFocalCrossentropy, keras.losses.categorical_focal_crossentropy),
    ("binary", keras.losses.BinaryCrossentropy, keras.losses.binary_crossentropy),
    ("binary", keras.losses.BinaryFocalCrossentropy, keras.losses.binary_focal_crossentropy),
)


class Kind(NamedTuple):
    """A loss of classes.

    Attributes:
        labels: what it takes as labels: "classes" as integers, "shares" of each class, rows that sum to 1, or "binary"
            ones, a probability for each of several independent labels.
        from_logits: whether it takes logits, and no probabilities.
        like: Keras's loss of that kind.
    """

    labels: Literal["classes", "shares", "binary"]
    from_logits: bool
    like: Any


def kind_of(loss: Any) -> Kind | None:
    """The kind of a loss of classes; None of any other, whose labels are numbers that mean themselves.

    A cross-entropy of Keras, a subclass of one, its function, or a `functools.partial` of that. So is a loss of one's
    own that has an attribute `ignore_class`, the integer that marks an unlabelled sample.

    >>> kind_of(keras.losses.BinaryCrossentropy(from_logits=True)).labels
    'binary'
    >>> kind_of(keras.losses.MeanSquaredError()) is None
    True
    """
    function, options = loss, options_of_loss(loss)
    function = getattr(loss, "fn", function) if isinstance(loss, keras.losses.Loss) else function
    while isinstance(function, partial):
        options, function = {**function.keywords, **options}, function.func
    for labels, like, of_keras in _TABLE:
        if isinstance(loss, like) or function is of_keras:
            return Kind(labels, getattr(loss, "from_logits", options.get("from_logits", False)), like)  # type: ignore[arg-type]
    if getattr(loss, "ignore_class", None) is not None:
        return Kind("classes", True, type(loss))
    return None
