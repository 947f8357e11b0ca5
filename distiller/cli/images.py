"""The images that a command works on, from its options."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from distiller.networks import image_size

if TYPE_CHECKING:
    from distiller.data import Dataset
    from distiller.recipes.schema import Data as Section
    from distiller.recipes.schema import RunRecipe

Data = Annotated[
    str, typer.Option(help="Images: cifar10, cifar100, digits, a folder of class folders, or a file of arrays (.npz).")
]
Classes = Annotated[
    str | None, typer.Option(help="Only these classes, in the order of the model's outputs: 3,5,6.", show_default=False)
]
Size = Annotated[
    int | None,
    typer.Option(
        min=8,
        help="Height and width that a folder's images are resized to; by default those that the model takes, else 32.",
        show_default=False,
    ),
]
Task = Annotated[
    Literal["classification", "multi_label", "regression", "segmentation"],
    typer.Option(help="One class an image, several labels, numbers, or a class for each pixel.", case_sensitive=False),
]
LabelFile = Annotated[
    str | None,
    typer.Option(
        metavar="CSV",
        help="Of several labels or numbers: a column image, and one each; labels.csv in the folder by default.",
        show_default=False,
    ),
]
Derive = Annotated[
    Literal["superclass", "properties", "rotation", "strokes"] | None,
    typer.Option(
        help="Labels of another task made from those of classes, for a trial: superclass (cifar100), properties, "
        "rotation, strokes (digits).",
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        help="Groups of the classes, as a recipe's data.groups: cifar100_coarse for CIFAR-100's superclasses.",
        show_default=False,
    ),
]
HeldOut = Annotated[
    float,
    typer.Option(
        min=0.001,
        max=0.999,
        help="Share of the training images that is the validation split, as a recipe's data.validation when the model "
        "was trained.",
    ),
]
# The share where nothing else is said.
HELD_OUT = 0.1
# What networks take that do not say it.
_USUAL = (32, 32)


def check_classes(dataset: "Dataset", classes: int, model: Path | str) -> None:
    """Raise InputError unless a model has as many classes as the images."""
    from distiller.errors import InputError

    if classes != len(dataset.classes):
        raise InputError(
            f"Expected a model of {len(dataset.classes)} classes, as in {dataset.name!r}. "
            f"Received: {str(model)!r} with {classes}. "
            "Choose the classes of the images with --classes, or their groups with --groups"
        )


def check_file(dataset: "Dataset", file: Path) -> None:
    """The same of a TFLite classifier, and of the names in it; what else a file may be is told where it is run."""
    import tflite
    from distiller.data.class_names import differ, first_difference
    from distiller.errors import InputError

    shape = tflite.inspect(file).outputs[0].shape
    if len(shape) == 2:
        check_classes(dataset, shape[-1], file)
    try:
        labels = tflite.labels(file)
    except tflite.ModelError:  # it has none
        return
    if len(labels) != len(dataset.classes) or not differ(labels, dataset.classes):
        return
    if set(labels) == set(dataset.classes):
        raise InputError(
            f"Expected the classes of the file in the order of its outputs: --classes {','.join(labels)}. "
            f"Received: {', '.join(dataset.classes)}"
        )
    raise InputError(
        f"Expected images of the file's classes, {', '.join(labels)}. Received: {', '.join(dataset.classes)}; "
        f"{first_difference(labels, dataset.classes)}. Choose the classes of the images with --classes"
    )


def load(
    data: str,
    data_dir: Path | None,
    model: Path | str,
    *,
    classes: str | None = None,
    groups: str | None = None,
    held_out: float = HELD_OUT,
    size: int | None = None,
) -> "Dataset":
    """The data set that the options name, a folder's images in the size for a model."""
    from distiller.runs.building import load_data

    asked = section(data, model, classes=classes, groups=groups, held_out=held_out, size=size)
    return load_data(asked, data_dir)


def section(
    data: str,
    model: Path | str,
    *,
    classes: str | None = None,
    groups: str | None = None,
    held_out: float = HELD_OUT,
    size: int | None = None,
) -> "Section":
    """The options as a recipe has them, `data` of it."""
    from distiller.errors import InputError
    from distiller.recipes.schema import Data as Section

    if classes and groups:
        raise InputError("Expected one of --classes and --groups. Received both")
    return Section(
        name=data,
        validation=held_out,
        classes=classes.split(",") if classes else None,
        groups=groups,
        image_size=size_for(model, size, data),
    )


def after_names(recipe: "RunRecipe", data_dir: Path | None) -> "Dataset":
    """The images of a recipe, read after its networks and objectives are known to be there, which takes seconds.

    Raises:
        InputError: one of them is not, or is no network; or the images cannot be read.
    """
    from distiller import teachers
    from distiller.runs import task_networks, tasks
    from distiller.runs.building import check_names
    from distiller.runs.views import load_views

    if recipe.task != "classification":
        tasks.check_names(recipe)
        return task_networks.load_data(recipe.data, recipe.task, data_dir)
    check_names(recipe)
    if recipe.teacher.file and not recipe.teacher.is_external:
        teachers.load(recipe.teacher.file)
    return load_views(recipe, data_dir)


def size_for(model: Path | str, size: int | None, data: str | None = None) -> tuple[int, int]:
    """Height and width: `size`, else what the file of a model says that it takes, else 32, which is told of a folder.

    What is wrong with the file is told where it is opened.
    """
    if size is not None:
        return size, size
    path = Path(model)
    found = _of_tflite(path) if path.suffix == ".tflite" else image_size.of_keras(path)
    if found is None and path.is_file() and data is not None and Path(data).is_dir():
        from distiller.utils.progress import Reporter

        sides = "×".join(map(str, _USUAL))
        Reporter().say(f"{str(model)!r} takes images of any size: those in {data!r} are resized to {sides}, or --size")
    return found or _USUAL


def _of_tflite(path: Path) -> tuple[int, int] | None:
    import tflite

    try:
        return image_size.sides(tflite.inspect(path).inputs[0].shape)
    except Exception:  # of whatever a damaged file makes
        return None
