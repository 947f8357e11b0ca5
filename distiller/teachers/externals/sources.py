"""ONNX files, TFLite files and functions as functions of NumPy images."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distiller.errors import InputError, WorkError
from distiller.utils import user_code
from distiller.utils.suggestions import unknown

# Endings of the files that are opened.
ENDINGS = (".onnx", ".tflite")


@dataclass(frozen=True)
class Source:
    """An opened teacher of another framework.

    Attributes:
        answer: from images as `Preparation` makes them to an array of logits, or a dict with "logits".
        name: of the file or function.
        identity: digest of the file; None of a function, which has none.
        image_size: height and width that the file says; None where it says none.
        layout: of the axes that the file says.
        takes_pixels: whether pixels go in as uint8 where they are not scaled.
    """

    answer: Callable[[np.ndarray], Any]
    name: str
    identity: str | None = None
    image_size: tuple[int, int] | None = None
    layout: str | None = None
    takes_pixels: bool = False


def open_source(source: Any, features: tuple[str, ...] = ()) -> Source:
    """Open a file by its ending, a function by its name, or take a function as it is.

    Raises:
        InputError: none of these; a file that is missing, damaged, or of other inputs and outputs.
        WorkError: onnxruntime is not installed.
    """
    if callable(source):
        return Source(source, getattr(source, "__name__", type(source).__name__))
    text = str(source)
    ending = Path(text).suffix.lower()
    if ending in ENDINGS:
        path = Path(text)
        if not path.is_file():
            raise InputError(f"The teacher file {text!r} does not exist")
        return _onnx(path, features) if ending == ".onnx" else _tflite(path, features)
    if user_code.names_code(text):
        function = user_code.load_function(text)
        file = user_code.file_of(text)
        return Source(function, function.__name__, None if file is None else f"{_digest(file)} {function.__name__}")
    raise InputError(
        f"Expected a file {' or '.join(ENDINGS)}, file.py:function, or a function of images. Received: {source!r}"
    )


def is_external(path: str) -> bool:
    """Return whether a path has the ending of a file of another framework."""
    return Path(path).suffix.lower() in ENDINGS


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tflite(path: Path, features: tuple[str, ...]) -> Source:
    from tflite.errors import ModelError
    from tflite.model_file.interpreter import Runner

    if features:
        raise InputError(f"A TFLite teacher has logits alone. Received: features {list(features)} of {str(path)!r}")
    try:
        run = Runner(path)
    except ModelError as error:
        raise InputError(str(error)) from error
    shape = run.input.shape
    if len(shape) != 4:
        raise InputError(f"Expected a TFLite teacher of images (n, h, w, c). Received: {str(path)!r} with {shape}")
    return Source(run, path.stem, _digest(path), (shape[1], shape[2]), "nhwc", takes_pixels=True)


def _onnx(path: Path, features: tuple[str, ...]) -> Source:
    try:
        import onnxruntime
    except ImportError as error:
        raise WorkError(
            "ONNX files need onnxruntime, which is not installed. Install it: pip install onnxruntime, or in a checkout"
            " pip install '.[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class but this
        said = " ".join(str(error).split())
        raise InputError(f"{str(path)!r} cannot be opened as an ONNX model: {said}") from error
    taken = session.get_inputs()
    if len(taken) != 1 or len(taken[0].shape) != 4 or taken[0].type not in _NUMBERS:
        described = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in taken)
        raise InputError(f"Expected an ONNX teacher of images, one input of four axes. Received: {path}: {described}")
    names = [output.name for output in session.get_outputs()]
    for name in features:
        if name not in names:
            raise InputError(f"In {str(path)!r}: {unknown('output', name, names)}")
    others = [name for name in names if name not in features]
    logits = "logits" if "logits" in others else next(iter(others), None)
    if logits is None:
        raise InputError(f"Expected an output of logits beside the features of {str(path)!r}. Received: {names}")
    dtype = _NUMBERS[taken[0].type]
    batch, *_ = shape = taken[0].shape

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        asked = [logits, *features]
        size = batch if isinstance(batch, int) else len(images)
        parts = []
        for first in range(0, len(images), size):
            # A file of a fixed batch gets as many, the last image again in the places that are left.
            chosen = np.minimum(np.arange(first, first + size), len(images) - 1)
            kept = min(size, len(images) - first)
            found = session.run(asked, {taken[0].name: images[chosen].astype(dtype)})
            parts.append([np.asarray(output)[:kept] for output in found])
        together = [np.concatenate(several) for several in zip(*parts, strict=True)]
        return dict(zip(["logits", *features], together, strict=True))

    layout = _layout(shape)
    places = {"nchw": (2, 3), "nhwc": (1, 2)}.get(layout or "", ())
    sides = [shape[place] for place in places if isinstance(shape[place], int)]
    size = (sides[0], sides[1]) if len(sides) == 2 else None
    return Source(run, path.stem, _digest(path), size, layout)


_NUMBERS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


def _layout(shape: list[Any]) -> str | None:
    """Place of the channels by their number, 1 or 3; None where the shape does not tell."""
    first, last = (shape[place] in (1, 3) for place in (1, 3))
    return None if first == last else "nchw" if first else "nhwc"


def as_outputs(found: Any, features: tuple[str, ...], count: int, name: str) -> list[np.ndarray]:
    """Logits and features, float32 (count, …), of what a source answered.

    Raises:
        InputError: an output is missing, or has another number of rows.
    """
    given = found if isinstance(found, Mapping) else {"logits": found}
    arrays = []
    for key in ("logits", *features):
        if key not in given:
            raise InputError(f"The teacher {name!r} answers no {key!r}. Received: {sorted(map(str, given))}")
        array = np.asarray(given[key])
        if array.ndim < 2 or len(array) != count or array.dtype.kind not in "fiu":
            raise InputError(
                f"Expected {key!r} of the teacher {name!r} as numbers of shape ({count}, …) for {count} images. "
                f"Received: {array.dtype} {array.shape}"
            )
        arrays.append(array.astype("float32"))
    if arrays[0].ndim != 2 or arrays[0].shape[1] < 2:
        raise InputError(f"Expected logits (n, classes) of the teacher {name!r}. Received: {arrays[0].shape}")
    return arrays
