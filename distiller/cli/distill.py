"""`distiller distill`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Force, Out, Processes, Resume, check_folder
from distiller.runs import defaults

EPILOG = """[bold]Examples[/bold]

distiller distill teacher.keras resnet8 --data photos --epochs 40 --crop 4 --flip

distiller distill wide_cifar100 mobilenet_v2 --data cifar10 --bridge fine_tune --out runs/phone

distiller distill teacher.keras resnet20 --data cifar100 --objective decoupled --objective hint:stage3

Everything else, such as few labels, several bridges and schedules, is said in a recipe: distiller run --help
"""

BRIDGES = ("fine_tune", "probe", "auxiliary_head", "subset")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("distill", epilog=EPILOG)(distill)


def distill(
    teacher: Annotated[str, typer.Argument(help="A .keras file, or the name of packaged weights.", show_default=False)],
    student: Annotated[str, typer.Argument(help="A network of the zoo: see distiller models.", show_default=False)],
    data: images.Data,
    out: Out = Path("runs/distilled"),
    data_dir: DataDir = None,
    classes: images.Classes = None,
    size: images.Size = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:LAYER]",
            help="What is compared, hinton by default; a layer is one that both networks have. May be repeated.",
            show_default=False,
        ),
    ] = None,
    bridge: Annotated[
        str,
        typer.Option(
            help=f"From the teacher's classes to others: {', '.join(BRIDGES)} (of packaged weights).", metavar="NAME"
        ),
    ] = "none",
    frozen: Annotated[
        bool, typer.Option("--frozen", help="The teacher answers sooner: see teachers.frozen; a little less precise.")
    ] = False,
    labels: Annotated[float, typer.Option(min=0, help="Weight of the hard labels.")] = defaults.LABELS,
    soft: Annotated[
        float,
        typer.Option(
            min=0,
            help="Weight of each objective; objectives of features usually need far larger ones, such as 100 or 1000.",
        ),
    ] = defaults.SOFT,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the training images; by default 30, or as many as make 600 steps.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images a step; by default 16 to 128, by the number of images.", show_default=False),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Highest rate; it falls to zero. By default 0.1 for batches of 128, in proportion to smaller ones.",
            show_default=False,
        ),
    ] = None,
    crop: Annotated[int, typer.Option(min=0, help="Random crops of the images padded by so many pixels.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Random mirror images.")] = False,
    seed: Annotated[int, typer.Option(help="Of the student's weights and of the batches.")] = 0,
    alone: Annotated[bool, typer.Option("--alone", help="Do not also train the same student on hard labels.")] = False,
    processes: Processes = 1,
    resume: Resume = False,
    force: Force = False,
) -> None:
    """Teach a student from a teacher; writes student, TFLite files and a report that compares it with hard labels."""
    check_folder(resume, force)
    from distiller import recipes
    from distiller.cli.run import execute
    from distiller.runs.folder import RunFolder
    from distiller.utils.backend import load_backend
    from distiller.utils.progress import Reporter

    def recipe(training: dict[str, Any]):
        batches = {"batch_size": training["batch_size"], "crop": crop, "flip": flip}
        return recipes.checked(
            {
                "kind": "run",
                "summary": f"{teacher} teaches {student} on {data}",
                "name": "distill",
                "data": {"name": data, "classes": classes.split(",") if classes else None, "image_size": image_size},
                "teacher": {_source(teacher): teacher, "frozen": frozen},
                "bridge": _bridge(bridge, batches),
                "student": {"name": student},
                "training": {**training, "crop": crop, "flip": flip},
                "arms": _arms(objective or ["hinton"], labels, soft, alone),
                "export": {"teacher": True},
                "seeds": [seed],
            },
            "distill",
            kind="run",
        )

    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    image_size = images.size_for(teacher, size, data)
    first = recipe(defaults.training(1, **given))
    RunFolder.check(out, resume=resume, force=force)
    load_backend()
    _check_objectives(objective or [])
    dataset = images.after_names(first, data_dir)
    training = defaults.training(len(dataset.train), **given)
    asked = recipe(training)
    if None in given.values():
        steps = max(1, len(dataset.train) // training["batch_size"])
        Reporter().say(
            f"{len(dataset.train):,} training images: {training['epochs']} epochs of {steps} steps of "
            f"{training['batch_size']} images, at a rate of {training['learning_rate']:.3g} "
            "(--epochs, --batch-size, --learning-rate)"
        )
    advice = "Choose a --bridge, or --classes"
    execute(asked, out, data_dir, resume=resume, force=force, processes=processes, bridge=advice, dataset=dataset)


def _source(teacher: str) -> str:
    """The key under which a recipe names a teacher."""
    return "file" if Path(teacher).suffix or Path(teacher).exists() else "load"


def _check_objectives(names: list[str]) -> None:
    """Raise InputError where an objective does not exist, or lacks the layer that it compares."""
    from distiller.errors import InputError
    from distiller.objectives.table import named

    parts = [asked.partition(":") for asked in names]
    methods = [(named(name), layer) for name, _, layer in parts]  # an acronym and a name may be of one method
    for asked, method, (name, _, layer) in zip(names, methods, parts, strict=True):
        if methods.count(method) > 1:
            raise InputError(f"Expected every objective once. Received: {asked!r}, {methods.count(method)} times")
        compares = method[0].compares
        if compares != "logits" and not layer:
            raise InputError(
                f"The objective {name!r} compares {compares}. "
                f"Name a layer that both networks have: --objective {name}:LAYER"
            )


def _bridge(name: str, batches: dict[str, Any]) -> dict[str, Any] | None:
    """The section of a bridge with the training that it needs."""
    from distiller.errors import InputError
    from distiller.utils.suggestions import unknown

    if name not in ("none", *BRIDGES):
        raise InputError(unknown("bridge", name, BRIDGES) + " Others are said in a recipe: distiller run --help")
    if name == "fine_tune":
        return {"name": name, "training": {"epochs": 5, "learning_rate": 0.03, **batches}}
    return None if name == "none" else {"name": name}


def _arms(objectives: list[str], labels: float, soft: float, alone: bool) -> dict[str, Any]:
    sections: dict[str, dict[str, Any]] = {}
    for asked in objectives:
        name, _, layer = asked.partition(":")
        layers = {"teacher_layer": layer, "student_layer": layer} if layer else {}
        key = asked.replace(":", "_").replace("/", "_")
        others = sum(taken.partition("-")[0] == key for taken in sections)
        sections[f"{key}-{others + 1}" if others else key] = {"name": name, **layers}
    arm = {"objectives": sections, "weights": {"labels": labels, **dict.fromkeys(sections, soft)}}
    return {"distilled": arm} if alone else {"hard_labels": {}, "distilled": arm}
