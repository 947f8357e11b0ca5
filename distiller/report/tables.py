"""The tables of the page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from distiller.report import measure
from distiller.report.content import Converted, File, Report
from distiller.report.intervals import in_points, signed, welch
from distiller.report.measure import Measure
from distiller.report.subject import BASELINE, budget
from distiller.report.table import FLOAT, columns, group, label, rows, setting, student_names


@dataclass(frozen=True)
class Table:
    """Headings, which of the columns are numbers, and lines: whether a group begins there, and the cells."""

    headings: list[str]
    numbers: list[bool]
    lines: list[tuple[bool, tuple[Any, ...]]]

    @classmethod
    def of(cls, headings: Sequence[str], numbers: Sequence[bool], lines: Iterable[tuple[Any, ...]]) -> "Table":
        """A table of one group."""
        return cls(list(headings), list(numbers), [(False, cells) for cells in lines])


def results(report: Report) -> Table:
    """The table that the terminal shows too."""
    found = rows(report)
    shown = columns(found)
    return Table(
        [column.heading for column in shown],
        [column.is_number for column in shown],
        [
            (i > 0 and group(row) != group(found[i - 1]), tuple(column.cell(row) for column in shown))
            for i, row in enumerate(found)
        ],
    )


def gains(report: Report) -> Table | None:
    """Gain of each student over hard labels on the test split, and its training time; None where there are no two.

    With the 95 % interval over seeds, and the time of its training as a multiple of theirs: equal steps are not equal
    time.
    """
    base = [s for s in report.students if s.name == BASELINE]
    names = [name for name in student_names(report) if name != BASELINE]
    if not base or not names:
        return None
    lines = []
    for name in names:
        own = [s for s in report.students if s.name == name]
        bounds = welch([s.accuracy for s in own], [s.accuracy for s in base])
        spent, theirs = (Measure.of([s.seconds for s in group]).mean for group in (own, base))
        steps, _, start = budget(report, name)
        lines.append(
            (
                label(name),
                measure.percent(Measure.of([s.validation_accuracy for s in own])),
                signed(Measure.of([s.accuracy for s in own]).mean - Measure.of([s.accuracy for s in base]).mean),
                in_points(bounds) if bounds else "",
                f"{steps:,}" + (f" after {label(start)}" if start else ""),
                f"{spent / theirs:.1f} ×" if theirs else "",
            )
        )
    headings = [
        "Student",
        "Validation (%)",
        "Test gain (points)",
        "95 % interval",
        "Steps",
        "Training time",
    ]
    return Table.of(headings, [False, *[True] * 5], lines)


def networks(report: Report) -> Table:
    """Parameters, multiply-adds, and what training took a seed: of the teacher, then of each student."""
    teacher = report.teacher
    lines = [(f"teacher ({teacher.name})", measure.count(teacher.parameters), measure.count(teacher.multiply_adds), "")]
    for name in student_names(report):
        seeds = [s for s in report.students if s.name == name]
        seconds = Measure.of([s.seconds for s in seeds]).mean
        time = f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.1f} s"
        lines.append((label(name), measure.count(seeds[0].parameters), measure.count(seeds[0].multiply_adds), time))
    return Table.of(["Network", "Parameters", "Multiply-adds", "Training, a seed"], [False, True, True, True], lines)


def files(report: Report) -> Table | None:
    """Every `.tflite` file with a link to it; None where there is none."""
    entries: list[File] = [*report.teacher.tflite, *report.tflite]
    columns: list[tuple[str, bool, list[Any]]] = [
        ("File", False, [_link(entry) for entry in entries]),
        ("Network", False, [label(entry.student) if isinstance(entry, Converted) else "teacher" for entry in entries]),
        ("Seed", True, [str(entry.seed) if isinstance(entry, Converted) else "" for entry in entries]),
        ("Scheme", False, [entry.scheme for entry in entries]),
        ("Bytes", True, [f"{entry.bytes:,}" for entry in entries]),
        ("Accuracy (%)", True, [f"{100 * entry.accuracy:.2f}" for entry in entries]),
        ("Agreement (%)", True, [f"{100 * entry.agreement:.2f}" for entry in entries]),
        ("Error (LSB)", True, ["" if e.mean_lsb is None else f"{e.mean_lsb:.2f}" for e in entries]),
        ("Median (ms)", True, [_milliseconds(entry.latency_ms.median) for entry in entries]),
        ("p90 (ms)", True, [_milliseconds(entry.latency_ms.p90) for entry in entries]),
        ("Runs", True, [f"{entry.runs:,}" for entry in entries]),
    ]
    settings = [setting(entry) for entry in entries]
    if len(set(settings)) > 1:
        columns.append(("Measured on", False, settings))
    if not entries:
        return None
    headings, numbers, cells = zip(*columns, strict=True)
    return Table.of(list(headings), list(numbers), zip(*cells, strict=True))


def _link(entry: File) -> Markup:
    """The file's name, which leads to it."""
    path = PurePosixPath(entry.file.replace("\\", "/"))
    # quote() leaves no ":", so that a file name can never be read as an address.
    return Markup('<a href="{}" download>{}</a>').format(quote(str(path)), path.name)


def _milliseconds(value: float) -> str:
    return measure.milliseconds(Measure.of([value]))


def classes(report: Report) -> Table | None:
    """Accuracy in each class for each student and form; None where the run did not measure it."""
    if not report.per_class:
        return None
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for entry in report.per_class:
        groups.setdefault((entry.student, entry.scheme or FLOAT), []).append(entry.accuracy)
    headings = ["Class", *(f"{label(name)} · {form}" for name, form in groups)]
    lines = [
        (name, *(measure.percent(Measure.of([seed[i] for seed in seeds])) for seeds in groups.values()))
        for i, name in enumerate(report.data.classes)
    ]
    return Table.of(headings, [False, *[True] * len(groups)], lines)
