"""`distiller diagnose`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distiller.cli import images
from distiller.cli.console import plain
from distiller.cli.options import DataDir, Json
from distiller.utils.terminal import print

if TYPE_CHECKING:
    from distiller.recipes.schema import Data as Section
    from distiller.teachers.diagnosis import Diagnosis

EPILOG = """[bold]Examples[/bold]

distiller diagnose wide_cifar100 --data cifar100 --data-dir ~/tensorflow_datasets

distiller diagnose runs/demo/teacher.keras --data digits --student runs/demo/distilled-0.keras --out runs/diagnosis

distiller diagnose teacher.keras --data photos/ --task regression --label-file heights.csv
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("diagnose", epilog=EPILOG)(diagnose)


def diagnose(
    teacher: Annotated[
        str, typer.Argument(help="Name of packaged weights, or path of a .keras file.", show_default=False)
    ],
    data: images.Data,
    data_dir: DataDir = None,
    student: Annotated[
        Path | None, typer.Option(help="A .keras file, trained or not, to compare with.", show_default=False)
    ] = None,
    split: Annotated[
        Literal["validation", "test"],
        typer.Option(help="Which images. Who chooses a teacher by the test images cannot report on them any more."),
    ] = "validation",
    held_out: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.999,
            help="Share of the training images that is the validation split, as when the teacher was trained. "
            "By default what packaged weights were trained with, else 0.1.",
            show_default=False,
        ),
    ] = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    size: images.Size = None,
    task: images.Task = "classification",
    label_file: images.LabelFile = None,
    derive: images.Derive = None,
    samples: Annotated[int, typer.Option(min=2, help="Images of a pair of classes for the mutual information.")] = 60,
    draws: Annotated[int, typer.Option(min=2, help="Random views of each of them.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Folder for diagnosis.json and the figures.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Is this teacher fit to teach? Label smoothing, mutual information, calibration, soft targets, capacity gap."""
    from distiller.errors import InputError
    from distiller.recipes.schema import Data as Section
    from distiller.runs.folder import check_output
    from distiller.utils.backend import load_backend

    if out is not None:
        check_output(out)
    load_backend()
    if task != "classification":
        if (classes and task != "segmentation") or groups:
            raise InputError(f"Expected no --classes and no --groups with --task {task}")
        section = Section(
            name=data,
            validation=held_out or images.HELD_OUT,
            classes=classes.split(",") if classes else None,
            image_size=images.size_for(teacher, size, data),
            labels=label_file,
            derive=derive,
        )
        _diagnose_task(Path(teacher), section, task, student, split, data_dir, out, json)
        return
    if label_file or derive:
        raise InputError("Expected --task multi_label, regression or segmentation with --label-file and --derive")
    from distiller import data as sources
    from distiller import models, teachers
    from distiller.utils.progress import Reporter

    file = teacher.endswith(".keras") or Path(teacher).exists()
    network = teachers.load(teacher, say=Reporter().say) if file else models.load(teacher)
    card = None if file else models.card(teacher)
    recipe = card["recipe"] if card else None
    if held_out is None:
        # Of other classes than packaged weights know no images are taken.
        held_out = recipe["data"]["validation"] if recipe else images.HELD_OUT
    views = sources.Augmentation(recipe["training"]["crop"], recipe["training"]["flip"]) if recipe else None
    dataset = images.load(data, data_dir, teacher, classes=classes, groups=groups, held_out=held_out, size=size)
    if card and list(dataset.classes) != card["classes"]:
        raise InputError(
            f"Expected the images that {teacher!r} was trained on: {card['data']}, of {len(card['classes'])} classes. "
            f"Received: {dataset.name}, of {len(dataset.classes)}"
        )
    images.check_classes(dataset, network.output_shape[-1], teacher)
    with Reporter().task("diagnose, percent", 100) as shown:
        found = teachers.diagnose(
            network,
            getattr(dataset, split),
            student=None if student is None else teachers.load(student, role="student"),
            classes=dataset.classes,
            augmentation=views,
            examples=samples,
            draws=draws,
            progress=lambda done, total: shown.advance_to(100 * done // total),
        )
    if out is not None:
        from distiller.report import diagnosis as figure

        figure.draw(found, out)
        (out / "diagnosis.json").write_text(found.to_json() + "\n")
    if json:
        print(found.to_json())
    else:
        _print(found, f"{teacher} on {split} images of {dataset.name}", out)


def _diagnose_task(
    teacher: Path,
    section: "Section",
    task: str,
    student: Path | None,
    split: str,
    data_dir: Path | None,
    out: Path | None,
    json: bool,
) -> None:
    """The teacher's metrics beside those of an answer that looks at no image, and of a student."""
    from rich.table import Table

    from distiller.runs import task_diagnosis, task_networks

    dataset = task_networks.load_data(section, task, data_dir)
    found = task_diagnosis.diagnose(teacher, dataset, task, split=split, student=student)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "diagnosis.json").write_text(found.to_json() + "\n")
    if json:
        print(found.to_json())
        return
    table = Table(title=f"{teacher} on {split} images of {dataset.name}", title_justify="left", box=None)
    for column in ("", *found.teacher):
        table.add_column(column)
    for name, metrics in found.rows():
        table.add_row(name, *(f"{value:.4f}" for value in metrics.values()))
    plain(width=110).print(table)
    print("What speaks against it:" if found.concerns else "Nothing speaks against this teacher.")
    for concern in found.concerns:
        print(f"- {concern}")


def _print(found: "Diagnosis", title: str, out: Path | None) -> None:
    from rich.table import Table

    from distiller.teachers.diagnosis import wording

    console = plain(width=110)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, show_header=False)
    for column in ("what", "found", "which means"):
        table.add_column(column, overflow="fold")
    for row in wording.rows(found):
        table.add_row(*row)
    console.print(table)
    print()
    print("What speaks against it:" if found.concerns else "Nothing speaks against this teacher.")
    for concern in found.concerns:
        console.print(f"- {concern}")
    if out is not None:
        print(f"Figures and diagnosis.json: {out}")
