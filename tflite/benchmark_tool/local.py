"""The benchmark tool on this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tflite.benchmark_tool.affinity import affinity_mask, check_threads
from tflite.benchmark_tool.flags import Options
from tflite.benchmark_tool.lines import last_words
from tflite.benchmark_tool.measuring import measure
from tflite.benchmark_tool.termination import orderly
from tflite.benchmarking.images import images_in, operators_in
from tflite.benchmarking.machine import processor
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import MeasurementError, ModelError
from tflite.model_file.files import read_model


class LocalFolder:
    """A temporary folder of this machine to run the tool in."""

    def __init__(self, folder: Path, mask: str | None):
        self.folder = folder
        self._prefix = [] if mask is None else ["taskset", mask]

    def path(self, name: str) -> str:
        """The path of a file of this name."""
        return str(self.folder / name)

    def run(self, arguments: list[str], *, seconds: float) -> tuple[int, str]:
        """Exit status and what was printed; the program and what it started are ended when it takes longer."""
        try:
            process = subprocess.Popen(
                [*self._prefix, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        except OSError as error:
            raise MeasurementError(f"Could not start {arguments[0]!r}: {error.strerror or error}") from error
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            words = last_words((error.output or b"").decode(errors="replace"))
            raise MeasurementError(
                f"The benchmark tool {arguments[0]!r} took more than {seconds:g} s and was ended. "
                f"Its last words: {words}"
            ) from error
        finally:
            _end(process)
        return process.returncode, output.decode(errors="replace")

    def fetch(self, name: str) -> bytes | None:
        """The content of a file in the folder."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None


def benchmark(
    path: str | Path,
    *,
    tool: str | Path,
    threads: int = 1,
    delegate: str = "xnnpack",
    cores: Sequence[int] | str | None = None,
    runs: int = 50,
    warmup_runs: int = 10,
    min_seconds: float = 1.0,
    max_seconds: float = 60.0,
    profile: bool = False,
) -> BenchmarkResult:
    """Time a TFLite file with a `benchmark_model` of this machine.

    Args:
        path: TFLite file.
        tool: the program, of any generation; `tflite.android.benchmark` takes one to a phone.
        threads: of the tool.
        delegate: "xnnpack", "gpu", "nnapi" or "none"; another one than this is an error, not a number.
        cores: processor cores it may use, numbered from 0: `[0, 1]`, "0-3,6" or the mask "0xf0"; all where None.
        runs: at least this many are measured.
        warmup_runs: at least this many before, and half a second of them.
        min_seconds: measured time, at least.
        max_seconds: measured time after which no further run starts.
        profile: whether a second run measures operators and memory.

    Raises:
        ModelError: a file or a tool that is none, or an argument out of range.
        MeasurementError: the tool failed, took too long, or measured something else than was asked for.
    """
    options = Options(threads, runs, warmup_runs, min_seconds, max_seconds, delegate)
    mask = None if cores is None else affinity_mask(cores, available=os.cpu_count())
    if mask is not None:
        check_threads(options.threads, mask)
    content = read_model(path)
    program = local_tool(tool)
    if mask is not None and shutil.which("taskset") is None:
        raise ModelError("Expected the program `taskset` for `cores`. Received: none on the PATH. Leave `cores` out")
    with orderly(), tempfile.TemporaryDirectory(prefix="benchmark_model-") as folder:
        found = measure(
            LocalFolder(Path(folder), mask), str(program), str(Path(path).absolute()), options, profile=profile
        )
    return found.result(
        Path(path),
        threads=options.threads,
        images=images_in(content),
        operators=operators_in(content),
        bytes=len(content),
        device=processor(),
        versions={},
        tool=program.name,
    )


def local_tool(tool: str | Path) -> Path:
    """The absolute path of a program.

    Raises:
        ModelError: there is none, or it may not be executed.
    """
    path = Path(tool).expanduser().absolute()
    if not path.is_file():
        raise ModelError(f"Expected the program benchmark_model. Received: {str(tool)!r}, which does not exist")
    if not os.access(path, os.X_OK):
        raise ModelError(f"Expected a program. Received: {str(tool)!r}, which may not be executed: chmod +x it")
    return path


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program and of what it started, however its caller was left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
