"""Results that someone else measured with the tool, from the files that it leaves."""

import codecs
from pathlib import Path

from tflite.benchmark_tool.endings import parse_endings
from tflite.benchmark_tool.json_results import is_json, own_results, parse_litert, parse_object
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
    """A result from what a benchmark tool printed or wrote.

    The kind is seen from the content: what `benchmark_model` printed (also from a phone's logcat, or through the
    command `litert benchmark`), the CSV file of a profile, the binary file of `--result_file_path`, the JSON of
    `litert-benchmark --result_json`, or this package's own. The times of a CSV file are the sum of the operators'.

    Args:
        path: the file.
        model: the TFLite file that was measured, where it is at hand: the result then has its path and its size, and
            tells images a second.

    Raises:
        ModelError: no such file, another kind of file, or one that is cut off or holds numbers that do not fit; JSON
            with several results, which `read_all` reads.
    """
    found = read_all(path, model=model)
    if len(found) != 1:
        raise ModelError(
            f"Expected a file with one result. Received: {str(path)!r} with {len(found)}. tflite.tool.read_all reads it"
        )
    return found[0]


def read_all(path: str | Path, *, model: str | Path | None = None) -> tuple[BenchmarkResult, ...]:
    """All results of a file: JSON of `distiller benchmark --json` may hold several, all other kinds hold one.

    Args:
        path: as for `read`.
        model: as for `read`; the results of this package name their files themselves.

    Raises:
        ModelError: as for `read`.
    """
    path = Path(path)
    content = _content(path)
    measured = None if model is None else read_model(model)
    try:
        text = _decoded(content)
        if is_json(text):
            fields = parse_object(text)
            if (own := own_results(fields)) is not None:
                return own
            found, graph, threads = parse_litert(fields)
            logged_size, tool = None, "litert-benchmark"
        else:
            found, graph, threads, logged_size = _parse(content, text)
            tool = "benchmark_model"
    except ModelError as error:
        raise ModelError(f"Could not read {str(path)!r}: {error}") from error
    result = found.result(
        Path(model) if model is not None else Path(graph) if graph else path,
        threads=threads,
        images=None if measured is None else images_in(measured),
        operators=None if measured is None else operators_in(measured),
        bytes=logged_size if measured is None else len(measured),
        device="unknown",
        versions={},
        tool=f"{tool}, from {path.name}",
    )
    return (result,)


def _content(path: Path) -> bytes:
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise ModelError(f"Expected a file of benchmark_model. Received: {str(path)!r}, which {state}")
    if path.stat().st_size > _MOST_BYTES:
        raise ModelError(f"Expected a file of benchmark_model. Received: {str(path)!r} of {path.stat().st_size} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"Could not read {str(path)!r}: {error.strerror}") from error


def _decoded(content: bytes) -> str:
    """Text by the mark of its byte order, which PowerShell writes, or else UTF-8; what is neither has odd letters."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _parse(content: bytes, text: str) -> tuple[Measurement, str | None, int | None, int | None]:
    """The measurement, and as far as they are told the model's name, the threads and the model's size in bytes."""
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
