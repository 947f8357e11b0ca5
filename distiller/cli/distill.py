"""`distiller distill`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Force, Out, Processes, Resume, check_folder
from distiller.runs import defaults

if TYPE_CHECKING:
    from distiller.recipes.schema import RunRecipe

EPILOG = """[bold]Examples[/bold]

distiller distill teacher.keras photos/ --student keras:MobileNetV3Small --size 96 --flip

distiller distill teacher.keras photos/ --student efficientnet_lite0 --option weights=imagenet --optimizer adamw

distiller distill teacher.keras photos/ --student resnet8 --quantization-aware --scheme int8 --seed 0 --seed 1 --seed 2

distiller distill wide_cifar100 mobilenet_v2 --data cifar10 --bridge fine_tune --out runs/phone

distiller distill teacher.keras resnet20 --data cifar100 --objective decoupled --objective hint:block3_out:stage3

distiller distill teacher.keras photos/ --task multi_label --label-file labels.csv --student resnet8

distiller distill teacher.keras scenes/ --task segmentation --student unet --size 64 --out runs/masks

Everything else, such as few labels, several bridges and schedules, is said in a recipe: distiller run --help
"""

# Objectives where nothing is said, of tasks whose outputs are no logits.
_USUAL = {"regression": "mean_squared_logits"}

BRIDGES = ("fine_tune", "probe", "auxiliary_head", "subset")


class Scheme(StrEnum):
    """Schemes of TFLite files."""

    float32 = "float32"
    float16 = "float16"
    dynamic = "dynamic"
    int8 = "int8"
    int16x8 = "int16x8"
    int4 = "int4"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("distill", epilog=EPILOG)(distill)


def distill(
    teacher: Annotated[
        str,
        typer.Argument(
            help="A .keras, .h5, .onnx or .tflite file, or the name of packaged weights.", show_default=False
        ),
    ],
    images_or_student: Annotated[
        str, typer.Argument(metavar="DATA", help="Images, as --data; or the student, where --data has the images.")
    ],
    student: Annotated[
        str | None,
        typer.Option(
            help="A network by name: of the zoo (distiller models), keras:NAME of keras.applications, hub:PRESET of "
            "keras-hub, a .keras file, or file.py:function.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Images, where DATA is not given.", show_default=False)] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Of the student: width=0.25 of the zoo's, weights=imagenet of pretrained ones. May be repeated.",
            show_default=False,
        ),
    ] = None,
    out: Out = Path("runs/distilled"),
    data_dir: DataDir = None,
    classes: images.Classes = None,
    size: images.Size = None,
    task: images.Task = "classification",
    label_file: images.LabelFile = None,
    derive: images.Derive = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:LAYER[:LAYER]]",
            help="What is compared, hinton by default; layers of the teacher and the student, one name where both have "
            "it. May be repeated.",
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
    optimizer: Annotated[
        Literal["sgd", "adamw"], typer.Option(help="adamw suits pretrained students.", case_sensitive=False)
    ] = "sgd",
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=1e-9,
            help="Highest rate; it falls to zero. By default 0.1 for batches of 128 (adamw: 0.001), in proportion to "
            "smaller ones.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        Literal["float32", "mixed_bfloat16", "mixed_float16"], typer.Option(help="Of the student's training.")
    ] = "float32",
    crop: Annotated[int, typer.Option(min=0, help="Random crops of the images padded by so many pixels.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Random mirror images.")] = False,
    augment: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LAYER:KEY=VALUE,…",
            help="A random layer of Keras after crop and flip, such as RandAugment or RandomRotation:factor=0.05; "
            "may be repeated.",
        ),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder into which a folder's images are decoded once and read from. By default they are in memory, "
            "and where they do not fit in ~/.cache/distillite/images.",
            show_default=False,
        ),
    ] = None,
    scheme: Annotated[
        list[Scheme] | None,
        typer.Option(help="Of the TFLite files; may be repeated. float32, float16, dynamic and int8 by default."),
    ] = None,
    quantization_aware: Annotated[
        bool,
        typer.Option(
            "--quantization-aware",
            help="Also train the distilled student on with the rounding of its int8 file, for a sixth of the epochs.",
        ),
    ] = False,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            help="Of the student's weights and of the batches; may be repeated, for deviations. 0 by default."
        ),
    ] = None,
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

    student, data = _student_and_data(images_or_student, student, data)
    options = _options(option or [])
    layers = [random_layer(text) for text in augment or []]

    def recipe(training: dict[str, Any]) -> "RunRecipe":
        views = {"crop": crop, "flip": flip, "augmentation": layers}
        batches = {"batch_size": training["batch_size"], **views}
        return recipes.checked(
            {
                "kind": "run",
                "summary": f"{teacher} teaches {student} on {data}",
                "name": "distill",
                "task": task,
                "data": {
                    "labels": label_file,
                    "derive": derive,
                    "name": data,
                    "classes": classes.split(",") if classes else None,
                    "image_size": image_size,
                    "cache_dir": None if cache_dir is None else str(cache_dir),
                },
                "teacher": {_source(teacher): teacher, "frozen": frozen},
                "bridge": _bridge(bridge, batches),
                "student": {"name": student, "options": options},
                "training": {**training, **plan, **views},
                "arms": _arms(objective or [_USUAL.get(task, "hinton")], labels, soft, alone)
                | (_aware(training, schemes) if quantization_aware else {}),
                "export": {"teacher": task == "classification", **({"schemes": schemes} if schemes else {})},
                "seeds": seed or [0],
            },
            "distill",
            kind="run",
        )

    schemes = [str(one) for one in scheme or []]
    plan: dict[str, Any] = {"precision": precision}
    if optimizer != "sgd":
        plan |= {"optimizer": optimizer, "weight_decay": defaults.DECAY_OF_ADAMW}
    given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}
    image_size = images.size_for(teacher, size, data)
    first = recipe(defaults.training(1, optimizer=optimizer, **given))
    RunFolder.check(out, resume=resume, force=force)
    load_backend()
    _check_objectives(objective or [])
    dataset = images.after_names(first, data_dir)
    training = defaults.training(len(dataset.train), optimizer=optimizer, **given)
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


def _student_and_data(argument: str, student: str | None, data: str | None) -> tuple[str, str]:
    """Student and images: the one that is no option is the argument."""
    from distiller.errors import InputError

    if student is not None and data is not None:
        raise InputError(f"Expected DATA or --data. Received both: {argument!r} and {data!r}")
    if student is None and data is None:
        raise InputError(
            f"Expected a student beside the images {argument!r}: --student resnet8, or another of distiller models"
        )
    return (argument, data) if data is not None else (student or "", argument)


def _options(pairs: list[str]) -> dict[str, Any]:
    """Options of a network from KEY=VALUE, with values as YAML has them."""
    from distiller.errors import InputError
    from distiller.utils import yaml_text

    found: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not (key and sign and value):
            raise InputError(f"Expected --option KEY=VALUE, such as width=0.25. Received: {pair!r}")
        found[key] = yaml_text.load(value)
    return found


def random_layer(text: str) -> dict[str, Any]:
    """A layer of an augmentation from LAYER:KEY=VALUE,…, with values as YAML has them.

    >>> random_layer("RandomTranslation:height_factor=0.1,width_factor=[0, 0.2]")
    {'name': 'RandomTranslation', 'height_factor': 0.1, 'width_factor': [0, 0.2]}
    """
    from distiller.errors import InputError
    from distiller.utils import yaml_text

    name, _, arguments = text.partition(":")
    found = yaml_text.load("{" + arguments.replace("=", ": ") + "}") if arguments else {}
    if not name or not isinstance(found, dict) or None in found.values():
        raise InputError(
            f"Expected --augment LAYER:KEY=VALUE,…, such as RandomRotation:factor=0.05. Received: {text!r}"
        )
    return {"name": name, **found}


def _aware(training: dict[str, Any], schemes: list[str]) -> dict[str, Any]:
    """The arm that trains the distilled student on, quantization-aware, at a tenth of the rate."""
    from distiller.errors import InputError

    if schemes and "int8" not in schemes:
        raise InputError(f"Expected --scheme int8 with --quantization-aware. Received: {', '.join(schemes)}")
    return {
        "quantization_aware": {
            "start": "distilled",
            "quantize": {"scheme": "int8"},
            "training": {
                "epochs": max(1, training["epochs"] // 6),
                "learning_rate": training["learning_rate"] / 10,
            },
        }
    }


def _source(teacher: str) -> str:
    """The key under which a recipe names a teacher."""
    return "file" if Path(teacher).suffix or Path(teacher).exists() else "load"


def _check_objectives(names: list[str]) -> None:
    """Raise InputError where an objective does not exist, or lacks the layer that it compares."""
    from distiller.errors import InputError
    from distiller.objectives.table import named

    for asked in names:
        if asked.count(":") > 2:
            raise InputError(f"Expected --objective NAME:LAYER:LAYER at most. Received: {asked!r}")
    parts = [asked.partition(":") for asked in names]
    methods = [(named(name), layer) for name, _, layer in parts]  # an acronym and a name may be of one method
    for asked, method, (name, _, layer) in zip(names, methods, parts, strict=True):
        if methods.count(method) > 1:
            raise InputError(f"Expected every objective once. Received: {asked!r}, {methods.count(method)} times")
        compares = method[0].compares
        if compares != "logits" and not all(layer.split(":")):
            raise InputError(
                f"The objective {name!r} compares {compares}. "
                f"Name a layer that both networks have: --objective {name}:LAYER, or one of each: "
                f"{name}:TEACHER_LAYER:STUDENT_LAYER"
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
        of_teacher, _, of_student = layer.partition(":")
        layers = {"teacher_layer": of_teacher, "student_layer": of_student or of_teacher} if layer else {}
        key = asked.replace(":", "_").replace("/", "_")
        others = sum(taken.partition("-")[0] == key for taken in sections)
        sections[f"{key}-{others + 1}" if others else key] = {"name": name, **layers}
    arm = {"objectives": sections, "weights": {"labels": labels, **dict.fromkeys(sections, soft)}}
    return {"distilled": arm} if alone else {"hard_labels": {}, "distilled": arm}
