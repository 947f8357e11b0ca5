"""`distiller answers`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from distiller.cli import images
from distiller.cli.console import plain
from distiller.cli.options import DataDir, Json, Processes, Ray
from distiller.utils.terminal import print

EPILOG = """[bold]Examples[/bold]

distiller answers wide_cifar100 --data cifar100 --data-dir ~/tfds --crop 4 --flip --passes 30 --out answers

distiller answers teacher.keras --data photos/ --size 96 --top-k 20 --out answers --processes 2 --ray local

distiller answers teacher.keras --data /shared/photos --size 224 --out /shared/answers --ray 10.0.0.1:6379
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("answers", epilog=EPILOG)(answers)


def answers(
    teacher: Annotated[
        str,
        typer.Argument(
            help="A .keras, .h5, .onnx or .tflite file, file.py:function, or the name of packaged weights.",
            show_default=False,
        ),
    ],
    data: images.Data,
    out: Annotated[Path, typer.Option(help="Folder of the answers; work that is there is gone on with.")],
    data_dir: DataDir = None,
    passes: Annotated[int, typer.Option(min=1, help="Over the images; each has other random views.")] = 1,
    crop: Annotated[int, typer.Option(min=0, help="Random crops of the images padded by so many pixels.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Random mirror images.")] = False,
    augment: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER:KEY=VALUE,…", help="A random layer of Keras after crop and flip; may be repeated."),
    ] = None,
    views: Annotated[int, typer.Option(min=0, help="Seed of the random views.")] = 0,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Of the teacher, stored beside its logits; may be repeated.", show_default=False),
    ] = None,
    dtype: Annotated[
        Literal["float16", "float32"], typer.Option(help="Of what is stored; float16 rounds to 11 bits.")
    ] = "float16",
    top_k: Annotated[
        int | None, typer.Option(min=1, help="Logits that are kept of each answer; all by default.", show_default=False)
    ] = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    size: images.Size = None,
    held_out: images.HeldOut = images.HELD_OUT,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="The teacher answers sooner: see teachers.frozen; a little less precise.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images that the teacher sees at once.")] = 256,
    shard: Annotated[int, typer.Option(min=1, help="Answers of a file.")] = 16384,
    ray: Ray = None,
    processes: Processes = 1,
    json: Json = False,
) -> None:
    """A teacher's answers to the views of all training images, stored once for any number of students."""
    from distiller.errors import InputError
    from distiller.runs.folder import check_output
    from distiller.utils.backend import load_backend

    if ray is None and processes > 1:
        raise InputError(
            f"Expected --ray with --processes. Received: --processes {processes}. On one machine: --ray local; or call "
            "the same command several times, the calls share the work"
        )
    check_output(out)
    load_backend()
    from distiller.cli.distill import random_layer
    from distiller.networks.feature_extraction import in_words
    from distiller.recipes.schema import Teacher
    from distiller.runs.teacher_answers import TeacherAnswers, store_answers

    asked = TeacherAnswers(
        teacher=Teacher.model_validate({_source(teacher): teacher, "frozen": frozen}),
        data=images.section(data, teacher, classes=classes, groups=groups, held_out=held_out, size=size),
        data_dir=data_dir,
        folder=out,
        crop=crop,
        flip=flip,
        random_layers=tuple(map(random_layer, augment or [])),
        layers=tuple(layer or []),
        dtype=dtype,
        top_k=top_k,
        seed=views,
        passes=passes,
        batch_size=batch_size,
        shard=shard,
    )
    stored = store_answers(asked, ray=ray, processes=processes)
    if json:
        import json as text

        print(text.dumps(stored, indent=1))
    else:
        answered = ", ".join(f"{in_words(name)} {tuple(shape)}" for name, shape in stored["answers"].items())
        plain().print(f"{out}: {stored['passes']} passes, {stored['bytes']:,} bytes, {answered}", highlight=False)


def _source(teacher: str) -> str:
    """The key under which a recipe names a teacher."""
    if ".py:" in teacher:
        return "function"
    return "file" if Path(teacher).suffix or Path(teacher).exists() else "load"
