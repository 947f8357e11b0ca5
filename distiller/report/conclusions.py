"""Conclusions of a run, in two sentences with the numbers."""

from distiller.report.content import Report, Student
from distiller.report.intervals import in_points, welch
from distiller.report.measure import Measure, count, percent
from distiller.report.subject import BASELINE, CHALLENGER, budget, rivals, subject
from distiller.report.table import label, teacher_accuracy, teachers
from distiller.utils.chance import USUAL_CAUSE, may_be_chance

SCHEME = "int8"


def verdict(report: Report) -> str:
    """Return whether distillation beats hard labels and by how much, how far the teacher is, and what int8 costs.

    The student is the best one with a teacher, chosen on the validation split (`distiller.report.subject`). A
    difference counts as shown where its 95 % interval (`distiller.report.intervals`) leaves zero out; with one seed
    there is none, and the sentence says so.
    """
    name = subject(report)
    accuracies = [s.accuracy for s in _of(report, name)]
    mean = Measure.of(accuracies)
    reached = f"{_named(name)}{_among(report, name)} reaches {percent(mean)} % on {report.data.measured}"
    if _is_chance(report, mean.mean):
        reached += f", which cannot be told from chance ({percent(_chance(report))} %)"
    sentences = [
        f"{reached}{_comparison(report, name, accuracies)}.",
        _broken(report, name) or _distances(report, name, mean),
        _heavier(report, name),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _among(report: Report, name: str) -> str:
    """Clause on how it was chosen, where there was a choice, and on steps that differ from those of hard labels."""
    others = len(rivals(report))
    words = [f"the best of {others} taught students on the validation split"] * (others > 1)
    if name != BASELINE and _of(report, BASELINE) and budget(report, name) != budget(report, BASELINE):
        words.append("with a budget of its own")
    return f", {', '.join(words)}," if words else ""


def _comparison(report: Report, name: str, accuracies: list[float]) -> str:
    subject, baseline = Measure.of(accuracies), [s.accuracy for s in _of(report, BASELINE)]
    if name == BASELINE or not baseline:
        return f" ({subject.n} seed{'s' if subject.n > 1 else ''})"
    other = Measure.of(baseline)
    gain = subject.mean - other.mean
    difference = (
        "the same as" if _points(gain) == "0.00" else f"{_points(gain)} points {'above' if gain > 0 else 'below'}"
    ) + f" hard labels ({percent(other)} %; {_seeds(subject, other)})"
    if 1 in (subject.n, other.n):
        return f", {difference}; without a second seed of each it is not known whether that is chance"
    interval = welch(accuracies, baseline)
    if interval is None:
        return f", {difference}; no seed differs from another, so there is no telling whether that is chance"
    unsure = ", which includes zero: that may be chance" if interval[0] <= 0 <= interval[1] else ""
    return f", {difference}, with a 95 % interval of {in_points(interval)}{unsure}"


def _distances(report: Report, name: str, subject: Measure) -> str:
    """Distance to its own teacher of the same classes, and the cost of integers, where there are any."""
    parts = []
    accuracy = teacher_accuracy(report, name)
    if accuracy is not None:
        gap = subject.mean - accuracy
        teacher = f"{'its' if len(teachers(report)) > 1 else 'the'} teacher ({100 * accuracy:.2f} %)"
        side = "above" if gap > 0 else "below"
        equal = _points(gap) == "0.00"
        parts.append(f"It equals {teacher}" if equal else f"It is {_points(gap)} points {side} {teacher}")
    cost = _cost_of_integers(report, name)
    if cost is not None and not _is_chance(report, subject.mean):
        change = "costs it" if cost <= 0 or _points(cost) == "0.00" else "gains"
        amount = "nothing" if _points(cost) == "0.00" else f"{_points(cost)} points"
        parts.append(f"{SCHEME} {change} {amount} against float")
    return f"{', and '.join(parts)}." if parts else ""


def _broken(report: Report, name: str) -> str | None:
    """Sentence in place of distances where the student's teacher is at chance on the images."""
    accuracy = teacher_accuracy(report, name)
    if name == BASELINE or accuracy is None or not _is_chance(report, accuracy):
        return None
    seen = report.teacher.held_out
    cause = seen.cause if seen and seen.cause else USUAL_CAUSE
    return (
        f"Its teacher cannot be told from chance ({100 * accuracy:.2f} %; chance: {percent(_chance(report))} %), so "
        f"that this says nothing of distillation. {cause}."
    )


def _heavier(report: Report, name: str) -> str | None:
    """That a student has more parameters or multiply-adds than its teacher, where it has."""
    student, teacher = _of(report, name)[0], report.teacher
    words = []
    if teacher.parameters is not None and student.parameters > teacher.parameters:
        words.append(f"{count(student.parameters)} parameters against {count(teacher.parameters)}")
    if student.multiply_adds and teacher.multiply_adds and student.multiply_adds > teacher.multiply_adds:
        words.append(f"{student.multiply_adds / teacher.multiply_adds:.2g} times the multiply-adds")
    return f"It is heavier than its teacher: {', '.join(words)}." if words else None


def _is_chance(report: Report, accuracy: float) -> bool:
    return may_be_chance(accuracy, _chance(report).mean, max(report.data.test, 1))


def _chance(report: Report) -> Measure:
    known = report.data.chance
    return Measure.of([1 / len(report.data.classes) if known is None else known])


def _cost_of_integers(report: Report, name: str) -> float | None:
    """Mean of int8 minus float over the seeds that have both: a fraction, negative where int8 is worse."""
    integer = {t.seed: t.accuracy for t in report.tflite if t.student == name and t.scheme == SCHEME}
    pairs = [integer[s.seed] - s.accuracy for s in _of(report, name) if s.seed in integer]
    return Measure.of(pairs).mean if pairs else None


def _of(report: Report, name: str) -> list[Student]:
    return [s for s in report.students if s.name == name]


def _named(name: str) -> str:
    known = {BASELINE: "The student trained on hard labels", CHALLENGER: "The distilled student"}
    return known.get(name, f"The student “{label(name)}”")


def _points(difference: float) -> str:
    """Percentage points, without the sign."""
    return f"{100 * abs(difference):.2f}"


def _seeds(first: Measure, second: Measure) -> str:
    if first.n == second.n:
        return f"{first.n} seeds each" if first.n > 1 else "one seed each"
    return f"{first.n} against {second.n} seeds"
