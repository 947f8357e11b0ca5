"""TFLite models of several inputs and outputs as functions of arrays in their order."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.interpreter import Runner, allocated, invoke, keeps_state, ports
from tflite.model_file.scaling import Scaling
from tflite.model_file.tensor_spec import TensorSpec

Arrays = list[np.ndarray]


class AnyRunner(Protocol):
    """A TFLite model as a function of lists of arrays, one for each input, which returns one for each output."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __call__(self, given: Sequence[np.ndarray]) -> Arrays:
        """Real numbers of every output, the batch in front."""

    def numbers(self, given: Sequence[np.ndarray]) -> Arrays:
        """Arrays in the unit of the model: real numbers, or pixels where it takes those."""

    def answers(self, numbers: Sequence[np.ndarray]) -> Arrays:
        """Outputs in their own types of what `numbers` returns."""


def open_runner(path: str | Path, *, threads: int = 1) -> AnyRunner:
    """A file of any number of inputs and outputs, each named as in the file's signature.

    Raises:
        ModelError: the file cannot be opened or run.
    """
    content = read_model(path)
    file = Flatbuffer(content)
    if len(file.inputs) == len(file.outputs) == 1:
        return _Single(path, threads)
    return NamedRunner(path, content, threads=threads)


class _Single:
    """A file of one input and one output, many samples at once."""

    def __init__(self, path: str | Path, threads: int):
        self._run = Runner(path, threads=threads)
        self.path = self._run.path
        self.inputs: tuple[TensorSpec, ...] = (self._run.input,)
        self.outputs: tuple[TensorSpec, ...] = (self._run.output,)

    def __call__(self, given: Sequence[np.ndarray]) -> Arrays:
        return [self._run(given[0])]

    def numbers(self, given: Sequence[np.ndarray]) -> Arrays:
        return [self._run.numbers(given[0])]

    def answers(self, numbers: Sequence[np.ndarray]) -> Arrays:
        return [self._run.answers(numbers[0])]


class NamedRunner:
    """A file of several inputs or outputs, run one sample at a time.

    Inputs and outputs have the names of the file's signature, where it has one, and the order of the file; a file of
    `tflite.convert` has them in the model's order. No sample leaves a state to the next.

    Args:
        path: TFLite file.
        content: of it.
        threads: of the interpreter.

    Raises:
        ModelError: the file cannot be run, or was made for several samples at once.
    """

    def __init__(self, path: str | Path, content: bytes, *, threads: int = 1):
        self.path, self._content, self._threads = Path(path), content, threads
        self._stateful = keeps_state(content)
        self._interpreter = self._open()
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._indexes = tuple([detail["index"] for detail in role] for role in details)
        self.inputs, self.outputs = (
            tuple(
                replace(port, name=names.get(detail["index"], port.name))
                for port, detail in zip(ports(role), role, strict=True)
            )
            for role, names in zip(details, _names(content), strict=True)
        )
        for port in self.inputs:
            if port.shape[:1] > (1,):
                raise ModelError(
                    f"Expected a file of one sample a run. Received: {str(path)!r} with {port.name!r} of {port.shape}"
                )
        self._scalings = [
            None if port.dtype in ("int32", "int64") else Scaling(path, content, port, stated=len(self.inputs) == 1)
            for port in self.inputs
        ]

    def __call__(self, given: Sequence[np.ndarray]) -> Arrays:
        """Real numbers of every output, float32."""
        answers = self.answers(self.numbers(given))
        return [port.dequantize(values) for port, values in zip(self.outputs, answers, strict=True)]

    def numbers(self, given: Sequence[np.ndarray]) -> Arrays:
        """Arrays in the unit of the model.

        Raises:
            ModelError: another number of arrays, of samples in them, another shape, or numbers of another unit.
        """
        if len(given) != len(self.inputs) or len({len(array) for array in given}) != 1 or not len(given[0]):
            raise ModelError(
                f"Expected as many samples of each input of {str(self.path)!r}, {[port.name for port in self.inputs]}. "
                f"Received: {[np.shape(array) for array in given]}"
            )
        found = []
        for array, port, scaling in zip(given, self.inputs, self._scalings, strict=True):
            values = np.asarray(array)
            if values.shape[1:] != port.shape[1:] or values.dtype.kind not in "uif":
                raise ModelError(
                    f"Expected numbers of shape ({', '.join(map(str, ('n', *port.shape[1:])))}) for {port.name!r} of "
                    f"{str(self.path)!r}. Received: {values.shape} of {values.dtype}"
                )
            port.check_whole(values)
            found.append(values if scaling is None else scaling(values))
        return found

    def answers(self, numbers: Sequence[np.ndarray]) -> Arrays:
        """Outputs in their own types of what `numbers` returns."""
        feeds = [port.quantize(array) for port, array in zip(self.inputs, numbers, strict=True)]
        found: list[Arrays] = [[] for _ in self.outputs]
        for place in range(len(feeds[0])):
            if self._stateful:
                self._interpreter = self._open()  # nothing else sets a variable back
            for index, feed in zip(self._indexes[0], feeds, strict=True):
                self._interpreter.set_tensor(index, feed[place : place + 1])
            self._interpreter.reset_all_variables()
            invoke(self._interpreter, self.path)
            for values, index in zip(found, self._indexes[1], strict=True):
                values.append(self._interpreter.get_tensor(index))
        return [np.concatenate(values) for values in found]

    def _open(self) -> Any:
        return allocated(self.path, self._content, threads=self._threads, resize=not self._stateful)


def _names(content: bytes) -> tuple[dict[int, str], dict[int, str]]:
    """Tensor → name of inputs and of outputs, by the only signature of a file; none where it has several or none."""
    signatures = [one for one in Flatbuffer(content).signature_tensors if one[1] == 0]
    if len(signatures) != 1:
        return {}, {}
    _, _, inputs, outputs = signatures[0]
    # The first name of a tensor that is several outputs.
    return tuple({index: name for name, index in reversed(role)} for role in (inputs, outputs))  # type: ignore[return-value]
