"""Schema of a run's `report.json`, checked on reading; keys that are not named here are kept."""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from distiller.errors import InputError

NAME = "report.json"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Duration = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of the report; immutable, and free to grow."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Data(Section):
    """The images: the student's classes and the number of images in each split; `labelled` of `train` have a label.

    `test` are those that accuracies are measured on, of the split `measured_on`. `chance` is the accuracy that needs no
    look at one of them.
    """

    name: str
    classes: list[str]
    train: Count
    labelled: Count
    validation: Count
    test: Count
    measured_on: str = "test"
    chance: Share | None = None

    @property
    def measured(self) -> str:
        """The images that accuracies are measured on, such as "10,000 test images"."""
        return f"{self.test:,} {self.measured_on} images"


class OtherBudget(Section):
    """Budget of one student in place of the others', or, where it continues from `start`, on top of it."""

    student: str
    steps: Count
    epochs: Count
    batch_size: Count | None = None
    start: str | None = None


class Budget(Section):
    """The recipe's training: `epochs` of `steps` batches in all, once a seed, for every student but for `others`."""

    steps: Count
    batch_size: Count
    epochs: Count
    seeds: list[int]
    others: list[OtherBudget] = []


class Latency(Section):
    """Milliseconds for one image."""

    median: Duration
    p90: Duration


class Operator(Section):
    """The time of one operator in one run of a file; `type` is what the runtime calls it."""

    type: str
    mean_ms: Duration
    delegated: bool


class File(Section):
    """One `.tflite` file; `agreement` and `mean_lsb` are against the float network that it was made from.

    `file` is relative to the report's folder; `mean_lsb` is the mean output error in steps of the output's
    quantization, None for float outputs. `operators` are known of integer files that are slower than their twins in
    floating point, and of these twins.
    """

    scheme: str
    file: str
    bytes: Annotated[int, Field(ge=1)]
    accuracy: Share
    agreement: Share
    mean_lsb: float | None = None
    latency_ms: Latency
    runs: Count
    threads: Annotated[int, Field(ge=1)]
    device: str
    operators: list[Operator] | None = None

    @field_validator("file")
    @classmethod
    def _inside_the_folder(cls, file: str) -> str:
        path = PurePosixPath(file.replace("\\", "/"))
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise ValueError("expected a path inside the report's folder")
        return file


class Converted(File):
    """The file of one student of one seed."""

    student: str
    seed: int


class HeldOut(Section):
    """A teacher on images that were held out of the training, before it taught, and why it is no better than chance."""

    accuracy: Share
    chance: Share
    images: Count
    cause: str | None = None


class Teacher(Section):
    """The teacher; its accuracy is a fraction in the students' label space, after the recipe's bridge; None in another.

    `parameters` is None of a teacher of another framework.
    Students with a bridge of their own have the accuracy of theirs. `tflite` are files of the teacher itself, and
    `no_file` says why there is none where one was asked for.
    """

    name: str
    accuracy: Share | None
    parameters: Count | None
    multiply_adds: Count | None
    bridge: str | None = None
    held_out: HeldOut | None = None
    tflite: list[File] = []
    no_file: str | None = None


class Student(Section):
    """One float student of one seed.

    `agreement` is the share of test images where it says what its teacher says, and `teacher_accuracy` that of its
    teacher, behind its own bridge; None where that has other classes. `bridge` is None of a student without a teacher.
    """

    name: str
    seed: int
    accuracy: Share
    validation_accuracy: Share
    parameters: Count
    multiply_adds: Count | None
    agreement: Share | None
    teacher_accuracy: Share | None = None
    bridge: str | None = None
    seconds: Duration


class Epoch(Section):
    """One epoch of a training, counted from 1; accuracies are fractions, None where they were not measured."""

    epoch: Count
    loss: float
    accuracy: Share | None = None
    val_accuracy: Share | None = None


class Curve(Section):
    """The course of one training."""

    name: str
    seed: int
    epochs: list[Epoch]


class PerClass(Section):
    """Accuracy in each class, in the order of `Data.classes`; of the float student where `scheme` is None."""

    student: str
    seed: int
    scheme: str | None = None
    accuracy: list[Share]


