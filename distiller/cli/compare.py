"""`distiller compare`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Json, TfliteFile

EPILOG = """[bold]Example[/bold]

distiller compare student.keras student.tflite --data cifar10 --data-dir ~/tensorflow_datasets
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare", epilog=EPILOG)(compare)


def compare(
    model: Annotated[Path, typer.Argument(help="A .keras file.", show_default=False)],
    file: TfliteFile,
    data: images.Data,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    size: images.Size = 32,
    count: Annotated[int, typer.Option(min=1, help="How many validation images to compare on.")] = 1000,
    json: Json = False,
) -> None:
    """How far a TFLite file is from its Keras model, on validation images."""
    import tflite
    from distiller.cli.backend import load_backend

    tflite.check(file, use="run")
    load_backend()

    found = tflite.compare(model, file, images.load(data, data_dir, classes, size).validation.images[:count])
    if json:
        print(found.to_json())
        return
    print(f"Same class on {found.agreement:.2%} of {found.samples} images")
    print(f"Difference of the outputs: mean {found.mean_error:.4g}, largest {found.max_error:.4g}")
    if found.mean_lsb is not None:
        print(f"In quantization steps: mean {found.mean_lsb:.2f}, largest {found.max_lsb}")
