"""`distiller bundle`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from distiller.cli import images
from distiller.cli.options import DataDir, Json, TfliteFile, check_with
from distiller.utils.terminal import one_line, print

EPILOG = """[bold]Examples[/bold]

distiller bundle student.tflite --out app/

distiller bundle student.tflite --out app/ --data photos/ --package org.mine.birds --platform android

distiller bundle student.tflite --out app/ --labels names.txt --platform microcontroller --force
"""


class Platform(StrEnum):
    """Platforms of an application."""

    android = "android"
    ios = "ios"
    microcontroller = "microcontroller"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("bundle", epilog=EPILOG)(bundle)


def bundle(
    context: typer.Context,
    file: TfliteFile,
    out: Annotated[Path, typer.Option(help="Folder to write; new or empty.", show_default=False)],
    platform: Annotated[
        list[Platform] | None, typer.Option(help="For which platform; may be repeated. All by default.")
    ] = None,
    package: Annotated[str, typer.Option(help="Of the Kotlin code.")] = "com.example.classifier",
    name: Annotated[
        str | None,
        typer.Option(help="Of the classifier: files and classes are named after it; by default the file's."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="A text file with one class name a line, where the file holds none.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Images for the application's own test, as in `distiller evaluate`: the first three test images. "
            "Made-up ones by default.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    classes: images.Classes = None,
    groups: images.Groups = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier bundle in the output folder.")] = False,
    json: Json = False,
) -> None:
    """Write what an app developer drops in: the file, labels, a class for this very file, and a test of its outputs."""
    import tflite
    from distiller.errors import InputError

    check_with(context, "--data", data is not None, "data_dir", "classes", "groups")
    tflite.check(file, use="inspect")
    names: tuple[str, ...] = ()
    if labels is not None:
        try:
            names = tuple(line for line in labels.read_text(encoding="utf-8").splitlines() if line.strip())
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Expected --labels to be a text file. Received: {str(labels)!r}: {error}") from error
    pictures = None
    if data is not None:
        dataset = images.load(data, data_dir, file, classes=classes, groups=groups)
        images.check_file(dataset, file)
        pictures = dataset.test.images[:3]
    made = tflite.bundle(
        file,
        out,
        images=pictures,
        labels=names,
        name=name,
        package=package,
        platforms=[chosen.value for chosen in platform or Platform],
        overwrite=force,
    )
    if json:
        print(made.to_json())
        return
    print(f"{one_line(str(made.path))}: {len(made.files)} files, of the class {made.class_name}. Begin with README.md")
    for place in made.files:
        print(f"  {place}")
