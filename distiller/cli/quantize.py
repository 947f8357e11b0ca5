"""`distiller quantize`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, check_with
from distiller.utils.terminal import print

EPILOG = """[bold]Examples[/bold]

distiller quantize student.keras student.tflite --data cifar10 --flip --crop 4

distiller quantize student.keras student.tflite --data cifar10 --teacher teacher.keras --epochs 4

distiller quantize student.keras student.tflite --data cifar100 --groups cifar100_coarse --held-out 0.05

Without training, from images alone: distiller convert student.keras student.tflite --scheme int8 --data cifar10
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("quantize", epilog=EPILOG)(quantize)


def quantize(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="A trained .keras file.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="The .tflite file to write.", show_default=False)],
    data: images.Data,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    held_out: images.HeldOut = images.HELD_OUT,
    size: images.Size = None,
    scheme: Annotated[
        Literal["int8", "int16x8", "int4"], typer.Option(help="Of the file.", case_sensitive=False)
    ] = "int8",
    engine: Annotated[
        Literal["native", "tfmot"], typer.Option(help="tfmot needs tensorflow-model-optimization.")
    ] = "native",
    exclude: Annotated[
        list[str] | None, typer.Option(help="Layers that stay in floating point: a name or pattern. May be repeated.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="A .keras file with the same classes, to learn from.", show_default=False)
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.01, help="Of the teacher's soft targets; 4 by default.", show_default=False)
    ] = None,
    soft: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Weight of the teacher; the labels have the rest. 0.9 by default.", show_default=False
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 2,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(min=1e-9, help="Highest rate; it falls to zero.")] = 0.01,
    crop: Annotated[int, typer.Option(min=0, help="Random crops of the images padded by so many pixels.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Random mirror images.")] = False,
    aware: Annotated[
        Path | None, typer.Option(help="Also keep the quantization-aware model, a .keras file.", show_default=False)
    ] = None,
) -> None:
    """Train a model quantization-aware and write its integer TFLite file."""
    from pydantic import ValidationError

    from distiller.errors import InputError
    from distiller.utils.backend import load_backend

    check_with(context, "--teacher", teacher is not None, "temperature", "soft")
    load_backend()
    from distiller.recipes.arms import Quantize
    from distiller.recipes.training import Training
    from distiller.runs import quantization
    from distiller.utils.progress import Reporter

    asked = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "crop": crop, "flip": flip}
    try:
        plan = Training.model_validate({**asked, "weight_decay": 0.0})
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0]).replace("_", "-")
        raise InputError(f"--{name}: {wrong['msg']}. Received: {wrong['input']}") from None
    found = quantization.quantize(
        model,
        out,
        images.load(data, data_dir, model, classes=classes, groups=groups, held_out=held_out, size=size),
        plan,
        Quantize(engine=engine, scheme=scheme, exclude=exclude or []),
        teacher=teacher,
        temperature=4.0 if temperature is None else temperature,
        soft=0.9 if soft is None else soft,
        keep=aware,
        reporter=Reporter(),
    )
    print(f"{out}: {found['bytes']:,} bytes")
    print(f"  accuracy on {found['images']:,} validation images")
    print(f"  the model before   {found['before']:.2%}")
    print(f"  the file           {found['after']:.2%}")
    print(f"  agreement of the file with the quantization-aware model: {found['agreement']:.4f}")
