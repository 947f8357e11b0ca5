"""The only place that makes a TFLite interpreter, and the way images go through one."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tflite.errors import ModelError
from tflite.model_file.files import read_model
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.model_file.scaling import Scaling
from tflite.model_file.tensor_spec import TensorSpec
from tflite.utils.arguments import whole
from tflite.utils.quiet import quiet
from tflite.utils.suggestions import unknown

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

DELEGATES = ("xnnpack", "none")

# What the runtime says of a file that lacks a piece, or points outside of itself.
_DAMAGED = (
    "not a valid Flatbuffer",
    "model identifier",
    "is invalidly specified in schema",
    "out of range buffer",
    "No subgraph in the model",
    "Missing registration for opcode_index",
)

# Enough images to fill the caches with work, few enough that a batch of large ones stays small in memory.
_MOST_IMAGES, _MOST_NUMBERS = 64, 2**20


def open_model(
    path: str | Path,
    *,
    content: bytes | None = None,
    threads: int = 1,
    delegate: str = "xnnpack",
    keep_tensors: bool = False,
) -> "Interpreter":
    """An interpreter of a TFLite file; its tensors are not allocated yet.

    Where the file has been read already, or is not written yet, `content` is what it holds. With `keep_tensors` what
    every operator computes can be read afterwards, not the outputs alone.

    Raises:
        ModelError: missing, truncated or damaged file, one of another kind, or a whole one that the runtime refuses;
            unknown delegate; threads below 1.
    """
    if delegate not in DELEGATES:
        raise ModelError(unknown("delegate", delegate, DELEGATES))
    threads = whole("threads", threads, 1)
    content = read_model(path) if content is None else content
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    resolver = OpResolverType.AUTO if delegate == "xnnpack" else plain
    try:
        with quiet():
            return Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=resolver,
                experimental_preserve_all_tensors=keep_tensors,
            )
    except (ValueError, RuntimeError) as error:
        said = _sentences(str(error))
        if any(words in said for words in _DAMAGED):
            raise ModelError(f"{str(path)!r} is damaged or truncated ({len(content)} bytes): {said}") from error
        raise ModelError(
            f"{str(path)!r} is whole, but the runtime refuses what its converter wrote: {said}. "
            "Convert the model anew, with a converter of the runtime's age"
        ) from error


def _sentences(said: str) -> str:
    """Sentences of the runtime, each once: it runs them together, and repeats some for every tensor.

    >>> _sentences("Must have same number.Tensor 6 has invalid parameters.\\n\\nMust have same number.")
    'Must have same number. Tensor 6 has invalid parameters'
    """
    parts = (part.strip(" .\n") for part in re.split(r"\.(?=[A-Z]|\s|$)|\n", said))
    return ". ".join(dict.fromkeys(part for part in parts if part)) or "it gave no reason"


def allocate(interpreter: "Interpreter", path: str | Path) -> None:
    """Prepare the interpreter of a file to run.

    Raises:
        ModelError: the file cannot be run here, for instance because of an operator that the interpreter lacks.
    """
    try:
        with quiet():
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} cannot be run: {str(error).strip()}") from error


def allocated(path: str | Path, content: bytes, *, resize: bool = True, **options: Any) -> "Interpreter":
    """An interpreter that is ready to run: for one image, or for several where the file was made for these alone.

    Args:
        path: of the file, for messages.
        content: of the file.
        resize: whether a file of several images may be tried with one.
        options: of `open_model`.

    Raises:
        ModelError: the file cannot be run here.
    """
    interpreter = open_model(path, content=content, **options)
    inputs = interpreter.get_input_details()
    if resize and len(inputs) == 1 and len(inputs[0]["shape"]) and inputs[0]["shape"][0] != 1:
        try:
            with quiet():
                interpreter.resize_tensor_input(inputs[0]["index"], [1, *inputs[0]["shape"][1:]])
                interpreter.allocate_tensors()
            if all(tuple(output["shape"][:1]) == (1,) for output in interpreter.get_output_details()):
                return interpreter
        except (ValueError, RuntimeError):  # its size is written inside the graph too
            pass
        interpreter = open_model(path, content=content, **options)
    allocate(interpreter, path)
    return interpreter


def invoke(interpreter: "Interpreter", path: str | Path) -> None:
    """Run what is set in the interpreter of a file.

    Raises:
        ModelError: an operator failed on what it was given.
    """
    try:
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{str(path)!r} failed while it ran: {str(error).strip()}") from error


def keeps_state(content: bytes) -> bool:
    """Return whether running a file changes a variable of it, apart from those that are set once before the first run.

    Raises:
        ModelError: it reads variables that nothing in it sets: the interpreter answers with what is in its memory.
    """
    main, *others = Flatbuffer(content).subgraphs
    kinds = {operator.name for graph in (main, *others) for operator in graph.operators}
    if "READ_VARIABLE" in kinds and "ASSIGN_VARIABLE" not in kinds:
        raise ModelError(
            "Expected a file that holds the values of its variables. Received: one that reads variables which nothing "
            "in it sets. Convert the model with its variables as constants"
        )
    called = () if {"CALL", "IF", "WHILE"}.isdisjoint(operator.name for operator in main.operators) else others
    return any(operator.name == "ASSIGN_VARIABLE" for graph in (main, *called) for operator in graph.operators)


def ports(details: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    """Inputs or outputs from what `get_input_details` or `get_output_details` returns."""
    return tuple(_port(detail) for detail in details)


def of_open_size(detail: dict[str, Any]) -> str:
    """Addition to a refusal of images where the file is of no one size; empty where it is."""
    if all(size >= 0 for size in detail["shape_signature"][1:]):
        return ""
    return ". The file leaves the size of its input open and runs with the one written in it: convert it for one size"


class Runner:
    """A TFLite model with one input and one output, as a function of batches of images.

    Images, (n, height, width, channels), are pixels, integers in [0, 255], or real numbers in the unit that the model
    was trained with; `tflite.scaling` says how the one becomes the other. They are quantized to the input's type where
    it is an integer one, and outputs are float32. No image leaves a state to the next. Where the file allows it, many
    images go through at once; the first batch is checked against single images, and a file that gives another result
    for a batch is run one image at a time. A file that was made for several images, and for no other number, is run
    with as many, black ones beside the last; one that keeps a state in variables is opened anew for every image.

    Args:
        path: TFLite file.
        threads: of the interpreter.
        delegate: "xnnpack" or "none".

    Raises:
        ModelError: the file cannot be opened or run, or has several inputs or outputs.
    """

    def __init__(self, path: str | Path, *, threads: int = 1, delegate: str = "xnnpack"):
        self.path = Path(path)
        self._content = read_model(path)
        self._options: dict[str, Any] = {"threads": threads, "delegate": delegate}
        self._stateful = keeps_state(self._content)
        self._single = self._open()
        inputs, outputs = self._single.get_input_details(), self._single.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"Expected a model with one input and one output. Received: {str(self.path)!r} with "
                f"{len(inputs)} and {len(outputs)}"
            )
        self._detail = inputs[0]
        self._input, self._output = self._detail["index"], outputs[0]["index"]
        self.input, self.output = _port(inputs[0]), _port(outputs[0])
        self._scaling = Scaling(path, self._content, self.input)
        elements = int(np.prod(self.input.shape[1:]))
        self.batch_size = max(1, min(_MOST_IMAGES, _MOST_NUMBERS // max(1, elements)))
        self._fixed = self.input.shape[0] if self.input.shape[:1] > (1,) else None
        if self._fixed is not None:
            self.batch_size = self._fixed
            if self.output.shape[:1] != (self._fixed,):
                raise ModelError(
                    f"Expected a row of outputs for each of {self._fixed} images. Received: {str(self.path)!r} with "
                    f"outputs {self.output.shape}"
                )
        self._batched: Interpreter | None = None
        self._checked = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Outputs of images, float32, the batch in front.

        Raises:
            ModelError: images of another shape than the model takes, or numbers of another unit.
        """
        return self.output.dequantize(self.integers(images))

    def numbers(self, images: np.ndarray) -> np.ndarray:
        """Images in the unit of the model: real numbers, or pixels where it takes those.

        Raises:
            ModelError: images of another shape than the model takes, or numbers of another unit.
        """
        return self._scaling(self._checked_images(images))

    def classes(self) -> int:
        """Number of classes of the outputs (batch, …, classes).

        Raises:
            ModelError: fewer than two, of which the largest score says nothing.
        """
        if len(self.output.shape) < 2 or self.output.shape[-1] < 2:
            raise ModelError(
                "Expected a classifier with outputs (batch, classes) of two or more classes. "
                f"Received: {str(self.path)!r} with {self.output.shape}"
            )
        return self.output.shape[-1]

    def integers(self, images: np.ndarray) -> np.ndarray:
        """Outputs of images in the output's own type."""
        return self.answers(self.numbers(images))

    def answers(self, numbers: np.ndarray) -> np.ndarray:
        """The same of what `numbers` returns."""
        numbers = self._checked_images(numbers)
        if self._fixed is not None:
            self._batched = self._single
        elif not self._checked and len(numbers) > 1:
            self._batched = self._make_batched(numbers)
            self._checked = True
        if self._batched is None:
            return np.concatenate([self._run(self._single, image[None]) for image in numbers])
        starts = range(0, len(numbers), self.batch_size)
        return np.concatenate([self._run_batch(self._batched, numbers[i : i + self.batch_size]) for i in starts])

    def _checked_images(self, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        expected = self.input.shape[1:]
        if images.ndim != len(expected) + 1 or images.shape[1:] != expected or not len(images):
            raise ModelError(
                f"Expected images of shape (n, {', '.join(map(str, expected))}) for {str(self.path)!r}. "
                f"Received: {images.shape}{of_open_size(self._detail)}"
            )
        if images.dtype.kind not in "uif":
            raise ModelError(f"Expected images of numbers. Received: {images.dtype}")
        self.input.check_whole(images)
        return images

    @property
    def batched(self) -> bool:
        """True if several images go through at once; known after the first call with several."""
        return self._batched is not None

    def _open(self) -> "Interpreter":
        return allocated(self.path, self._content, resize=not self._stateful, **self._options)

    def _make_batched(self, images: np.ndarray) -> "Interpreter | None":
        """An interpreter for `batch_size` images, or None where the file does not allow it.

        Threads need a batch to share (almost twice as fast with two), and tiny networks idle between single images.
        """
        if self.batch_size == 1 or self._stateful:  # the variables have a size of their own
            return None
        interpreter = open_model(self.path, content=self._content, **self._options)
        probe = images[: self.batch_size]
        try:
            with quiet():
                interpreter.resize_tensor_input(self._input, (self.batch_size, *self.input.shape[1:]))
                interpreter.allocate_tensors()
            if tuple(interpreter.get_output_details()[0]["shape"]) != (self.batch_size, *self.output.shape[1:]):
                return None
            several = self._run_batch(interpreter, probe)
        except (ValueError, RuntimeError):  # constants for a batch of one inside the graph
            return None
        for row in {0, len(probe) // 2, len(probe) - 1}:
            if not _same(several[row], self._run(self._single, probe[row : row + 1])[0]):
                return None
        return interpreter

    def _run_batch(self, interpreter: "Interpreter", images: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(images)
        if missing:
            images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        return self._run(interpreter, images)[: self.batch_size - missing]

    def _run(self, interpreter: "Interpreter", images: np.ndarray) -> np.ndarray:
        if self._stateful:
            interpreter = self._open()  # nothing else sets a variable back
        interpreter.set_tensor(self._input, self.input.quantize(images))
        interpreter.reset_all_variables()  # what a recurrent operator keeps of the images before
        invoke(interpreter, self.path)
        return interpreter.get_tensor(self._output)


def largest(outputs: np.ndarray) -> np.ndarray:
    """Index of the largest output of each row, and −1 for a row that holds NaN: it has no largest.

    >>> largest(np.array([[1.0, 3.0], [np.nan, 3.0], [2.0, -np.inf]]))
    array([ 1, -1,  0])
    """
    return np.where(np.isnan(outputs).any(axis=-1), -1, np.argmax(outputs, axis=-1))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Integers must be equal; floating-point sums may have been taken in another order."""
    if one.dtype.kind in "iu":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(other).max()))))


def _port(detail: dict[str, Any]) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    quantized = scale != 0.0
    return TensorSpec(
        name=detail["name"],
        dtype=np.dtype(detail["dtype"]).name,
        shape=tuple(int(size) for size in detail["shape"]),
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )
