"""Outputs of every operator of a TFLite file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.interpreter import allocated, invoke, keeps_state, of_open_size, ports
from tflite.model_file.operators import Operator, Tensor
from tflite.model_file.tensor_spec import TensorSpec


@dataclass(frozen=True)
class Step:
    """An operator that computes an activation, and the places of the steps that it reads from."""

    operator: Operator
    sources: tuple[int, ...]

    @property
    def tensor(self) -> Tensor:
        """Tensor that it computes."""
        return self.operator.outputs[0]

    @property
    def port(self) -> TensorSpec:
        """The arithmetic between the numbers of its tensor and real ones."""
        quantized = len(self.tensor.scales) == 1 and not self.tensor.is_float
        return TensorSpec(
            self.tensor.name,
            self.tensor.dtype,
            self.tensor.shape,
            self.tensor.scales[0] if quantized else None,
            (self.tensor.zero_points or (0,))[0] if quantized else None,
        )


class Steps:
    """A file that is run by the interpreter's own kernels, which let every tensor be read.

    Conversions of the interface, and operators that unpack weights, are no steps.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        content = read_model(path)
        self._content, self._stateful = content, keeps_state(content)
        self._interpreter = self._open()
        self.file = Flatbuffer(content)
        [self._input] = self._interpreter.get_input_details()
        [self._port] = ports([self._input])

    @cached_property
    def all(self) -> tuple[Step, ...]:
        """The steps, in the order of execution."""
        made: dict[int, tuple[int, ...]] = {}
        found: list[Step] = []
        for operator in self.file.operators:
            sources = dict.fromkeys(place for tensor in operator.inputs for place in made.get(tensor.index, ()))
            unpacks = all(tensor.constant for tensor in operator.inputs)
            if self.file.is_interface(operator) or unpacks or not _computes_numbers(operator):
                passed = tuple(sources)  # who reads what it converts reads from those before it
            else:
                passed = (len(found),)
                found.append(Step(operator, tuple(sources)))
            made.update((tensor.index, passed) for tensor in operator.outputs)
        return tuple(found)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """Run a few images: the output of each step, in the type of its tensor, the images in front.

        Raises:
            ModelError: images of another shape.
        """
        images = np.asarray(images)
        if images.shape[1:] != self._port.shape[1:]:
            raise ModelError(
                f"Expected images of shape (n, {', '.join(map(str, self._port.shape[1:]))}) for {str(self.path)!r}. "
                f"Received: {images.shape}{of_open_size(self._input)}"
            )
        found: list[list[np.ndarray]] = [[] for _ in self.all]
        size = max((1, *self._port.shape[:1]))
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            padding = np.zeros((size - len(batch), *batch.shape[1:]), batch.dtype)
            if self._stateful:
                self._interpreter = self._open()  # nothing else sets a variable back
            self._interpreter.set_tensor(self._input["index"], self._port.quantize(np.concatenate([batch, padding])))
            self._interpreter.reset_all_variables()  # what a recurrent operator keeps of the image before
            invoke(self._interpreter, self.path)
            for values, step in zip(found, self.all, strict=True):
                computed = self._interpreter.get_tensor(step.tensor.index)
                values += _by_image(computed, size)[: len(batch)]
        return [np.stack(values) for values in found]

    def values(self, index: int) -> np.ndarray | None:
        """The numbers of a tensor after a run, or of a constant; None of one that cannot be read, or is packed."""
        try:
            return np.asarray(self._interpreter.get_tensor(index))
        except (ValueError, RuntimeError):
            return None

    def _open(self) -> Any:
        return allocated(self.path, self._content, resize=not self._stateful, delegate="none", keep_tensors=True)


def _computes_numbers(operator: Operator) -> bool:
    """Return whether something comes out that can be compared: not of setting a variable, and not a handle of one."""
    return bool(operator.outputs) and operator.outputs[0].dtype not in ("resource", "string", "variant")


def _by_image(computed: np.ndarray, images: int) -> list[np.ndarray]:
    """Parts that belong to each of several images; of numbers that are not by image, all of them each time."""
    if images == 1 or computed.size % images:
        return [computed] * images
    if computed.shape[0] == images:
        return list(computed[:, None])
    return list(computed.reshape(images, 1, -1))
