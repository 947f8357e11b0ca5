"""Accuracy of a TFLite file on an Android phone, and whether the phone answers as this machine does.

The tool runs one image a process: its inputs come from files, `--input_layer_value_files`, and its outputs go to one,
`--output_filepath`. Both are the tensors' own bytes. Old tools lack the second, those of LiteRT both.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.android.device import Device
from tflite.android.folder import PhoneFolder
from tflite.android.measure import place_tool
from tflite.android.phone import read_phone
from tflite.android.program import find_program
from tflite.benchmark_tool.failure import explain
from tflite.benchmark_tool.flags import IMAGE_FLAGS, Options, one_image
from tflite.benchmark_tool.log import parse_log, unconsumed_flags
from tflite.benchmark_tool.measuring import check_delegate, read_output
from tflite.benchmark_tool.termination import orderly
from tflite.errors import MeasurementError, ModelError
from tflite.model_file.interpreter import Runner, largest
from tflite.utils import samples
from tflite.utils.arguments import whole
from tflite.utils.record import Record

_CHUNK = 25  # images between two signs of life
_SECONDS_AN_IMAGE = 20.0
_NUMBER = "IMAGE_NUMBER"
_ANOTHER = "Take a newer benchmark_model of TensorFlow Lite, not LiteRT's"


@dataclass(frozen=True)
class PhoneEvaluation(Record):
    """Accuracy of a file on a phone, and how its outputs differ from this machine's.

    `accuracy` is the fraction correct / samples. `agreement` is the fraction of images with the same largest output
    here, and `max_difference` the largest difference of any output, in quantization steps where they are integers. An
    image with NaN among its outputs has no largest: it is not right and does not agree.
    """

    path: Path
    accuracy: float
    samples: int
    correct: int
    agreement: float
    max_difference: float
    seconds: float
    threads: int
    delegate: str
    device: str
    tool: str
    phone: dict[str, Any]
    notes: tuple[str, ...] = ()


def evaluate(
    path: str | Path,
    dataset: Any,
    *,
    serial: str | None = None,
    tool: str | Path | None = None,
    count: int = 100,
    threads: int = 1,
    delegate: str = "xnnpack",
    progress: Callable[[int, int | None], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> PhoneEvaluation:
    """Accuracy of a TFLite classifier on a phone, on the first images of a data set.

    Args:
        path: TFLite file with one input of images and one output of scores (1, classes). It is also run here: check a
            file from elsewhere with `tflite.check` first.
        dataset: images with labels, as for `tflite.evaluate`; unlabelled ones are left out.
        serial: of the phone; needed where several are connected.
        tool: as for `tflite.android.benchmark`, but not LiteRT's, which takes no images.
        count: how many images, at most; each is a run of the tool.
        threads: of the tool.
        delegate: "xnnpack", "gpu", "nnapi" or "none".
        progress: called with the images done and those in all.
        tell: called with sentences for the person who waits.

    Raises:
        ModelError: a file or images that do not fit, no labelled image, or an argument out of range.
        MeasurementError: as for `tflite.android.benchmark`; or a tool that cannot run images of ours.
    """
    options = Options(threads=threads, delegate=delegate)
    count = whole("count", count, 1)
    run = Runner(path)
    if len(run.output.shape) != 2 or run.input.shape[0] != 1:
        raise ModelError(
            f"Expected a classifier of one image with outputs (1, classes). Received: {str(path)!r} with inputs "
            f"{run.input.shape} and outputs {run.output.shape}"
        )
    run.classes()  # one score has no largest
    images, labels = _first(dataset, count, run)
    images = run.numbers(images)
    expected = run.answers(images)
    device = Device(serial)
    phone = read_phone(device)
    program = find_program(device, phone, tool)
    started = time.perf_counter()
    with orderly(), PhoneFolder(device, tell=tell) as folder:
        command = place_tool(folder, program)
        answers, notes = _Phone(folder, command, folder.send(run.path, "model.tflite"), options, run).answers(
            images, progress
        )
    guesses = largest(answers)
    correct = int(np.sum(guesses == labels))
    # Wider than any output type: a difference of int8 does not fit in int8.
    difference = np.abs(answers.astype("float64") - expected.astype("float64"))
    return PhoneEvaluation(
        path=Path(path),
        accuracy=correct / len(labels),
        samples=len(labels),
        correct=correct,
        agreement=float(np.mean((guesses == largest(expected)) & (guesses >= 0))),
        max_difference=float(difference.max()),
        seconds=time.perf_counter() - started,
        threads=options.threads,
        delegate=delegate,
        device=phone.name,
        tool=program.name,
        phone=phone.to_dict(),
        notes=notes,
    )


class _Phone:
    """A model on a phone as a function of images."""

    def __init__(self, folder: PhoneFolder, tool: str, graph: str, options: Options, run: Runner):
        self._folder, self._tool, self._graph, self._options, self._run = folder, tool, graph, options, run

    def answers(
        self, images: np.ndarray, progress: Callable[[int, int | None], None] | None
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Outputs of images in the output's own type, and notes about how they were computed."""
        with tempfile.TemporaryDirectory(prefix="images-") as local:
            for i, image in enumerate(self._run.input.quantize(images)):
                (Path(local) / f"{i:06}").write_bytes(np.ascontiguousarray(image).tobytes())
            self._folder.send_all(Path(local), "in")
        self._folder.device.checked(f"mkdir {self._folder.path('out')}")
        notes = self._check(self._chunk(0, 1))
        for start in range(1, len(images), _CHUNK):
            if progress is not None:
                progress(start, len(images))
            self._chunk(start, min(start + _CHUNK, len(images)))
        if progress is not None:
            progress(len(images), len(images))
        return self._outputs(len(images)), notes

    def _chunk(self, start: int, stop: int) -> str:
        """Run some images, and return what the tool printed for the last."""
        shape = (1, *self._run.input.shape[1:])
        files = (self._folder.path(f"{name}/{_NUMBER}") for name in ("in", "out"))
        arguments = one_image(self._options, self._graph, shape, *files)
        command = " ".join([self._tool, *arguments]).replace(_NUMBER, "$i")
        numbers = " ".join(f"{i:06}" for i in range(start, stop))
        script = (
            f"for i in {numbers}; do {command} > {self._folder.path('log')} 2>&1 || "
            f"{{ s=$?; cat {self._folder.path('log')}; exit $s; }}; done; cat {self._folder.path('log')}"
        )
        status, output = self._folder.script(script, seconds=_SECONDS_AN_IMAGE * (stop - start) + 30)
        if status:
            raise MeasurementError(f"The benchmark tool {self._tool!r} failed on an image: {explain(status, output)}")
        return output

    def _check(self, output: str) -> tuple[str, ...]:
        unknown = [name for name in unconsumed_flags(output) if name in IMAGE_FLAGS]
        if unknown:
            raise MeasurementError(
                f"The benchmark tool {self._tool!r} cannot run images of ours: it does not know "
                f"--{', --'.join(unknown)}. {_ANOTHER}"
            )
        return check_delegate(read_output(parse_log, output, output), self._options.delegate)

    def _outputs(self, count: int) -> np.ndarray:
        self._folder.device.shell(f"cat {self._folder.path('out')}/* > {self._folder.path('outputs')}", seconds=60)
        content = self._folder.fetch("outputs") or b""
        port = self._run.output
        one = int(np.prod(port.shape[1:])) * np.dtype(port.dtype).itemsize
        if len(content) != count * one:
            raise MeasurementError(
                f"Expected {count} outputs of {one} bytes from the benchmark tool {self._tool!r}. Received: "
                f"{len(content)} bytes. {_ANOTHER}"
            )
        return np.frombuffer(content, port.dtype).reshape(count, *port.shape[1:])


def _first(dataset: Any, count: int, run: Runner) -> tuple[np.ndarray, np.ndarray]:
    """The first labelled images and their labels."""
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for images, labels in samples.batches(dataset):
        if labels is None:
            raise ModelError("Expected images with labels. Received: images alone")
        labelled = labels >= 0
        parts.append((np.asarray(images)[labelled], labels[labelled]))
        if sum(len(part) for _, part in parts) >= count:
            break
    if not sum(len(part) for _, part in parts):
        raise ModelError("Expected at least one labelled image. Received: none")
    images = np.concatenate([part for part, _ in parts])[:count]
    labels = np.concatenate([part for _, part in parts])[:count]
    if labels.max() >= run.output.shape[1]:
        raise ModelError(f"Expected labels from 0 to {run.output.shape[1] - 1}. Received: {labels.max()}")
    return images, labels
