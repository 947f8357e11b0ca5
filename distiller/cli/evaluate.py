"""`distiller evaluate`."""

from typing import Annotated, Literal

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Json, TfliteFile, Threads

EPILOG = """[bold]Examples[/bold]

distiller evaluate student.tflite --data cifar10 --data-dir ~/tensorflow_datasets

distiller evaluate runs/demo/distilled-0-int8.tflite --data digits --classes 3,5,6,8,9
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate", epilog=EPILOG)(evaluate)


def evaluate(
    file: TfliteFile,
    data: images.Data,
    data_dir: DataDir = None,
    split: Annotated[Literal["train", "validation", "test"], typer.Option(help="Which images.")] = "test",
    classes: images.Classes = None,
    size: images.Size = 32,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Accuracy of a TFLite file through the interpreter."""
    import tflite
    from distiller.cli.backend import load_backend

    tflite.check(file, use="run")
    load_backend()
    from distiller.progress import Reporter

    part = getattr(images.load(data, data_dir, classes, size), split)
    with Reporter().task("evaluate", len(part)) as task:
        found = tflite.evaluate(
            file, (part.images, part.labels), threads=threads, progress=lambda done, _: task.advance_to(done)
        )
    if json:
        print(found.to_json())
    else:
        print(f"Accuracy {found.accuracy:.2%} on {found.samples:,} {split} images")
