"""Base class of objectives: a layer that compares teacher and student and returns one loss per sample."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from distiller.errors import InputError

Taps = str | Sequence[str] | None


class Objective(keras.layers.Layer):
    """One thing that a student should match of its teacher.

    A subclass implements `call(teacher, student, labels)`. `teacher` and `student` are what the taps name: the logits
    (batch, classes) by default, the outputs of one layer, or a list for several layers. It returns one loss per sample,
    float32 of shape (batch,). It neither weighs nor averages: the Distiller does, so that sample weights count. A
    subclass with adapters makes them in `build(teacher_shape, student_shape, labels_shape)`; they are trained with the
    student and not exported with it.

    Args:
        teacher_layer: name of the teacher's layer to compare, a list of names, or None for the logits.
        student_layer: the same of the student.

    Class attributes for the table that `distiller objectives` prints: `compares` says what is compared ("logits",
    "features", "relations"), `source` the paper.
    """

    compares: ClassVar[str] = "logits"
    source: ClassVar[str] = ""
    # False where `call` asks the labels and the student alone.
    needs_teacher: bool = True
    # True where it compares softmaxes of logits, which say nothing of labels that are independent of each other.
    softmax: bool = False
    # Samples that a batch needs to hold; the rest of an epoch, where it is smaller, costs nothing.
    fewest: int = 1
    # True where the loss of a sample depends on the others of its batch; where relations are compared it always does.
    across: bool = False
    # True of an instance whose `call` also takes `ids`, the integer ids of the samples (batch,).
    needs_ids: bool = False
    # What adapters `build` made, in plain words; empty where shapes agree.
    adapter: str = ""

    def __init__(self, *, teacher_layer: Taps = None, student_layer: Taps = None, **kwargs: Any):
        # In float32 whatever the networks compute in: small differences of large logits matter here.
        super().__init__(**{"dtype": "float32", **kwargs})
        for key, taps in (("teacher_layer", teacher_layer), ("student_layer", student_layer)):
            named = [taps] if isinstance(taps, str) else taps
            if not (named is None or (isinstance(named, Sequence) and all(isinstance(name, str) for name in named))):
                raise InputError(f"Invalid value for `{key}`. Expected names of layers. Received: {key}={taps!r}")
        self.teacher_layer = teacher_layer
        self.student_layer = student_layer

    def __call__(self, teacher, *arguments: Any, **options: Any):
        """As a Keras layer; no gradient reaches the teacher."""
        return super().__call__(keras.tree.map_structure(ops.stop_gradient, teacher), *arguments, **options)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        raise TypeError(f"{type(self).__name__} does not implement call(teacher, student, labels)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        taps = {"teacher_layer": self.teacher_layer, "student_layer": self.student_layer}
        return {**super().get_config(), **taps}


def whole(name: str, value: int) -> int:
    """`value`, or InputError unless it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 1:
        raise InputError(f"Invalid value for `{name}`. Expected a whole number of 1 or more. Received: {name}={value}")
    return int(value)


def positive(name: str, value: float) -> float:
    """`value`, or InputError unless it is above 0 and finite."""
    if not 0 < value < float("inf"):
        raise InputError(f"Invalid value for `{name}`. Expected a positive number. Received: {name}={value}")
    return value


def log_softmax(logits, temperature):
    """Log-probabilities (batch, classes) of logits softened by `temperature`; stable for large logits."""
    return ops.log_softmax(ops.cast(logits, "float32") / temperature, axis=-1)


def kl_divergence(log_p, log_q):
    """Kullback-Leibler divergence of rows of log-probabilities, shape (batch,); terms with p = 0 count nothing.

    A class that the teacher rules out, by a logit of −inf, is such a term, also where the student rules it out too.
    """
    p = ops.exp(log_p)
    # Replaced before the difference: 0 · −inf is NaN, and so is its gradient.
    counted = p > 0
    log_p, log_q = (ops.where(counted, log, ops.zeros_like(log)) for log in (log_p, log_q))
    return ops.sum(p * (log_p - log_q), axis=-1)
