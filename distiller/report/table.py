"""The table of a report: one row a model, for a terminal, for Markdown and for the page."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from distiller.report import measure
from distiller.report.content import Converted, File, Report, Teacher
from distiller.report.markdown_table import markdown_table
from distiller.report.measure import Measure
from distiller.utils.safe_console import SafeConsole

FLOAT = "float"


@dataclass(frozen=True)
class Row:
    """One model over all its seeds.

    `form` is "float" or a scheme; accuracy and agreement are fractions, `latency_ms` the median for one image.
    `bytes` is the mean size of the files, or parameters × 4 where there is no file (`has_file`);
    NaN of a teacher behind a student's own bridge, which may be several networks.
    """

    model: str
    form: str
    accuracy: Measure
    agreement: Measure | None
    bytes: float
    has_file: bool
    latency_ms: Measure | None = None
    threads: int | None = None
    device: str | None = None
    is_teacher: bool = False

    @property
    def title(self) -> str:
        """The model as a person reads it; a teacher keeps its name, which is what one types."""
        return self.model if self.is_teacher else label(self.model)


@dataclass(frozen=True)
class Column:
    """A heading and the text of its cells; numbers stand to the right."""

    heading: str
    cell: Callable[[Row], str]
    is_number: bool = True


def rows(report: Report) -> list[Row]:
    """In this order: the teachers that have an accuracy, the teacher's own file, the float students, and their files.

    Schemes are apart by threads and device, in nothing but latency.
    """
    return [*_teachers(report), *_of_teacher(report), *_students(report), *_converted(report)]


def columns(rows: Iterable[Row]) -> list[Column]:
    """The columns of a table of `rows`; "Measured on" is one of them only where rows differ in it."""
    shown = [
        Column("Model", lambda row: row.title, is_number=False),
        Column("Form", lambda row: row.form, is_number=False),
        Column("Accuracy (%)", lambda row: measure.percent(row.accuracy)),
        Column("Agreement (%)", lambda row: measure.percent(row.agreement) if row.agreement else ""),
        Column("Size", _size),
        Column("Latency (ms)", lambda row: measure.milliseconds(row.latency_ms) if row.latency_ms else ""),
    ]
    if len({(row.threads, row.device) for row in rows if row.latency_ms}) > 1:
        shown.append(Column("Measured on", setting, is_number=False))
    return [*shown, Column("Seeds", lambda row: "" if row.is_teacher else str(row.accuracy.n))]


def notes(report: Report) -> list[str]:
    """Notes on the table, a sentence or two each."""
    several = any(row.accuracy.deviation is not None for row in rows(report))
    found = [
        f"Accuracy on {report.data.measured}"
        + ("; ± is the sample standard deviation over seeds." if several else "; one seed, so no deviation is known."),
        "Agreement: a float student says what the teacher says"
        + (", a file says what its float network says." if report.tflite else "."),
        "≈ is the number of parameters × 4 bytes" + ("; other sizes are those of files." if report.tflite else "."),
    ]
    settings = sorted({setting(row) for row in rows(report) if row.latency_ms})
    if len(settings) == 1:
        found.append(f"Latency: median for one image, {settings[0]}.")
    elif settings:
        found.append("Latency: median for one image, over the seeds that were measured there.")
    return [*found, report.teacher.no_file] if report.teacher.no_file else found


def markdown(report: Report) -> str:
    """The table as Markdown (GitHub's), with its notes below."""
    table = rows(report)
    shown = columns(table)
    return (
        markdown_table(
            tuple(column.heading for column in shown),
            [tuple(_escaped(column.cell(row)) for column in shown) for row in table],
            [f"- {_escaped(note)}" for note in notes(report)],
            text=[place for place, column in enumerate(shown) if not column.is_number],
        )
        + "\n"
    )


def rich_table(report: Report, width: int | None = None) -> Table:
    """The table for a terminal of `width` columns, with its notes below.

    Where it would not fit, it has fewer lines and its cells wrap between words: no number and no name is cut.
    """
    wide = _rich_table(report, narrow=False)
    if width is None or Measurement.get(_ENDLESS, _ENDLESS.options, wide).maximum <= width:
        return wide
    return _rich_table(report, narrow=True)


_ENDLESS = SafeConsole(width=10_000)


def _rich_table(report: Report, *, narrow: bool) -> Table:
    table = rows(report)
    # Text, not str: a name with brackets in it is not markup.
    form: dict[str, Any] = {"box": box.SIMPLE, "pad_edge": False, "padding": (0, 1, 0, 0)} if narrow else {}
    terminal = Table(caption=Text("\n".join(notes(report))), caption_justify="left", **form)
    for place, column in enumerate(columns(table)):
        lines = [line for row in table for line in _in_lines(column.cell(row)).split("\n")]
        least = max(map(len, [*column.heading.split(), *lines]))
        # The names take what the numbers leave; longer words are folded there: names that are cut look alike.
        terminal.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            overflow="fold",
            width=least if narrow and place else None,
        )
    for i, row in enumerate(table):
        ends_a_group = i + 1 < len(table) and group(row) != group(table[i + 1])
        cells = [column.cell(row) for column in columns(table)]
        terminal.add_row(*(Text(_in_lines(cell) if narrow else cell) for cell in cells), end_section=ends_a_group)
    return terminal


