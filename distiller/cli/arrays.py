"""Samples of any task from a file of arrays, for the commands that answer about a TFLite file."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

Task = Annotated[
    Literal["classification", "binary", "multi_label", "regression", "segmentation"] | None,
    typer.Option(
        help="What the outputs are, with --data of a folder with labels.csv or masks, or of a file of arrays (.npz): "
        "any numbers in x_test and y_test, or in x_test/NAME and y_test/NAME of several inputs and outputs.",
        show_default=False,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Outputs above it are a yes, of the tasks binary and multi_label; by default 0.5 after a sigmoid, else 0.",
        show_default=False,
    ),
]
# Name of a split → what it is called in a file of arrays.
# A mask's number of what does not count.
_VOID = 255
_PARTS = {"train": "train", "validation": "val", "test": "test"}


def wanted(task: str | None, threshold: float | None, data: str) -> bool:
    """Return whether the options ask for samples of another task than one class an image, or a file has several inputs.

    Raises:
        InputError: a threshold without a task, or a task without a file of arrays.
    """
    from distiller.errors import InputError

    if task is None or task == "classification":
        if threshold is not None:
            raise InputError("Expected --threshold with --task binary or multi_label. Received: --threshold alone")
        return Path(data).suffix == ".npz" and Path(data).is_file() and has_names(Path(data))
    if Path(data).suffix != ".npz" and (task == "binary" or not Path(data).is_dir()):
        raise InputError(
            f"Expected --task {task} with --data of a file of arrays (.npz), with x_test and y_test. Received: "
            f"{data!r}. Write one with numpy.savez(path, x_test=…, y_test=…)"
        )
    return True


def has_names(path: Path) -> bool:
    """Return whether a file has arrays for inputs or outputs by name."""
    return any("/" in name for name in _read(path))


def has(path: Path, split: str) -> bool:
    """Return whether a file has a split."""
    if path.is_dir():
        return True
    return _of(_read(path), f"x_{_PARTS[split]}") is not None


def load(
    path: Path, split: str, count: int | None = None, *, task: str | None = None, model: Path | None = None
) -> tuple[Any, Any]:
    """Inputs and labels of a split, each an array or {name: array}, the first `count` of them at the most.

    A folder has a CSV file, or masks, as `distiller distill --task` reads it, and images in the size of the model.

    Raises:
        InputError: no such file, or one without this split.
    """
    from distiller.errors import InputError

    if path.is_dir():
        from distiller.cli import images
        from distiller.runs import task_networks

        found = task_networks.load_data(images.section(str(path), model or path), str(task), None)
        part_of = getattr(found, split)
        part_of = part_of if count is None else part_of.some(count)
        return part_of.images, part_of.labels
    arrays, part = _read(path), _PARTS[split]
    inputs, labels = _of(arrays, f"x_{part}"), _of(arrays, f"y_{part}")
    if inputs is None or labels is None:
        raise InputError(
            f"Expected the arrays x_{part} and y_{part} in {str(path)!r}, or x_{part}/NAME and y_{part}/NAME. "
            f"Received: {', '.join(sorted(arrays)) or 'none'}"
        )
    if task == "segmentation" and not isinstance(labels, dict) and labels.dtype == "uint8":
        labels = labels.astype("int32")
        labels[labels == _VOID] = -1
    return _first(inputs, count), _first(labels, count)


def size(labels: Any) -> int:
    """Number of samples."""
    return len(next(iter(labels.values())) if isinstance(labels, dict) else labels)


def _of(arrays: dict[str, Any], name: str) -> Any:
    if name in arrays:
        return arrays[name]
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")} or None


def _first(arrays: Any, count: int | None) -> Any:
    if isinstance(arrays, dict):
        return {name: array[:count] for name, array in arrays.items()}
    return arrays[:count]


def _read(path: Path) -> dict[str, Any]:
    import numpy as np

    from distiller.errors import InputError

    if not path.is_file():
        raise InputError(f"The file of arrays {str(path)!r} does not exist")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except Exception as error:  # damage surfaces as errors of zip files, of compression and of Python's parser
        raise InputError(f"Could not read the arrays in {str(path)!r}: {error}") from error
