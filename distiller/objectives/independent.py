"""Objectives on independent labels: one Bernoulli distribution a label, where softmaxes would compare nothing."""

from collections.abc import Callable
from typing import Any

from keras import ops

from distiller.objectives.logits.checks import same_shape
from distiller.objectives.softened import Softened


def of_each_label(teacher, student, objective: Callable[..., Any]):
    """mean over labels of objective((teacher, 0), (student, 0)), one number per sample.

    A logit z of an independent label stands for the Bernoulli distribution (σ(z), 1 − σ(z)), which is the softmax of
    the two logits (z, 0); at a temperature it is that of (z, 0) / temperature. So any objective on softmaxes has a form
    for independent labels, its own on two classes. For a divergence their sum would be that of the joint distribution;
    the mean is on the scale of `keras.losses.BinaryCrossentropy`, whatever the number of labels.

    Args:
        teacher: logits (batch, labels).
        student: logits (batch, labels).
        objective: compares logits (batch, 2) of the two, and returns one number per sample.

    Raises:
        InputError: their shapes differ.

    >>> import numpy as np
    >>> from distiller.objectives import hinton
    >>> loss = of_each_label(np.array([[9.0, 9.0]]), np.array([[-9.0, -9.0]]), lambda t, s: hinton(t, s, 1.0))
    >>> print(round(float(loss[0]), 2))
    9.0
    """
    same_shape(teacher, student, "logits")
    labels = student.shape[-1]
    losses = objective(_pairs(teacher), _pairs(student))
    return ops.mean(ops.reshape(losses, (-1, labels)), axis=-1)


def _pairs(logits: Any) -> Any:
    logits = ops.reshape(ops.cast(logits, "float32"), (-1, 1))
    return ops.concatenate([logits, ops.zeros_like(logits)], axis=-1)


class Independent(Softened):
    """An objective on softmaxes that has the form of `of_each_label` too; a subclass implements `compare`.

    Args:
        independent: True for independent labels, several of which may be right or none; False for classes. By default
            the loss of the labels tells: they are independent beside a binary cross-entropy.
    """

    softmax = True

    def __init__(self, *, independent: bool | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.independent = independent
        self.settle(independent=False)

    def settle(self, *, independent: bool) -> None:
        """Take that form, where no other was given."""
        self.softmax = not (independent if self.independent is None else self.independent)

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return self.compare(teacher, student) if self.softmax else of_each_label(teacher, student, self.compare)

    def compare(self, teacher, student):
        """One loss per sample, float32 (batch,), of logits (batch, classes)."""
        raise TypeError(f"{type(self).__name__} does not implement compare(teacher, student)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        given = {} if self.independent is None else {"independent": self.independent}
        return {**super().get_config(), **given}
