"""Teacher outputs that were computed elsewhere, in a file, by the names of the images."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import numpy as np

from distiller.data.augmentation import Augmentation
from distiller.data.splits import Split
from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.objectives.probabilities import are_probabilities

_SMALLEST = 1e-30


class StoredOutputs:
    """Outputs of a teacher for single images, one row an image, whatever computed them.

    The file is an `.npz` of the arrays `names` (n,) and `logits` (n, classes), perhaps `classes` (classes,), the names
    of the classes, and features (n, …) under names that objectives give as `teacher_layer`; or a `.csv` whose first
    column is `name` and whose others are the logits of the classes in their heading. An image is named by its path in
    the folder of images, `cat/001.jpg`, or by its file name alone where no two images share one; one of arrays and of
    tensorflow_datasets by its number in the training images as they come, from 0. The order does not matter; names of
    other images may be there.

    A student sees random views, and these outputs are of the images as they are: a fixed teacher, behind one that sees
    the same views in the comparison of Beyer et al. 2021, 2106.05237. `teachers.external` sees the views.

    Args:
        path: of the file.
        probabilities: True if `logits` are probabilities, of which the logarithm is taken.

    Raises:
        InputError: a missing or damaged file; a name twice; another number of rows than names; numbers that are not
            finite; probabilities that were not announced.

    >>> import numpy as np, tempfile, pathlib
    >>> from distiller import data, teachers
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name) / "outputs.npz"
    >>> np.savez(path, names=["1", "0"], logits=[[0.0, 3.0], [2.0, 1.0]])
    >>> split = data.Split(np.zeros((2, 8, 8, 3), "uint8"), np.array([0, 1], "int32"))
    >>> teachers.StoredOutputs(path).of(split).rows(0, np.array([0, 1]))["@logits"]
    array([[2., 1.],
           [0., 3.]], dtype=float32)
    >>> folder.cleanup()
    """

    def __init__(self, path: str | Path, *, probabilities: bool = False):
        self.path = Path(path)
        names, self.classes, self._outputs = _read(self.path)
        self._places = {name: i for i, name in enumerate(names)}
        self._check(names, probabilities)
        if probabilities:
            self._outputs[LOGITS] = np.log(np.maximum(self._outputs[LOGITS], _SMALLEST))

    def of(self, split: Split) -> "OutputsOfSplit":
        """The rows of the images of a split, as `data.Batches(…, taught=…)` reads them.

        Raises:
            InputError: images without a row; the message names the first.
        """
        wanted = split.known_names()
        places = self._find(wanted)
        missing = [name for name, place in zip(wanted, places, strict=True) if place is None]
        if missing:
            shown = ", ".join(map(repr, missing[:3])) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            raise InputError(
                f"Expected outputs of the teacher for all {len(wanted)} images in {str(self.path)!r}. Received: none "
                f"for {shown}"
            )
        return OutputsOfSplit(self, len(split), np.array(places))

    def network(self, input_shape: tuple[int, ...]) -> keras.Model:
        """A stand-in for the teacher that a `Distiller` takes; it has the outputs' shapes, and cannot be run."""
        shapes = {name: array.shape[1:] for name, array in self._outputs.items()}
        pixels = keras.Input(input_shape, name="pixels")
        first, *others = Elsewhere(list(shapes.values()), str(self.path), name="outputs")(pixels)
        features = [name for name in shapes if name != LOGITS]
        named = [keras.layers.Identity(name=name)(output) for name, output in zip(features, others, strict=True)]
        logits = _First(name="logits")([first, *named])
        return keras.Model(pixels, logits, name="".join(c if c.isalnum() else "_" for c in self.path.stem))

    def rows(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name, float32 (n, …), of rows of the file."""
        return {name: array[places] for name, array in self._outputs.items()}

    def shape_of(self, name: str) -> tuple[int, ...] | None:
        """Shape of an output to one image; None of one that is not there."""
        return self._outputs[name].shape[1:] if name in self._outputs else None

    def _find(self, wanted: list[str]) -> list[int | None]:
        files = [PurePosixPath(name).name for name in wanted]
        by_file = len(set(files)) == len(files)
        return [
            self._places.get(name, self._places.get(file) if by_file else None)
            for name, file in zip(wanted, files, strict=True)
        ]

    def _check(self, names: list[str], probabilities: bool) -> None:
        if len(self._places) < len(names):
            twice = next(name for i, name in enumerate(names) if self._places[name] != i)
            raise InputError(f"Expected every image once in {str(self.path)!r}. Received: {twice!r} twice")
        for name, array in self._outputs.items():
            shown = name.removeprefix("@")
            if len(array) != len(names):
                raise InputError(
                    f"Expected {len(names)} rows of {shown!r}, one a name, in {str(self.path)!r}. "
                    f"Received: {len(array)}"
                )
            wrong = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
            if len(wrong):
                raise InputError(
                    f"Expected finite numbers in {str(self.path)!r}. Received: {shown!r} of {names[wrong[0]]!r} with "
                    "NaN or infinity"
                )
        logits = self._outputs[LOGITS]
        if logits.ndim != 2 or logits.shape[1] < 2:
            raise InputError(f"Expected logits (n, classes) in {str(self.path)!r}. Received: {logits.shape}")
        if self.classes is not None and len(self.classes) != logits.shape[1]:
            raise InputError(
                f"Expected {logits.shape[1]} names of classes in {str(self.path)!r}. Received: {len(self.classes)}"
            )
        if are_probabilities(logits) != probabilities:
            raise InputError(
                f"The rows of {str(self.path)!r} are probabilities, at least 0 and with the sum 1. Store logits, or "
                "say probabilities=True, in a recipe probabilities: true"
                if not probabilities
                else f"Expected probabilities in {str(self.path)!r}, as announced. Received: rows of another sum than 1"
            )


class OutputsOfSplit:
    """Stored outputs in the order of a split's images; for `data.Batches(…, taught=…)`, as a `Cache` is."""

    def __init__(self, stored: StoredOutputs, count: int, places: np.ndarray):
        self._stored, self._count, self._places = stored, count, places

    def check(self, split: Split, augmentation: Augmentation, seed: int) -> None:
        """Raise InputError unless it is of these images; views do not matter."""
        if len(split) != self._count:
            raise InputError(f"Expected the outputs of {len(split)} images. Received: those of {self._count}")

    def require(self, passes: int) -> None:
        """Do nothing: all passes have the same outputs."""

    def match(self, networks: Mapping[str, keras.Model], layers: Mapping[str, Iterable[str]]) -> None:
        """Raise InputError unless a `Distiller` has one teacher, of these classes, whose layers are here."""
        if len(networks) != 1:
            raise InputError(f"Expected one teacher with outputs from a file. Received: bridges of {sorted(networks)}")
        (network,), (wanted,) = networks.values(), layers.values()
        classes = self._stored.shape_of(LOGITS)
        if network.output_shape[1:] != classes:
            raise InputError(f"Expected a teacher with outputs {classes}. Received: {network.output_shape[1:]}")
        missing = [name for name in wanted if self._stored.shape_of(name) is None]
        if missing:
            raise InputError(f"The file {str(self._stored.path)!r} lacks the outputs {missing}")

    def rows(self, turn: int, samples: np.ndarray) -> dict[str, np.ndarray]:
        """The teacher's outputs for `samples`, float32 (n, …) by name, in every pass `turn` the same."""
        return self._stored.rows(self._places[samples])


@keras.saving.register_keras_serializable("distiller")
class Elsewhere(keras.layers.Layer):
    """Outputs that are in a file: their shapes, and an error where they are asked for."""

    def __init__(self, shapes: list[Any], path: str, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self._shapes, self._file = [tuple(shape) for shape in shapes], path

    def call(self, inputs: Any) -> None:
        """Refuse.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"The teacher's outputs are in {self._file!r}, for the images named there: it cannot be run on others"
        )

    def compute_output_spec(self, inputs: Any) -> Any:
        """Called by Keras."""
        return [keras.KerasTensor((inputs.shape[0], *shape), "float32") for shape in self._shapes]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "shapes": self._shapes, "path": self._file}


@keras.saving.register_keras_serializable("distiller")
class _First(keras.layers.Layer):
    """The first of its inputs; the others are part of the network without being its output."""

    def call(self, inputs: Any) -> Any:
        return inputs[0] + 0.0


def _read(path: Path) -> tuple[list[str], list[str] | None, dict[str, np.ndarray]]:
    """Names of the images, names of the classes, and outputs by name."""
    if not path.is_file():
        raise InputError(f"The file of teacher outputs {str(path)!r} does not exist")
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if path.suffix.lower() != ".npz":
        raise InputError(f"Expected teacher outputs as an .npz or .csv file. Received: {str(path)!r}")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # a damaged archive raises whatever zipfile and NumPy raise
        raise InputError(f"{str(path)!r} is damaged: {error}") from error
    if not {"names", "logits"} <= arrays.keys():
        raise InputError(
            f"Expected the arrays names and logits in {str(path)!r}. Received: {', '.join(sorted(arrays))}"
        )
    names = [str(name) for name in arrays.pop("names").ravel()]
    classes = [str(name) for name in arrays.pop("classes").ravel()] if "classes" in arrays else None
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or array.ndim < 2:
            raise InputError(
                f"Expected numbers (n, …) as {name!r} in {str(path)!r}. Received: {array.dtype} {array.shape}"
            )
    outputs = {LOGITS if name == "logits" else name: array.astype("float32") for name, array in arrays.items()}
    return names, classes, {LOGITS: outputs.pop(LOGITS), **outputs}


def _read_csv(path: Path) -> tuple[list[str], list[str] | None, dict[str, np.ndarray]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            heading, *rows = csv.reader(file)
        if heading[0] != "name" or len({len(row) for row in (heading, *rows)}) != 1:
            raise ValueError("its first column is not `name`, or its rows are of different lengths")
        logits = np.array([[float(value) for value in row[1:]] for row in rows], "float32")
    except (ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Expected a table with the column name and one a class in {str(path)!r}. Received: {error}"
        ) from error
    return [row[0] for row in rows], heading[1:], {LOGITS: logits.reshape(len(rows), len(heading) - 1)}
