"""Results that someone else measured with the tool, from the files that it leaves."""

import codecs
from pathlib import Path

from tflite.benchmark_tool.endings import parse_endings
from tflite.benchmark_tool.lines import whole_lines
from tflite.benchmark_tool.log import parse_log
from tflite.benchmark_tool.measuring import Measurement
from tflite.benchmark_tool.operator_profile import has_profile, parse_profile, parse_total
from tflite.benchmark_tool.result_proto import parse_result
from tflite.benchmarking.images import images_in, operators_in
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import ModelError
from tflite.model_file.files import read_model

_MOST_BYTES = 64 * 2**20

# No text has these characters. The second is the key of the times in a result file, which every such file has.
_BINARY = ("\0", "\x12")


def read(path: str | Path, *, model: str | Path | None = None) -> BenchmarkResult:
    """A result from what the benchmark tool printed or wrote.

    The kind is seen from the content: what was printed (also from a phone's logcat), the CSV file of a profile, or
    the binary file of `--result_file_path`. The times of a CSV file are the sum of the operators' times.

    Args:
        path: the file.
        model: the TFLite file that was measured, where it is at hand: the result then has its path and its size, and
            tells images a second.

    Raises:
        ModelError: no such file, another kind of file, or one that is cut off or holds numbers that do not fit.
    """
    path = Path(path)
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise ModelError(f"Expected a file of benchmark_model. Received: {str(path)!r}, which {state}")
    if path.stat().st_size > _MOST_BYTES:
        raise ModelError(f"Expected a file of benchmark_model. Received: {str(path)!r} of {path.stat().st_size} bytes")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Could not read {str(path)!r}: {error.strerror}") from error
    measured = None if model is None else read_model(model)
    try:
        found, graph, threads, logged_size = _parse(content)
    except ModelError as error:
        raise ModelError(f"Could not read {str(path)!r}: {error}") from error
    return found.result(
        Path(model) if model is not None else Path(graph) if graph else path,
        threads=threads,
        images=None if measured is None else images_in(measured),
        operators=None if measured is None else operators_in(measured),
        bytes=logged_size if measured is None else len(measured),
        device="unknown",
        versions={},
        tool=f"benchmark_model, from {path.name}",
    )


def _decoded(content: bytes) -> str:
    """Text by the mark of its byte order, which PowerShell writes, or else UTF-8; what is neither has odd letters."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _parse(content: bytes) -> tuple[Measurement, str | None, int | None, int | None]:
    """The measurement, and as far as they are told the model's name, the threads and the model's size in bytes."""
    text = _decoded(content)
    if any(letter in text for letter in _BINARY):
        file = parse_result(content)
        found = Measurement(
            file.runs, file.warmup_runs, file.first, file.init, "unknown", peak_memory_bytes=file.peak_memory_bytes
        )
        return found, None, None, file.model_bytes
    operators = parse_profile(text) if has_profile(text) else None
    if operators and not parse_endings(whole_lines(text)):
        runs = parse_total(text)
        note = "the times are the sum of the operators' times, from a profile alone"
        return Measurement(runs, None, None, None, "unknown", operators=operators, notes=(note,)), None, None, None
    log = parse_log(text)
    notes = () if log.delegation.note is None else (log.delegation.note,)
    name, peak = log.delegation.name, log.peak_memory_bytes
    found = Measurement(
        log.runs, log.warmup_runs, log.first, log.init, name, peak, operators, notes, delegation=log.delegation
    )
    return found, log.graph, log.threads, log.model_bytes
