"""`distiller compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distiller.cli import arrays, images
from distiller.cli.console import show
from distiller.cli.options import DataDir, Json, TfliteFile, check_with
from distiller.utils.terminal import one_line, print

if TYPE_CHECKING:
    from tflite import Comparison

EPILOG = """[bold]Examples[/bold]

distiller compare student.keras student.tflite --data cifar10 --data-dir ~/tensorflow_datasets

distiller compare student.keras student.tflite --data cifar10 --layers --json

distiller compare student.keras student.tflite --data cifar100 --groups cifar100_coarse

distiller compare marks.keras marks.tflite --data marks.npz --task multi_label --threshold 0.5
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
    task: arrays.Task = None,
    threshold: arrays.Threshold = None,
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

    if arrays.wanted(task, threshold, data):
        split = "validation" if arrays.has(Path(data), "validation") else "test"
        inputs, labels = arrays.load(Path(data), split, count, task=task, model=file)
        of_one = task if not isinstance(labels, dict) else None
        found = tflite.compare(
            model, file, inputs, labels=labels, task=of_one, threshold=threshold, layers=layers, drop=drop
        )
        _print_task(found, json)
        if layers and not json:
            _print_layers(found)
        return
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


def _print_task(found: "Comparison", json: bool) -> None:
    """Print the agreement of each output by its task."""
    if json:
        print(found.to_json())
        return
    for one in found.outputs or (found,):
        name = getattr(one, "name", None)
        if name:
            print(f"{one_line(name)}, {one.task}")
        if one.agreement is not None:
            limit = "" if one.threshold is None else f", a yes above {one.threshold:g}"
            print(f"Same decisions: {one.agreement:.2%} on {found.samples:,} samples{limit}")
        if one.metrics and one.keras_metrics:
            for metric, value in one.metrics.items():
                print(f"{metric}: file {value:.4g}, Keras model {one.keras_metrics[metric]:.4g}")
        print(f"Difference of the outputs: mean {one.mean_error:.4g}, largest {one.max_error:.4g}")
        if one.relative_mean_error is not None:
            print(f"Of their spread: mean {one.relative_mean_error:.2%}, largest {one.relative_max_error:.2%}")
        if one.mean_lsb is not None:
            print(f"In quantization steps: mean {one.mean_lsb:.2f}, largest {one.max_lsb}")


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
