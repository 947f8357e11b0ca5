"""One HTML page that holds all of a report: no script, and nothing is fetched from anywhere."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from distiller.errors import InputError
from distiller.report import content, measured, privacy, slower, tables
from distiller.report.conclusions import verdict
from distiller.report.content import Report
from distiller.report.table import label, notes, student_names, teacher_accuracy
from distiller.utils.atomic_files import write_whole

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
    try:
        pictures = figures.draw(report, folder / figures.FOLDER)
        results = measured.read(folder)
        latencies = measured.pictures(results, folder / figures.FOLDER) if results else []
        audit = privacy.read(folder)
        curves = [privacy.draw(audit, folder / figures.FOLDER / "privacy.png")] if audit else []
        text = render(
            report,
            [_embedded(picture) for picture in pictures],
            measured.table(results) if results else None,
            [_embedded(picture) for picture in latencies],
            slower.sentences(report, results),
            privacy.table(audit) if audit else None,
            [_embedded(picture) for picture in curves],
        )
        write_whole(page, text.encode("utf-8", errors="backslashreplace"))  # names of files may be no text
    except OSError as error:
        raise InputError(f"The report in {str(folder)!r} cannot be written: {error.strerror}") from None
    return page


def render(
    report: Report,
    pictures: list[dict[str, Any]],
    latencies: measured.Latencies | None = None,
    latency_pictures: Sequence[dict[str, Any]] = (),
    slow: Sequence[str] = (),
    audit: privacy.Privacy | None = None,
    audit_pictures: Sequence[dict[str, Any]] = (),
) -> str:
    """The page as text; pictures have src, alt, title, caption, width and height; `slow` says which files are.

    `audit` is what attacks found out about the training images.
    """
    environment = Environment(
        loader=PackageLoader("distiller.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        report=report,
        verdict=verdict(report),
        results=tables.results(report),
        notes=notes(report),
        pictures=pictures,
        gains=tables.gains(report),
        networks=tables.networks(report),
        budgets=_budgets(report),
        bridges=_bridges(report),
        files=tables.files(report),
        classes=tables.classes(report),
        latencies=latencies,
        latency_pictures=latency_pictures,
        slow=slow,
        audit=audit,
        audit_pictures=audit_pictures,
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