def _in_lines(cell: str) -> str:
    """A cell with its deviation below the number."""
    return cell.replace(" ± ", "\n± ")


def label(name: str) -> str:
    """A student's name as a person reads it.

    >>> label("hard_labels")
    'hard labels'
    """
    return name.replace("_", " ")


def setting(row: Row | File) -> str:
    """Setting of a latency measurement: threads and device, empty where there was none."""
    if row.threads is None:
        return ""
    return f"{row.threads} thread{'s' if row.threads > 1 else ''} on {row.device}"


def _size(row: Row) -> str:
    if math.isnan(row.bytes):
        return ""
    return ("" if row.has_file else "≈ ") + measure.size(row.bytes)


def _teachers(report: Report) -> list[Row]:
    return [
        Row(
            model=name,
            form=FLOAT,
            accuracy=Measure.of([accuracy]),
            agreement=None,
            bytes=4 * (report.teacher.parameters or math.nan) if name == _named(report.teacher) else math.nan,
            has_file=False,
            is_teacher=True,
        )
        for name, accuracy in teachers(report).items()
    ]


def _of_teacher(report: Report) -> list[Row]:
    return [
        Row(
            model=_named(report.teacher),
            form=file.scheme,
            accuracy=Measure.of([file.accuracy]),
            agreement=Measure.of([file.agreement]),
            bytes=file.bytes,
            has_file=True,
            latency_ms=Measure.of([file.latency_ms.median]),
            threads=file.threads,
            device=file.device,
            is_teacher=True,
        )
        for file in report.teacher.tflite
    ]


def _students(report: Report) -> list[Row]:
    table = []
    for name in student_names(report):
        of_name = [s for s in report.students if s.name == name]
        agreements = [s.agreement for s in of_name if s.agreement is not None]
        table.append(
            Row(
                model=name,
                form=FLOAT,
                accuracy=Measure.of([s.accuracy for s in of_name]),
                agreement=Measure.of(agreements) if agreements else None,
                bytes=4 * Measure.of([s.parameters for s in of_name]).mean,
                has_file=False,
            )
        )
    return table


def _converted(report: Report) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Converted]] = {}
    for entry in report.tflite:
        groups.setdefault((entry.student, entry.scheme, entry.threads, entry.device), []).append(entry)
    students = student_names(report)
    table = []
    # Sorting is stable: within a student, schemes stay in the order in which the run made them.
    for (name, scheme, threads, device), measured in sorted(groups.items(), key=lambda g: students.index(g[0][0])):
        files = files_of(report, name, scheme)
        table.append(
            Row(
                model=name,
                form=scheme,
                accuracy=Measure.of([e.accuracy for e in files]),
                agreement=Measure.of([e.agreement for e in files]),
                bytes=Measure.of([e.bytes for e in files]).mean,
                has_file=True,
                latency_ms=Measure.of([e.latency_ms.median for e in measured]),
                threads=threads,
                device=device,
            )
        )
    return table


def files_of(report: Report, student: str, scheme: str) -> list[Converted]:
    """The files of a student in a scheme, each seed once: a file is as accurate wherever its latency was measured."""
    return list({t.seed: t for t in report.tflite if (t.student, t.scheme) == (student, scheme)}.values())


def student_names(report: Report) -> list[str]:
    """The students' names, each once, in the order of the run."""
    return list(dict.fromkeys(s.name for s in report.students))


def teacher_accuracy(report: Report, name: str) -> float | None:
    """Of the teacher of a student: a fraction in the student's classes, the mean over its seeds; None in others.

    A student without a teacher has the recipe's.
    """
    own = [s.teacher_accuracy for s in report.students if s.name == name and s.bridge is not None]
    if not own:
        return report.teacher.accuracy
    known = [accuracy for accuracy in own if accuracy is not None]
    # Rounded: means of the same numbers, some of them repeated, differ in their last digit.
    return round(Measure.of(known).mean, 6) if known else None


def teachers(report: Report) -> dict[str, float]:
    """Accuracy of the teacher behind the recipe's bridge, and behind the students' own, of those that have one.

    Those that are equally right are one.
    """
    recipes = report.teacher.accuracy
    whose: dict[float, list[str]] = {} if recipes is None else {round(recipes, 6): []}
    for name in student_names(report):
        accuracy = teacher_accuracy(report, name)
        if accuracy is not None:
            whose.setdefault(round(accuracy, 6), []).append(label(name))
    first_is_plain = recipes is not None or len(whose) == 1
    return {
        _named(report.teacher) if first_is_plain and place == 0 else f"teacher of {', '.join(names)}": accuracy
        for place, (accuracy, names) in enumerate(whose.items())
    }


def _named(teacher: Teacher) -> str:
    return f"teacher ({teacher.name})"


def group(row: Row) -> tuple[Any, ...]:
    """Rows that stand together: the teacher and its file, the float students, the files of one student."""
    is_file = row.has_file and not row.is_teacher
    return (row.is_teacher, is_file, row.model if is_file else None)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|~])", r"\\\1", " ".join(text.split()))
