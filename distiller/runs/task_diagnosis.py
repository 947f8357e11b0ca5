"""Diagnosis of a teacher of several labels, numbers or masks."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from distiller.data import Dataset, InOrder
from distiller.runs.task_networks import (
    HEADLINE,
    better,
    check_outputs,
    constant,
    measure,
    measure_network,
    opened_network,
)

# Share of a teacher's numbers that reach no further than this from their mean: it says the same of every image.
_STILL = 1e-6


@dataclass(frozen=True)
class TaskDiagnosis:
    """Metrics of a teacher, of an answer that looks at no image, and of a student where given.

    `concerns` are sentences on what speaks against the teacher.
    """

    task: str
    split: str
    images: int
    teacher: dict[str, float]
    baseline: dict[str, float]
    student: dict[str, float] | None
    concerns: list[str]

    def rows(self) -> list[tuple[str, dict[str, float]]]:
        """Name and metrics of each."""
        found = [("constant answer", self.baseline), ("teacher", self.teacher)]
        return [*found, ("student", self.student)] if self.student else found

    def to_json(self) -> str:
        """All fields as JSON."""
        return json.dumps(asdict(self), indent=1)


def diagnose(
    teacher: Path, dataset: Dataset, task: str, *, split: str = "validation", student: Path | None = None
) -> TaskDiagnosis:
    """Metrics of the teacher in a file on a split of the images, and what speaks against it.

    Raises:
        InputError: a file that cannot be opened, or a network with other outputs than the images have.
    """
    part = getattr(dataset, split)
    network = opened_network(teacher, role="teacher")
    check_outputs(network, dataset, task, str(teacher))
    answers = network.predict(InOrder(part), verbose=0)
    of_teacher = measure(answers, part.labels, task)
    baseline = constant(dataset.train, part.labels, len(dataset.classes), task)
    of_student = None
    if student is not None:
        other = opened_network(student, role="student")
        check_outputs(other, dataset, task, str(student))
        of_student = measure_network(other, part, task)
    name = HEADLINE[task]
    concerns = []
    if not np.isfinite(answers).all():
        concerns.append("Some of its outputs are no finite numbers")
    elif (np.ptp(answers, axis=0) <= _STILL).all():
        concerns.append("It says the same of every image: its scaling may be left outside of the network")
    if not better(of_teacher[name], baseline[name], name):
        concerns.append(f"Its {name} is no better than that of an answer that looks at no image")
    if of_student is not None and better(of_student[name], of_teacher[name], name):
        concerns.append(f"The student has a better {name} than the teacher already")
    return TaskDiagnosis(task, split, len(part), of_teacher, baseline, of_student, concerns)
