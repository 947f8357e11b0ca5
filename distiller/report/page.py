"""One HTML page that holds all of a report: no script, and nothing is fetched from anywhere."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from distiller.errors import InputError
from distiller.report import content, measure, measured
from distiller.report.content import Report
from distiller.report.measure import Measure
from distiller.report.table import FLOAT, columns, group, label, notes, rows, setting, student_names, teacher_accuracy
from distiller.report.verdict import verdict

if TYPE_CHECKING:
    from distiller.report.canvas import Picture

NAME = "report.html"


def write(folder: Path) -> Path:
    """Make `report.html` and `figures/*.png` of the `report.json` in a run's folder; returns the page.

    Raises:
        InputError: the report cannot be read or is damaged, or the folder cannot be written to.
    """
    # matplotlib loads only where pictures are made.
    from distiller.report import figures

    folder = content.folder_of(folder)
    report = content.read(folder)
    page = folder / NAME
    scratch = page.with_suffix(".tmp")
    try:
        pictures = figures.draw(report, folder / figures.FOLDER)
        results = measured.read(folder)
        latencies = measured.pictures(results, folder / figures.FOLDER) if results else []
        text = render(
            report,
            [_embedded(picture) for picture in pictures],
            measured.table(results) if results else None,
            [_embedded(picture) for picture in latencies],
        )
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, page)
    except OSError as error:
        raise InputError(f"The report in {str(folder)!r} cannot be written: {error.strerror}") from None
    return page


def render(
    report: Report,
    pictures: list[dict[str, Any]],
    latencies: measured.Latencies | None = None,
    latency_pictures: Sequence[dict[str, Any]] = (),
) -> str:
    """The page as text; pictures have src, alt, title, caption, width and height."""
    environment = Environment(
        loader=PackageLoader("distiller.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = rows(report)
    shown = columns(table)
    return environment.get_template("page.html").render(
        report=report,
        verdict=verdict(report),
        columns=shown,
        numbers=[column.is_number for column in shown],
        rows=[
            (i > 0 and group(row) != group(table[i - 1]), [column.cell(row) for column in shown])
            for i, row in enumerate(table)
        ],
        notes=notes(report),
        pictures=pictures,
        networks=_networks(report),
        budgets=_budgets(report),
        bridges=_bridges(report),
        settings_differ=len({setting(entry) for entry in report.tflite}) > 1,
        files=[_file(entry) for entry in report.tflite],
        classes=_classes(report),
        latencies=latencies,
        latency_pictures=latency_pictures,
        further={key: json.dumps(value, indent=1, ensure_ascii=False) for key, value in report.further.items()},
        label=label,
    )


def _embedded(picture: "Picture") -> dict[str, Any]:
    encoded = base64.b64encode(picture.file.read_bytes()).decode("ascii")
    return {
        "src": f"data:image/png;base64,{encoded}",
        "alt": picture.alt,
        "title": picture.title,
        "caption": picture.caption,
        "width": picture.width // 2,
        "height": picture.height // 2,
    }


def _networks(report: Report) -> list[list[str]]:
    """Name, parameters, multiply-adds, seconds of training a seed: the teacher, then each student."""
    teacher = report.teacher
    table = [[f"teacher ({teacher.name})", measure.count(teacher.parameters), measure.count(teacher.multiply_adds), ""]]
    for name in student_names(report):
        seeds = [s for s in report.students if s.name == name]
        seconds = Measure.of([s.seconds for s in seeds]).mean
        table.append(
            [
                label(name),
                measure.count(seeds[0].parameters),
                measure.count(seeds[0].multiply_adds),
                f"{seconds / 60:,.1f} min" if seconds >= 60 else f"{seconds:.1f} s",
            ]
        )
    return table


def _budgets(report: Report) -> list[str]:
    """The recipe's training, where a student had it, and that of every student that had another."""
    budget = report.budget
    others = [
        f"{label(other.student)}: {_training(other)}" + (f" after those of {label(other.start)}" if other.start else "")
        for other in budget.others
    ]
    if not others:
        return [f"{_training(budget)}, the same for every student"]
    shared = {*student_names(report)} - {other.student for other in budget.others}
    return [_training(budget), *others] if shared else others


def _bridges(report: Report) -> list[str]:
    """The bridge of all students that have a teacher, or that of each where they differ."""
    taught = {s.name: s.bridge for s in report.students if s.bridge is not None}
    if len(set(taught.values())) > 1:
        return [f"{label(name)}: {_bridge(bridge, teacher_accuracy(report, name))}" for name, bridge in taught.items()]
    name, bridge = next(iter(taught.items()), (student_names(report)[0], report.teacher.bridge))
    return [_bridge(bridge or "none", teacher_accuracy(report, name))]


def _bridge(bridge: str, teacher: float | None) -> str:
    """A bridge in words; `teacher` is the accuracy behind it, where it answers in the student's classes."""
    if bridge != "none":
        return label(bridge)
    same = "teacher and student have the same classes" if teacher is not None else "what is compared are layers"
    return f"none ({same})"


def _training(given: content.Budget | content.OtherBudget) -> str:
    """Steps, their images where they are known, and epochs."""
    images = f" of {given.batch_size} images" if given.batch_size else ""
    return f"{given.steps:,} steps{images} in {given.epochs} epoch{'s' * (given.epochs != 1)}"


def _file(entry: content.Converted) -> dict[str, str]:
    """One `.tflite` file: link, file name and the text of its cells."""
    path = PurePosixPath(entry.file.replace("\\", "/"))
    return {
        # quote() leaves no ":", so that a file name can never be read as an address.
        "href": quote(str(path)),
        "name": path.name,
        "student": label(entry.student),
        "seed": str(entry.seed),
        "scheme": entry.scheme,
        "size": f"{entry.bytes:,}",
        "accuracy": f"{100 * entry.accuracy:.2f}",
        "agreement": f"{100 * entry.agreement:.2f}",
        "error": "" if entry.mean_lsb is None else f"{entry.mean_lsb:.2f}",
        "median": measure.milliseconds(Measure.of([entry.latency_ms.median])),
        "p90": measure.milliseconds(Measure.of([entry.latency_ms.p90])),
        "runs": f"{entry.runs:,}",
        "setting": setting(entry),
    }


def _classes(report: Report) -> dict[str, Any] | None:
    """Accuracy in each class for each student and form; None where the run did not measure it."""
    if not report.per_class:
        return None
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for entry in report.per_class:
        groups.setdefault((entry.student, entry.scheme or FLOAT), []).append(entry.accuracy)
    return {
        "headings": [f"{label(name)} · {form}" for name, form in groups],
        "rows": [
            (name, [measure.percent(Measure.of([seed[i] for seed in seeds])) for seeds in groups.values()])
            for i, name in enumerate(report.data.classes)
        ],
    }
