"""`distiller compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distiller.cli import images
from distiller.cli.console import show
from distiller.cli.options import DataDir, Json, TfliteFile, check_with
from distiller.utils.terminal import one_line, print

if TYPE_CHECKING:
    from tflite import Comparison

EPILOG = """[bold]Examples[/bold]

distiller compare student.keras student.tflite --data cifar10 --data-dir ~/tensorflow_datasets

distiller compare student.keras student.tflite --data cifar10 --layers --json

distiller compare student.keras student.tflite --data cifar100 --groups cifar100_coarse
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare", epilog=EPILOG)(compare)


def compare(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="A .keras file.", show_default=False)],
    file: TfliteFile,
    data: images.Data,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    held_out: images.HeldOut = images.HELD_OUT,
    size: images.Size = None,
    count: Annotated[int, typer.Option(min=1, help="How many validation images to compare on.")] = 1000,
    layers: Annotated[
        bool, typer.Option("--layers", help="Compare every layer too, and name the first where the two part.")
    ] = False,
    drop: Annotated[
        float, typer.Option(help="Decibels of signal to noise that the first bad layer loses, at least.")
    ] = 10.0,
    json: Json = False,
) -> None:
    """Measure how far a TFLite file is from its Keras model, on validation images."""
    import tflite
    from distiller.utils.backend import load_backend

    check_with(context, "--layers", layers, "drop")
    tflite.check(file, use="run")
    load_backend()

    dataset = images.load(data, data_dir, model, classes=classes, groups=groups, held_out=held_out, size=size)
    images.check_file(dataset, file)
    part = dataset.validation.some(count)
    found = tflite.compare(model, file, part.images, labels=part.labels, layers=layers, drop=drop)
    if json:
        print(found.to_json())
        return
    print(f"Same class on {found.agreement:.2%} of {found.samples} images")
    print(f"Accuracy: file {found.accuracy:.2%}, Keras model {found.keras_accuracy:.2%}")
    print(f"Difference of the outputs: mean {found.mean_error:.4g}, largest {found.max_error:.4g}")
    if found.mean_lsb is not None:
        print(f"In quantization steps: mean {found.mean_lsb:.2f}, largest {found.max_lsb}")
    if layers:
        _print_layers(found)


def _print_layers(found: "Comparison") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("layer", "operator", "mean steps", "largest", "mean error", "signal to noise"):
        table.add_column(column, justify="left" if column in ("layer", "operator") else "right", overflow="fold")
    bad = False
    for row in found.layers:
        first = not bad and row.layer == found.first
        bad = bad or first
        table.add_row(
            one_line(row.layer),
            row.operator,
            "" if row.mean_lsb is None else f"{row.mean_lsb:.2f}",
            "" if row.max_lsb is None else str(row.max_lsb),
            f"{row.mean_error:.3g}",
            "equal" if row.sqnr_db is None else f"{row.sqnr_db:.1f} dB",
            style="bold red" if first else None,
        )
    show(table)
    if found.doubt:
        print(f"{found.doubt[0].upper()}{found.doubt[1:]}")
        return
    print(f"The first layer where they part: {one_line(found.first)}" if found.first else "No layer where they part")
