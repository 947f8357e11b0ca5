"""Logit standardization: any logit objective, on z-scores, so that the size of logits need not match."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from distiller.errors import InputError
from distiller.objectives.logits.checks import several_classes
from distiller.objectives.logits.soft_targets import Hinton
from distiller.objectives.logits.z_score import z_score
from distiller.objectives.objective import Objective


def standardized(teacher, student, labels=None, *, objective: Callable[..., Any]):
    """objective(z(teacher), z(student), labels) with z(x) = (x − mean) / deviation of each sample's logits.

    Sun et al. 2024, 2403.01427, section 4: z(x) / temperature replaces x / temperature, so that teacher and student
    each have their own temperature, in proportion to the deviation of their logits, and a student of small capacity
    learns the teacher's relations without its range. The paper's base temperature is that of the objective inside. The
    deviation is the population's, as the paper's bound of √(classes − 1) on z-scores needs; the authors' code divides
    by classes − 1, which is like a temperature higher by 5 % with 10 classes and by 0.5 % with 100. Of `multi_level` it
    standardizes the instances alone, here all of it. The loss does not see a shift or a positive scale of any vector of
    logits. With two classes a z-score is (1, −1) or (−1, 1): only which class leads is left, and no gradient.

    Args:
        teacher: logits (batch, classes).
        student: logits (batch, classes).
        labels: passed on.
        objective: any objective of logits, `objective(teacher, student, labels)`.

    Raises:
        InputError: their shapes differ, or they have one class.

    >>> from distiller.objectives import Hinton, standardized
    >>> import numpy as np
    >>> logits = np.array([[4.0, 2.0, 0.0]]), np.array([[0.1, 0.2, 0.0]])
    >>> print(round(float(standardized(*logits, objective=Hinton(temperature=2.0))[0]), 4))
    0.611
    """
    several_classes(teacher, student)
    return objective(z_score(ops.cast(teacher, "float32"), -1), z_score(ops.cast(student, "float32"), -1), labels)


@keras.saving.register_keras_serializable("distiller")
class Standardized(Objective):
    """The class of `standardized`.

    Args:
        objective: an objective of logits, its name, or a dict of its name and arguments. By default Hinton's at the
            paper's base temperature of 2. Its weight in the Distiller is 9 in the paper, beside 0.1 for the labels.

    Raises:
        InputError: the objective does not exist, compares something else than logits, or taps a layer of its own.

    >>> from distiller.objectives import Standardized
    >>> Standardized(objective={"name": "decoupled", "temperature": 2.0}).objective.temperature
    2.0
    """

    source = "Sun et al. 2024, 2403.01427"
    softmax = True

    def __init__(self, *, objective: Objective | str | dict[str, Any] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.objective = _resolve(Hinton(temperature=2.0) if objective is None else objective)
        self.across = self.objective.across

    def call(self, teacher, student, labels=None):
        """One loss per sample, float32 (batch,)."""
        return standardized(teacher, student, labels, objective=self.objective)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor; the objective as its own serialized config."""
        return {**super().get_config(), "objective": keras.saving.serialize_keras_object(self.objective)}


def _resolve(objective: Objective | str | dict[str, Any]) -> Objective:
    # Here and not above: the table that `get` reads has this class in it.
    from distiller.objectives.table import get

    if isinstance(objective, dict) and "class_name" in objective:
        objective = keras.saving.deserialize_keras_object(objective)
    inner = get(objective)
    if inner.compares != "logits":
        raise InputError(
            f"Expected an objective that compares logits. Received: {type(inner).__name__}, of {inner.compares}"
        )
    if inner.teacher_layer is not None or inner.student_layer is not None:
        raise InputError(
            "Expected teacher_layer and student_layer on Standardized, whose taps count. "
            f"Received: teacher_layer={inner.teacher_layer!r}, student_layer={inner.student_layer!r} on the one inside"
        )
    return inner
