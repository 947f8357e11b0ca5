"""A TFLite file as a page in a browser gets it: a copy that the browser takes, images, and the answers here to them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.app_bundle.contract import image_classifier, pixel_normalization
from tflite.app_bundle.test_images import made_up
from tflite.errors import ModelError
from tflite.inspection.inspector import inspect_content
from tflite.model_file.border import without_signed_integers
from tflite.model_file.files import read_model
from tflite.model_file.interpreter import Runner, allocated, ports
from tflite.model_file.scaling import Scaling
from tflite.model_file.tensor_spec import TensorSpec

# Types that LiteRT.js takes and gives at the border of a file.
TYPES = ("float32", "int32", "uint8")
COUNT = 32


@dataclass(frozen=True)
class ServedModel:
    """A classifier of images, with all that a page needs to run it and to say whether it answers as it does here.

    Attributes:
        path: of the file.
        original: its content when it was read.
        content: what a browser gets: the same, or a copy with other types at its border.
        changes: a sentence for each port that changed.
        input: of `content`: pixels of one image, (1, height, width, channels).
        output: of `content`: scores, (1, classes).
        mean: subtracted from a pixel, one number per channel.
        std: what the difference is divided by, one number per channel.
        labels: names of the classes, in the order of the outputs; their numbers where the file has none.
        images: uint8, (n, height, width, channels).
        answers: of the file through the interpreter here, real numbers, float32, (n, classes).
        truth: the class of each image, where it is known.
    """

    path: Path
    original: bytes
    content: bytes
    changes: tuple[str, ...]
    input: TensorSpec
    output: TensorSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: tuple[str, ...]
    images: np.ndarray
    answers: np.ndarray
    truth: np.ndarray | None

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.original).hexdigest()

    @property
    def replaced(self) -> bool:
        """True if the file on the disk is another by now."""
        try:
            return self.path.read_bytes() != self.original
        except OSError:
            return True

    def described(self, place: int) -> dict[str, Any]:
        """The facts that the page of the `place`-th file computes with, ready for JSON."""
        return {
            "name": self.path.name.encode(errors="backslashreplace").decode(),
            "bytes": len(self.original),
            "digest": self.digest,
            "changes": list(self.changes),
            "input": _port(self.input),
            "output": _port(self.output),
            "mean": list(self.mean),
            "std": list(self.std),
            "labels": list(self.labels),
            "count": len(self.images),
            "truth": None if self.truth is None else [int(each) for each in self.truth],
            "files": {kind: f"{kind}-{place}.bin" for kind in ("model", "images", "answers")},
        }

    def files(self, place: int) -> dict[str, bytes]:
        """The files that `described` names, by their names."""
        held = {
            "model": self.content,
            "images": np.ascontiguousarray(self.images).tobytes(),
            "answers": np.ascontiguousarray(self.answers, "<f4").tobytes(),
        }
        return {f"{kind}-{place}.bin": content for kind, content in held.items()}


def read_served(
    path: str | Path,
    *,
    images: np.ndarray | None = None,
    truth: Sequence[int] | np.ndarray | None = None,
    labels: Sequence[str] = (),
    made_up_images: int | None = None,
) -> ServedModel:
    """A file with its images answered by the interpreter here.

    Args:
        path: TFLite file of a classifier of images.
        images: uint8, (n, height, width, channels); made up where None.
        truth: the class of each image, where it is known.
        labels: names of the classes; by default those in the file, or their numbers.
        made_up_images: how many are made up where `images` is None; 32 by default.

    Raises:
        ModelError: missing or damaged file; one that classifies no images; images of another shape; a number of labels
            that is not that of the classes; types at its border that no browser takes.
    """
    path = Path(path)
    original = read_model(path)
    found = inspect_content(path, original)
    taken, left = image_classifier(path, found)
    names = tuple(labels) or (found.metadata.labels if found.metadata else ())
    if names and len(names) != left.shape[1]:
        raise ModelError(f"Expected {left.shape[1]} class labels for {str(path)!r}. Received: {len(names)}")
    content, changes = without_signed_integers(original)
    interpreter = allocated(path, content)
    entered, given = ports(interpreter.get_input_details())[0], ports(interpreter.get_output_details())[0]
    for role, port in (("inputs", entered), ("outputs", given)):
        if port.dtype not in TYPES:
            raise ModelError(
                f"Expected {role} of {', '.join(TYPES)}, int8 or int16, for a browser. Received: {str(path)!r} with "
                f"{port.dtype}. Convert the model with input_type and output_type of float32"
            )
    mean, std = pixel_normalization(Scaling(path, original, taken), taken)
    chosen = made_up(taken.shape[1:], made_up_images or COUNT) if images is None else np.asarray(images)
    if chosen.dtype != np.uint8 or chosen.ndim != 4 or not len(chosen):
        raise ModelError(f"Expected images as uint8 of four axes. Received: {chosen.dtype} {chosen.shape}")
    answers = Runner(path)(chosen)
    if read_model(path) != original:
        raise ModelError(f"Expected a file that stays as it is. Received: {str(path)!r}, which was replaced just now")
    return ServedModel(
        path=path,
        original=original,
        content=content,
        changes=changes,
        input=entered,
        output=given,
        mean=mean,
        std=std,
        labels=names or tuple(f"class {i}" for i in range(left.shape[1])),
        images=chosen,
        answers=answers,
        truth=None if truth is None else np.asarray(truth),
    )


def _port(port: TensorSpec) -> dict[str, Any]:
    return {"dtype": port.dtype, "shape": list(port.shape), "scale": port.scale, "zero_point": port.zero_point}
