"""The images that a command works on, from its options."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str, typer.Option(help="Images: cifar10, cifar100, digits, a folder of class folders, or a file of arrays (.npz).")
]
Classes = Annotated[
    str | None, typer.Option(help="Only these classes, in the order of the model's outputs: 3,5,6.", show_default=False)
]
Size = Annotated[int, typer.Option(min=8, help="Height and width that a folder's images are resized to.")]


def check_classes(dataset, classes: int, model: Path | str) -> None:
    """Raise InputError unless a model has as many classes as the images."""
    from distiller.errors import InputError

    if classes != len(dataset.classes):
        raise InputError(
            f"Expected a model of {len(dataset.classes)} classes, as in {dataset.name!r}. "
            f"Received: {str(model)!r} with {classes}. Choose the classes of the images with --classes"
        )


def check_file(dataset, file: Path) -> None:
    """The same of a TFLite classifier; what else a file may be is told where it is run."""
    import tflite

    shape = tflite.inspect(file).outputs[0].shape
    if len(shape) == 2:
        check_classes(dataset, shape[-1], file)


def load(data: str, data_dir: Path | None, classes: str | None, size: int):
    """The data set that the options name."""
    from distiller import data as sources

    dataset = sources.load(data, data_dir=data_dir, image_size=(size, size))
    return dataset.only(classes.split(",")) if classes else dataset
