"""Capacity gap between the student and its teacher."""

import math
from dataclasses import dataclass

import keras

from distiller.errors import InputError
from distiller.models.cost import multiply_adds, parameters
from distiller.utils.chance import better_than_chance


@dataclass(frozen=True)
class Capacity:
    """Parameters; multiply-adds a sample, None of a subclassed model; accuracy (a fraction) where it is known."""

    parameters: int
    multiply_adds: int | None
    accuracy: float | None

    @classmethod
    def of(cls, model: keras.Model, accuracy: float | None) -> "Capacity":
        """The cost of `model`."""
        return cls(parameters(model), multiply_adds(model), accuracy)


@dataclass(frozen=True)
class Gap:
    """Teacher and student side by side.

    `assistant_parameters` is the size of a network half way between the two, as their geometric mean, where the teacher
    has `FAR` times the student's parameters or more. Mirzadeh et al. 2020, 1902.03393, show that a student can learn
    less from a much larger teacher than from such an assistant, which is distilled from the teacher first. From how far
    apart on is not known for other networks than theirs; `FAR` is a rule of thumb.
    """

    teacher: Capacity
    student: Capacity
    assistant_parameters: int | None


FAR = 10


def compare(
    teacher: keras.Model,
    teacher_accuracy: float,
    student: keras.Model,
    student_accuracy: float | None,
    chance: float,
    samples: int,
) -> Gap:
    """The gap between two networks; a student's accuracy counts where it is above `chance` on so many samples.

    Raises:
        InputError: a student without parameters.
    """
    if not parameters(student):
        raise InputError(f"Expected a student with parameters. Received: {student.name!r} has none")
    if student_accuracy is not None and not better_than_chance(student_accuracy, chance, samples):
        student_accuracy = None
    large, small = Capacity.of(teacher, teacher_accuracy), Capacity.of(student, student_accuracy)
    return Gap(large, small, assistant(large.parameters, small.parameters))


def assistant(teacher: int, student: int) -> int | None:
    """Parameters of a teacher assistant between networks of so many parameters; None where they are not far apart.

    >>> assistant(2_000_000, 80_000), assistant(400_000, 80_000)
    (400000, None)
    """
    return round(math.sqrt(teacher * student)) if teacher >= FAR * student else None