class Report(Section):
    """All of a run that a reader wants to see."""

    recipe: str
    summary: str
    data: Data
    budget: Budget
    teacher: Teacher
    students: Annotated[list[Student], Field(min_length=1)]
    tflite: list[Converted] = []
    curves: list[Curve] = []
    per_class: list[PerClass] = []
    versions: dict[str, str] = {}
    machine: dict[str, Any] = {}
    commit: str | None = None
    command: str = ""

    @property
    def further(self) -> dict[str, Any]:
        """The top-level keys that this module does not know."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _consistent(self) -> "Report":
        _no_twins("students", [(s.name, s.seed) for s in self.students])
        _no_twins("tflite", [(t.student, t.seed, t.scheme, t.threads, t.device) for t in self.tflite])
        _no_twins("curves", [(c.name, c.seed) for c in self.curves])
        _no_twins("per_class", [(p.student, p.seed, p.scheme) for p in self.per_class])
        students = sorted({s.name for s in self.students})
        for name in [t.student for t in self.tflite] + [p.student for p in self.per_class]:
            if name not in students:
                raise ValueError(f"expected one of the students {students}. Received: {name!r}")
        for entry in self.per_class:
            if len(entry.accuracy) != len(self.data.classes):
                raise ValueError(
                    f"per_class of {entry.student!r}: expected {len(self.data.classes)} accuracies. "
                    f"Received: {len(entry.accuracy)}"
                )
        return self


def read(path: Path) -> Report:
    """The checked report of a run's folder, or of a `report.json`.

    Raises:
        InputError: there is no such file, it is not JSON, or something in it is missing or impossible; the message
            names the place.
    """
    path = Path(path)
    file = path / NAME if path.is_dir() else path
    if path.is_dir() and not file.exists():
        raise InputError(_without_report(path))
    if (task := task_of(file)) is not None:
        raise InputError(
            f"Expected the run of a classification. Received: {str(path)!r}, of the task {task}, whose numbers "
            "`distiller report` prints"
        )
    try:
        return Report.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"The report {str(file)!r} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise InputError(f"The report {str(file)!r} is damaged: " + "; ".join(_problems(error))) from None


def task_of(path: Path) -> str | None:
    """The task of a run, given by its folder or `report.json`; None of a classification, and where there is none."""
    try:
        found = json.loads((path / NAME if path.is_dir() else path).read_text())
    except (OSError, ValueError):
        return None
    return found.get("task") if isinstance(found, dict) else None


def _without_report(folder: Path) -> str:
    """Reason why a folder has no report, and what to do."""
    try:
        run = json.loads((folder / "run.json").read_text())
        kind, command = run["recipe"]["kind"], run.get("command") or "its command"
    except (OSError, ValueError, LookupError, TypeError):
        return f"The folder {str(folder)!r} holds no run: there is no {NAME} and no run.json in it"
    if kind != "run":
        return f"The folder {str(folder)!r} holds a run of `distiller {kind}`, which has no report: see metrics.csv"
    done = sorted(path.parent.name for path in folder.glob("stages/*/result.json"))
    return (
        f"The run in {str(folder)!r} is not finished and has no report yet. Done: {', '.join(done) or 'nothing'}. "
        f"Go on with it: {command.removesuffix(' --resume')} --resume"
    )


def folder_of(path: Path) -> Path:
    """The folder of a run, given by itself or by its `report.json`.

    Raises:
        InputError: another file.
    """
    path = Path(path)
    if not path.is_file():
        return path
    if path.name != NAME:
        raise InputError(f"Expected the folder of a run, or its {NAME}. Received: {str(path)!r}")
    return path.parent


def _no_twins(section: str, keys: list[tuple[Any, ...]]) -> None:
    twins = sorted({repr(key) for key in keys if keys.count(key) > 1})
    if twins:
        raise ValueError(f"{section}: expected one entry each. Received more than one of {', '.join(twins)}")


def _problems(error: ValidationError, most: int = 5) -> list[str]:
    """One line a problem, and how many more there are."""
    details = error.errors(include_url=False)
    lines = []
    for detail in details[:most]:
        place = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "missing":
            lines.append(f"{place} is missing")
        elif place:
            received = repr(detail["input"])
            lines.append(f"{place}: {detail['msg'].lower()}. Received: {received[:80]}")
        else:
            lines.append(detail["msg"].removeprefix("Value error, "))
    if len(details) > most:
        lines.append(f"and {len(details) - most} more")
    return lines
