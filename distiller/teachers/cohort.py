"""Students that learn together: their names, and what is given for each."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS, check_logits
from distiller.objectives import Objective
from distiller.objectives.independent import Independent
from distiller.trainer.label_loss import LabelsTerm
from distiller.trainer.metrics import seen
from distiller.trainer.targets import Targets
from distiller.utils.suggestions import unknown


def checked_students(students: Mapping[str, keras.Model] | Sequence[keras.Model]) -> dict[str, keras.Model]:
    """Students by name: `student1`, `student2`, … where they are a list.

    Raises:
        InputError: fewer than two, no logits, other inputs or classes than the first, or layers in several of them.
    """
    if not isinstance(students, Mapping):
        students = {f"student{number}": student for number, student in enumerate(students, start=1)}
    if len(students) < 2:
        raise InputError(f"Expected two or more students. Received: {len(students)}")
    owners: dict[int, str] = {}
    shapes = {}
    for name, student in students.items():
        try:
            check_logits(student, role="student")
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        shapes[name] = [tuple(tensor.shape) for tensor in (*student.inputs, *student.outputs)]
        for variable in student.variables:
            if owners.setdefault(id(variable), name) != name:
                raise InputError(
                    f"Expected students of their own. Received: {owners[id(variable)]} and {name} share layers"
                )
    if len({str(shape) for shape in shapes.values()}) > 1:
        described = ", ".join(f"{name} {shape[:-1]} to {shape[-1]}" for name, shape in shapes.items())
        raise InputError(f"Expected students of the same inputs and classes. Received: {described}")
    return dict(students)


def check_objective(objective: Objective, students: Mapping[str, keras.Model]) -> None:
    """Raise InputError unless `objective` compares logits like theirs."""
    if objective.compares != "logits" or objective.teacher_layer or objective.student_layer or objective.needs_ids:
        raise InputError(f"Expected an objective of logits. Received: {type(objective).__name__}")
    logits = next(iter(students.values())).outputs[0]
    if isinstance(objective, Independent):
        objective.settle(independent=False)  # unless it says so itself; of several logits the loss tells
    try:
        objective(logits, logits, keras.KerasTensor((None,), dtype="int32"))
    except (ValueError, TypeError) as error:
        one = isinstance(objective, Independent) and logits.shape[-1] == 1
        way_out = ". For one independent label give objectives.Hinton(1.0, independent=True)" if one else ""
        raise InputError(f"The objective does not fit the students: {error}{way_out}") from error


def by_student(argument: str, given: Any, names: Sequence[str]) -> dict[str, Any]:
    """`given` by the name of the student: a dict by name as it is, and anything else for each.

    Raises:
        InputError: a name that no student has.
    """
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, given)
    for name in given:
        if name not in names:
            raise InputError(unknown(f"student in `{argument}`", name, names))
    return {name: given.get(name) for name in names}


def listed(metrics: Any) -> list[Any]:
    """Metrics as `keras.Model.compile` takes them, as a list."""
    return list(metrics) if isinstance(metrics, list | tuple) else [] if metrics is None else [metrics]


def copied(metric: Any) -> Any:
    """A metric of a student's own, for it counts."""
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric


def as_keras_takes_it(
    targets: Targets, outputs: Mapping[str, Any], terms: Mapping[str, LabelsTerm]
) -> tuple[dict, dict, dict]:
    """Labels, answers and weights by the name of the student; unlabelled samples weigh nothing."""
    found = {
        name: seen(targets, {LOGITS: logits}, LOGITS, terms[name].kinds.get(LOGITS)) for name, logits in outputs.items()
    }
    labels, weights = ({name: parts[place] for name, parts in found.items()} for place in range(2))
    return labels, dict(outputs), weights
