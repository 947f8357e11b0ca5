"""`distiller convert`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Json, check_with
from distiller.utils.terminal import print

EPILOG = """[bold]Examples[/bold]

distiller convert student.keras student.tflite --scheme int8 --data cifar10 --data-dir ~/tensorflow_datasets

distiller convert student.keras student.tflite --scheme int8 --data cifar10 --calibration mse --labels data

distiller convert student.keras student.tflite --scheme int8 --data cifar100 --groups cifar100_coarse

distiller convert student.keras student.tflite --scheme float16 --labels names.txt

distiller convert aware.keras student.tflite --scheme int8
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("convert", epilog=EPILOG)(convert)


def convert(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="The .tflite file to write.", show_default=False)],
    scheme: Annotated[
        Literal["float32", "float16", "dynamic", "int8", "int16x8", "int4"],
        typer.Option(help="Of the file.", case_sensitive=False),
    ] = "float32",
    data: Annotated[
        str | None,
        typer.Option(help="Images that the integer schemes are calibrated on, as in `distiller evaluate`."),
    ] = None,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    held_out: images.HeldOut = images.HELD_OUT,
    size: images.Size = None,
    count: Annotated[int, typer.Option(min=1, help="How many training images to calibrate on.")] = 500,
    calibration: Annotated[
        Literal["minmax", "percentile", "mse"],
        typer.Option(help="How ranges follow from the images: all numbers, without the rare ones, or least error."),
    ] = "minmax",
    percentile: Annotated[
        float | None,
        typer.Option(help="Of the numbers that --calibration percentile keeps; 99.99 by default.", show_default=False),
    ] = None,
    input_type: Annotated[
        str | None, typer.Option(help="uint8, int8, int16 or float32, where the scheme has it.", show_default=False)
    ] = None,
    output_type: Annotated[
        str | None, typer.Option(help="int8, uint8, int16 or float32, where the scheme has it.", show_default=False)
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Class names to put into the file: a text file with one a line, or `data` for those of --data.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write a Keras model as a TFLite file; integer schemes need images for their ranges, or an aware model."""
    from distiller.errors import InputError
    from distiller.utils.backend import load_backend

    check_with(context, "--data", data is not None, "data_dir", "classes", "groups", "held_out", "size", "count")
    if labels == "data" and data is None:
        raise InputError("Expected --data with --labels data. Received: no --data")
    if labels is not None and labels != "data" and not Path(labels).is_file():
        raise InputError(
            f"Expected --labels to be `data`, or a file with one a line. Received: {labels!r}, which does not exist"
        )
    load_backend()
    import tflite
    from tflite.conversion.schemes import INTEGER
    from tflite.quantization import is_aware
    from tflite.quantization.saved import keras_model

    if out.resolve() == model.resolve():
        raise InputError(f"Expected another file to write than the model. Received: {str(out)!r} for both")
    network = keras_model(model)
    measured = scheme in INTEGER and not is_aware(network)
    if measured and data is None:
        raise InputError(
            f"Expected images for --scheme {scheme}, whose ranges are measured on them: name them with --data. "
            "Received: no --data"
        )
    dataset = None
    if data:
        dataset = images.load(data, data_dir, model, classes=classes, groups=groups, held_out=held_out, size=size)
    made = tflite.convert(
        network,
        out,
        scheme=scheme,
        representative=dataset.train.some(count).images if dataset is not None and measured else None,
        calibration=calibration,
        percentile=percentile,
        input_type=input_type,
        output_type=output_type,
        labels=list(dataset.classes) if dataset is not None and labels == "data" else labels,
    )
    if json:
        print(made.to_json())
        return
    print(f"{made.path}: {made.bytes:,} bytes, {len(made.ops)} operators")
    for role, port in (("input", made.input), ("output", made.output)):
        quantized = f", scale {port.scale:.6g}, zero point {port.zero_point}" if port.quantized else ""
        print(f"  {role} {port.name}: {port.dtype} {list(port.shape)}{quantized}")
