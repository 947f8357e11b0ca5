"""The report of a run of several labels, numbers or masks: schema, table and verdict in the metric of its task."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from distiller.errors import InputError
from distiller.report import measure
from distiller.report.content import NAME, Count, Latency, Section
from distiller.report.intervals import welch
from distiller.report.markdown_table import markdown_table
from distiller.report.measure import Measure

MARKDOWN = "report.md"
# What a metric is called, and whether it is a share, which is told in percent.
_TITLES = {
    "map": ("mAP (%)", True),
    "f1_micro": ("F1 micro (%)", True),
    "f1_macro": ("F1 macro (%)", True),
    "mae": ("MAE", False),
    "rmse": ("RMSE", False),
    "miou": ("mIoU (%)", True),
    "accuracy": ("Pixel accuracy (%)", True),
}
_HARD = "hard_labels"

Metrics = dict[str, float]


class Data(Section):
    """The images, and the names of the outputs."""

    name: str
    outputs: list[str]
    train: Count
    validation: Count
    test: Count
    measured_on: str


class Measured(Section):
    """Metrics on the held-out images and on the test images."""

    validation: Metrics
    test: Metrics


class Teacher(Measured):
    """The teacher."""

    name: str
    parameters: Count


class File(Section):
    """One TFLite file of a student; `test` are metrics of the file itself, run by the interpreter."""

    scheme: str
    file: str
    bytes: Count
    test: Metrics
    latency_ms: Latency


class Student(Measured):
    """One student of one seed."""

    name: str
    seed: int
    parameters: Count
    seconds: float
    tflite: list[File]


class TaskReport(Section):
    """All of a run of a task; `metric` is what it is judged by, and `baseline` are answers that look at no image."""

    task: str
    metric: str
    lower_is_better: bool
    recipe: str
    summary: str
    data: Data
    teacher: Teacher
    baseline: Measured
    students: Annotated[list[Student], Field(min_length=1)]


def read(folder: Path) -> TaskReport:
    """The checked report of a run's folder; InputError where it cannot be read or is damaged."""
    path = folder / NAME if folder.is_dir() else folder
    try:
        return TaskReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"The report {str(path)!r} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(map(str, detail["loc"]))
        raise InputError(f"The report {str(path)!r} is damaged: {place}: {detail['msg'].lower()}") from None


def write(folder: Path) -> Path:
    """Write `report.md` with the table and the verdict into the folder of a run; returns its path."""
    found = read(folder)
    path = folder / MARKDOWN
    path.write_text(f"# {found.summary}\n\n{markdown(found)}\n{verdict(found)}\n", encoding="utf-8")
    return path


def headings(report: TaskReport) -> list[str]:
    """The headings of the table."""
    names = [_TITLES.get(name, (name, False))[0] for name in report.teacher.test]
    return ["Model", "Form", *names, "Size (kB)", "Latency (ms)", "Seeds"]


def rows(report: TaskReport) -> list[list[str]]:
    """The cells of the table: answers that look at no image, the teacher, the students, and their files."""
    order = list(report.teacher.test)

    def cells(found: list[Metrics]) -> list[str]:
        return [_cell(name, [one[name] for one in found]) for name in order]

    size = f"≈ {report.teacher.parameters * 4 / 1000:.1f}"
    table = [["constant answer", "", *cells([report.baseline.test]), "", "", ""]]
    table.append([report.teacher.name, "float", *cells([report.teacher.test]), size, "", ""])
    for name in names(report):
        own = [student for student in report.students if student.name == name]
        size = f"≈ {own[0].parameters * 4 / 1000:.1f}"
        table.append([_label(name), "float", *cells([one.test for one in own]), size, "", str(len(own))])
    for name in names(report):
        own = [student for student in report.students if student.name == name]
        for scheme in dict.fromkeys(file.scheme for student in own for file in student.tflite):
            files = [file for student in own for file in student.tflite if file.scheme == scheme]
            size = f"{sum(file.bytes for file in files) / len(files) / 1000:.1f}"
            latency = measure.milliseconds(Measure.of([file.latency_ms.median for file in files]))
            cell = [_label(name), scheme, *cells([file.test for file in files]), size, latency, str(len(files))]
            table.append(cell)
    return table


def names(report: TaskReport) -> list[str]:
    """The students' names, each once."""
    return list(dict.fromkeys(student.name for student in report.students))


def markdown(report: TaskReport) -> str:
    """The table as Markdown, with its notes below."""
    table = markdown_table(
        tuple(headings(report)), [tuple(row) for row in rows(report)], [f"- {n}" for n in notes(report)], text=[0, 1]
    )
    return table + "\n"


def notes(report: TaskReport) -> list[str]:
    """Notes on the table."""
    title = _TITLES.get(report.metric, (report.metric, False))[0].removesuffix(" (%)")
    way = "lower is better" if report.lower_is_better else "higher is better"
    several = any(sum(one.name == name for one in report.students) > 1 for name in names(report))
    return [
        f"Task {report.task}, judged by {title}: {way}. "
        f"Measured on {report.data.test:,} {report.data.measured_on} images"
        + ("; ± is the sample standard deviation over seeds." if several else "; one seed, no deviation is known."),
        "The constant answer looks at no image: it is what the training labels alone tell.",
        "≈ is the number of parameters × 4 bytes; other sizes are those of files. Latency: median for one image.",
    ]


def verdict(report: TaskReport) -> str:
    """Sentences in the metric of the task: each taught student beside the labels alone, and its integer file."""
    title, share = _TITLES.get(report.metric, (report.metric, False))
    title, unit = title.removesuffix(" (%)"), " %" if share else ""

    def values(name: str) -> list[float]:
        return [student.test[report.metric] for student in report.students if student.name == name]

    def shown(found: list[float]) -> str:
        return _cell(report.metric, found) + unit

    taught = [name for name in names(report) if name != _HARD]
    said = []
    for name in taught:
        if _HARD not in names(report):
            said.append(
                f"{_label(name)} reaches {title} {shown(values(name))}, the teacher {_of_teacher(report, unit)}."
            )
            continue
        own, base = values(name), values(_HARD)
        gain = Measure.of(own).mean - Measure.of(base).mean
        gain = -gain if report.lower_is_better else gain
        interval = welch(own, base)
        sure = interval is not None and not interval[0] <= 0 <= interval[1]
        word = "better than" if gain > 0 else "worse than" if gain < 0 else "the same as"
        why = (
            "the 95 % interval of the difference does not hold 0"
            if sure
            else "which cannot be told from chance"
            if interval is not None
            else "and so few seeds know no deviation"
        )
        said.append(
            f"{_label(name)} reaches {title} {shown(own)}, {word} the labels alone with {shown(base)} ({why}); the "
            f"teacher has {_of_teacher(report, unit)}."
        )
    for name in taught or names(report):
        files = [f for s in report.students if s.name == name for f in s.tflite if f.scheme == "int8"]
        if files:
            said.append(f"Its int8 file has {title} {shown([file.test[report.metric] for file in files])}.")
    return " ".join(said)


def _of_teacher(report: TaskReport, unit: str) -> str:
    return _cell(report.metric, [report.teacher.test[report.metric]]) + unit


def _cell(name: str, values: list[float]) -> str:
    found = Measure.of(values)
    if _TITLES.get(name, ("", False))[1]:
        return measure.percent(found)
    spread = "" if found.deviation is None else f" ± {found.deviation:.4f}"
    return f"{found.mean:.4f}{spread}"


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
