"""A TFLite file on a phone as a function of images.

The tool runs one image a process: its inputs come from files, `--input_layer_value_files`, and its outputs go to one,
`--output_filepath`. Both are the tensors' own bytes. Old tools lack the second, those of LiteRT both.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tflite.android.folder import PhoneFolder
from tflite.benchmark_tool.delegation import Delegation
from tflite.benchmark_tool.failure import explain
from tflite.benchmark_tool.flags import IMAGE_FLAGS, Options, one_image
from tflite.benchmark_tool.log import parse_log, unconsumed_flags
from tflite.benchmark_tool.measuring import check_delegate, read_output
from tflite.errors import MeasurementError
from tflite.model_file.interpreter import Runner

_CHUNK = 25  # images between two signs of life
_SECONDS_AN_IMAGE = 20.0
_NUMBER = "IMAGE_NUMBER"
_ANOTHER = "Take a newer benchmark_model of TensorFlow Lite, not LiteRT's"

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class PhoneAnswers:
    """Outputs of images in the output's own type, what the delegate ran of the file, notes about it, and seconds."""

    outputs: np.ndarray
    delegation: Delegation
    notes: tuple[str, ...]
    seconds: float


class PhoneModel:
    """A file on a phone that answers the same images with one delegate after the other.

    Args:
        folder: on the phone.
        tool: its path there.
        graph: the file's path there.
        run: the file here, which says what goes in and comes out.
        images: what `run.numbers` returns.
    """

    def __init__(self, folder: PhoneFolder, tool: str, graph: str, run: Runner, images: np.ndarray):
        self._folder, self._tool, self._graph, self._run = folder, tool, graph, run
        self._count, self._rounds = len(images), 0
        with tempfile.TemporaryDirectory(prefix="images-") as local:
            for i, image in enumerate(run.input.quantize(images)):
                (Path(local) / f"{i:06}").write_bytes(np.ascontiguousarray(image).tobytes())
            folder.send_all(Path(local), "in")

    def answers(self, options: Options, progress: Progress | None = None) -> PhoneAnswers:
        """Answers with the delegate of `options`.

        Raises:
            MeasurementError: the tool crashed, cannot run images of ours, or did not run the delegate of `options`.
        """
        self._rounds += 1
        started = time.perf_counter()
        out = f"out{self._rounds}"
        self._folder.device.checked(f"mkdir {self._folder.path(out)}")
        delegation, notes = self._check(self._chunk(options, out, 0, 1), options.delegate)
        for start in range(1, self._count, _CHUNK):
            if progress is not None:
                progress(start, self._count)
            self._chunk(options, out, start, min(start + _CHUNK, self._count))
        if progress is not None:
            progress(self._count, self._count)
        return PhoneAnswers(self._outputs(out), delegation, notes, time.perf_counter() - started)

    def _chunk(self, options: Options, out: str, start: int, stop: int) -> str:
        """Run some images, and return what the tool printed for the last."""
        shape = (1, *self._run.input.shape[1:])
        files = (self._folder.path(f"{name}/{_NUMBER}") for name in ("in", out))
        arguments = one_image(options, self._graph, shape, *files)
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

    def _check(self, output: str, delegate: str) -> tuple[Delegation, tuple[str, ...]]:
        unknown = [name for name in unconsumed_flags(output) if name in IMAGE_FLAGS]
        if unknown:
            raise MeasurementError(
                f"The benchmark tool {self._tool!r} cannot run images of ours: it does not know "
                f"--{', --'.join(unknown)}. {_ANOTHER}"
            )
        log = read_output(parse_log, output, output)
        return log.delegation, check_delegate(log, delegate)

    def _outputs(self, out: str) -> np.ndarray:
        whole = f"{out}-all"
        self._folder.device.shell(f"cat {self._folder.path(out)}/* > {self._folder.path(whole)}", seconds=60)
        content = self._folder.fetch(whole) or b""
        port = self._run.output
        one = int(np.prod(port.shape[1:])) * np.dtype(port.dtype).itemsize
        if len(content) != self._count * one:
            raise MeasurementError(
                f"Expected {self._count} outputs of {one} bytes from the benchmark tool {self._tool!r}. Received: "
                f"{len(content)} bytes. {_ANOTHER}"
            )
        return np.frombuffer(content, port.dtype).reshape(self._count, *port.shape[1:])
