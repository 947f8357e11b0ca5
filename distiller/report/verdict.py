"""What came of a run, in two sentences with the numbers."""

from distiller.report.content import Report, Student
from distiller.report.measure import Measure, percent
from distiller.report.table import label, student_names, teacher_accuracy, teachers

BASELINE, CHALLENGER, SCHEME = "hard_labels", "distilled", "int8"


def verdict(report: Report) -> str:
    """Whether distillation beats hard labels and by how much, how far the teacher is, and what int8 costs.

    A difference counts as shown where it is larger than both standard deviations together; with one seed there is
    none, and the sentence says so.
    """
    name = _subject(report)
    subject = Measure.of([s.accuracy for s in _of(report, name)])
    reached = f"{_named(name)} reaches {percent(subject)} % on {report.data.test:,} test images"
    comparison = _comparison(report, name, subject)
    return f"{reached}{comparison}. {_distances(report, name, subject)}".rstrip()


def _subject(report: Report) -> str:
    """The student that the sentences are about. Never the best one: that would be a choice made on the test set."""
    names = student_names(report)
    if CHALLENGER in names:
        return CHALLENGER
    return next((name for name in names if name != BASELINE), names[0])


def _comparison(report: Report, name: str, subject: Measure) -> str:
    baseline = _of(report, BASELINE)
    if name == BASELINE or not baseline:
        return f" ({subject.n} seed{'s' if subject.n > 1 else ''})"
    other = Measure.of([s.accuracy for s in baseline])
    gain = subject.mean - other.mean
    if _points(gain) == "0.00":
        return f", the same as hard labels ({percent(other)} %; {_seeds(subject, other)})"
    side = "above" if gain > 0 else "below"
    difference = f", {_points(gain)} points {side} hard labels ({percent(other)} %; {_seeds(subject, other)})"
    if subject.deviation is None or other.deviation is None:
        return f"{difference}; without a second seed of each it is not known whether that is chance"
    noise = subject.deviation + other.deviation
    if abs(gain) > noise:
        return f"{difference}, more than both deviations together ({_points(noise)})"
    return f"{difference}, which is within both deviations together ({_points(noise)}) and may be chance"


def _distances(report: Report, name: str, subject: Measure) -> str:
    """How far its own teacher of the same classes is, and what integers cost, where there are any."""
    parts = []
    accuracy = teacher_accuracy(report, name)
    if accuracy is not None:
        gap = subject.mean - accuracy
        teacher = f"{'its' if len(teachers(report)) > 1 else 'the'} teacher ({100 * accuracy:.2f} %)"
        side = "above" if gap > 0 else "below"
        equal = _points(gap) == "0.00"
        parts.append(f"It equals {teacher}" if equal else f"It is {_points(gap)} points {side} {teacher}")
    cost = _cost_of_integers(report, name)
    if cost is not None:
        change = "costs it" if cost <= 0 or _points(cost) == "0.00" else "gains"
        amount = "nothing" if _points(cost) == "0.00" else f"{_points(cost)} points"
        parts.append(f"{SCHEME} {change} {amount} against float")
    return f"{', and '.join(parts)}." if parts else ""


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
