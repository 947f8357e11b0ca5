"""What every operator of a TFLite file computes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tflite.errors import ModelError
from tflite.files import read_model
from tflite.flatbuffer import Flatbuffer
from tflite.interpreter import allocate, of_open_size, open_model, ports
from tflite.operators import Operator, Tensor
from tflite.port import Port


@dataclass(frozen=True)
class Step:
    """An operator that computes an activation, and the places of the steps that it reads from."""

    operator: Operator
    sources: tuple[int, ...]

    @property
    def tensor(self) -> Tensor:
        """What it computes."""
        return self.operator.outputs[0]

    @property
    def port(self) -> Port:
        """The arithmetic between the numbers of its tensor and real ones."""
        quantized = len(self.tensor.scales) == 1 and not self.tensor.is_float
        return Port(
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
        self._interpreter = open_model(path, content=content, delegate="none", keep_tensors=True)
        inputs = self._interpreter.get_input_details()
        if len(inputs) == 1 and len(inputs[0]["shape"]) and inputs[0]["shape"][0] != 1:
            # A file that was made for several images at once.
            self._interpreter.resize_tensor_input(inputs[0]["index"], [1, *inputs[0]["shape"][1:]])
        allocate(self._interpreter, path)
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
            if self.file.is_interface(operator) or all(tensor.constant for tensor in operator.inputs):
                passed = tuple(sources)  # who reads what it converts reads from those before it
            else:
                passed = (len(found),)
                found.append(Step(operator, tuple(sources)))
            made.update((tensor.index, passed) for tensor in operator.outputs)
        return tuple(found)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """What each step computes for a few images, in the type of its tensor, the images in front.

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
        for image in images:
            self._interpreter.set_tensor(self._input["index"], self._port.quantize(image[None]))
            self._interpreter.reset_all_variables()  # what a recurrent operator keeps of the image before
            self._interpreter.invoke()
            for values, step in zip(found, self.all, strict=True):
                values.append(self._interpreter.get_tensor(step.tensor.index))
        return [np.stack(values) for values in found]
