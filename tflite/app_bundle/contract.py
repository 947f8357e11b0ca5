"""The contract between an application and one TFLite file: its signature, sizes, types, scales and labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite.errors import ModelError
from tflite.inspection.inspector import Inspection, inspect_content
from tflite.model_file.files import read_model
from tflite.model_file.scaling import Scaling
from tflite.model_file.tensor_spec import TensorSpec

# The types of inputs and outputs for which code is written.
_TYPES = ("float32", "uint8", "int8")


@dataclass(frozen=True)
class Contract:
    """Facts that an application needs about an image classifier.

    Attributes:
        path: of the file.
        content: of the file.
        inspection: what the file holds.
        input: pixels of one image, (1, height, width, channels).
        output: scores of the classes, (1, classes).
        mean: subtracted from a pixel, one number per channel.
        std: what the difference is divided by, one number per channel.
        labels: names of the classes in the order of the outputs.
        probabilities: whether the outputs are probabilities by the file's last operator, and no softmax is to follow.
    """

    path: Path
    content: bytes
    inspection: Inspection
    input: TensorSpec
    output: TensorSpec
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: tuple[str, ...]
    probabilities: bool

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.input.shape[1]

    @property
    def width(self) -> int:
        """Pixels of a row."""
        return self.input.shape[2]

    @property
    def channels(self) -> int:
        """3 of red, green and blue, or 1 of grey."""
        return self.input.shape[3]

    @property
    def raw_pixels(self) -> bool:
        """True if bytes of pixels are the input as they are: quantized uint8 with scale 1 and zero point 0."""
        plain = all(mean == 0 for mean in self.mean) and all(std == 1 for std in self.std)
        return self.input.dtype == "uint8" and plain and (self.input.scale, self.input.zero_point) in _PIXELS

    @property
    def operators(self) -> tuple[str, ...]:
        """Names of the operators, each once, in the order of the alphabet."""
        return tuple(sorted({operator.name for operator in self.inspection.operators}))


_PIXELS = ((1.0, 0), (None, None))


def read_contract(path: str | Path, labels: tuple[str, ...] = ()) -> Contract:
    """The contract of a file.

    Args:
        path: TFLite file of an image classifier.
        labels: names of the classes, in place of those that the file holds.

    Raises:
        ModelError: missing or damaged file; one that classifies no images; types for which no code is written;
            no labels, or another number of them.
    """
    content = read_model(path)
    found = inspect_content(Path(path), content)
    taken, left = image_classifier(path, found)
    for role, port in (("inputs", taken), ("outputs", left)):
        if port.dtype not in _TYPES:
            _refuse(
                path, f"{role} of {port.dtype}. Convert it with input_type and output_type of uint8, int8 or float32"
            )
    names = labels or (found.metadata.labels if found.metadata else ())
    if len(names) != left.shape[1]:
        raise ModelError(
            f"Expected {left.shape[1]} class labels for {str(path)!r}. Received: {len(names) or 'none'}. Give a file "
            "with one a line: --labels names.txt, in Python labels=[…]"
        )
    mean, std = pixel_normalization(Scaling(path, content, taken), taken)
    return Contract(
        path=Path(path),
        content=content,
        inspection=found,
        input=taken,
        output=left,
        mean=mean,
        std=std,
        labels=tuple(names),
        probabilities=any(op.name == "SOFTMAX" for op in found.operators[-2:]),
    )


def image_classifier(path: str | Path, found: Inspection) -> tuple[TensorSpec, TensorSpec]:
    """The input, pixels of one image, and the output, scores of the classes, of a file.

    Raises:
        ModelError: a file that does something else.
    """
    if len(found.inputs) != 1 or len(found.outputs) != 1:
        _refuse(path, f"one with {len(found.inputs)} inputs and {len(found.outputs)} outputs")
    taken, left = found.inputs[0], found.outputs[0]
    if len(taken.shape) != 4 or taken.shape[0] != 1 or taken.shape[3] not in (1, 3):
        _refuse(path, f"inputs of shape {taken.shape}")
    if len(left.shape) != 2 or left.shape[0] != 1 or left.shape[1] < 2:
        _refuse(path, f"outputs of shape {left.shape}")
    return taken, left


def pixel_normalization(scaling: Scaling, port: TensorSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation a channel with which pixels become the input's numbers: (pixel − mean) / deviation."""
    black_and_white = np.stack([np.full(port.shape[1:], value, "uint8") for value in (0, 255)])
    scaling(black_and_white)
    mean, std = (np.broadcast_to(numbers, port.shape[-1:]) for numbers in scaling.normalization)
    return tuple(map(float, mean)), tuple(map(float, std))


def _refuse(path: str | Path, received: str) -> None:
    raise ModelError(
        "Expected a classifier of single images with inputs (1, height, width, 1 or 3) and outputs (1, classes). "
        f"Received: {str(path)!r}, {received}"
    )
