"""Checks of arguments and shapes that several objectives share."""

from typing import Any

import numpy as np

from distiller.errors import InputError


def not_negative(name: str, value: float) -> float:
    """`value`, or InputError unless it is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise InputError(f"Invalid value for `{name}`. Expected a number ≥ 0. Received: {name}={value}")
    return value


def same_shape(teacher: Any, student: Any, what: str) -> tuple[Any, ...]:
    """The teacher's shape, or InputError unless the student's is the same, as far as both are known.

    One number beside several would otherwise be repeated without a word. `what` names the two in the message.
    """
    shapes = [tuple(x.shape) if hasattr(x, "shape") else np.shape(x) for x in (teacher, student)]
    # While a step is traced, a size that is not known is None or a symbol.
    known = [pair for pair in zip(*shapes, strict=False) if all(isinstance(size, int) for size in pair)]
    if len(shapes[0]) != len(shapes[1]) or any(one != other for one, other in known):
        raise InputError(
            f"Expected {what} of the same shape of teacher and student. "
            f"Received: teacher {shapes[0]} and student {shapes[1]}"
        )
    return shapes[0]


def several_classes(teacher: Any, student: Any) -> None:
    """InputError unless both are logits of the same shape, of two classes or more."""
    shape = same_shape(teacher, student, "logits")
    if shape[-1:] == (1,):
        raise InputError(
            "Expected logits (batch, classes) of two classes or more: the softmax of one logit is 1, whatever it is. "
            f"Received: {shape}"
        )
