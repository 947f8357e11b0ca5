"""Choice of the student that a report's sentences are about."""

from distiller.report.content import OtherBudget, Report
from distiller.report.measure import Measure
from distiller.report.table import student_names

BASELINE, CHALLENGER = "hard_labels", "distilled"


def subject(report: Report) -> str:
    """The best student with a teacher, by the mean validation accuracy over its seeds.

    Never by the test split, which would flatter it. Students with the steps of hard labels come before those with
    others, which may owe their accuracy to these.
    """
    candidates = rivals(report)
    return max(candidates, key=lambda name: validation(report, name).mean) if candidates else student_names(report)[0]


def rivals(report: Report) -> list[str]:
    """The students that could be the subject, in the order of the run."""
    names = [name for name in student_names(report) if name != BASELINE]
    taught = {student.name for student in report.students if student.bridge is not None}
    names = [name for name in names if name in taught] or names
    return [name for name in names if budget(report, name) == budget(report, BASELINE)] or names


def validation(report: Report, name: str) -> Measure:
    """Validation accuracy of a student over its seeds."""
    return Measure.of([s.validation_accuracy for s in report.students if s.name == name])


def budget(report: Report, name: str) -> tuple[int, int | None, str | None]:
    """Steps, images a step and the student that one goes on with: what a student was given to learn from."""
    given: OtherBudget | None = next((other for other in report.budget.others if other.student == name), None)
    if given is None:
        return report.budget.steps, report.budget.batch_size, None
    return given.steps, given.batch_size or report.budget.batch_size, given.start
