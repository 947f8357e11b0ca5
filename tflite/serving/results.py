"""Results that a page sends back: checked field by field, for whoever has the address may send anything."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tflite.android.agreement import agreement, signs
from tflite.benchmarking.benchmarks import Benchmarks
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import ModelError
from tflite.serving.runtime import BUILDS, VERSION
from tflite.serving.served_model import ServedModel

# Limits of what a page may send: its own are far below.
_MOST_RUNS, _MOST_SAMPLES, _MOST_TEXT = 8, 5_000, 200
_MOST_THREADS = 256
# An hour: no run of a model that somebody waits for takes longer.
_MOST_MILLISECONDS = 3.6e6


def body_limit(models: Sequence[ServedModel]) -> int:
    """Bytes of the largest body that a page of these models sends."""
    answers = max(model.answers.size * 4 for model in models)
    return 65_536 + 20 * _MOST_RUNS * _MOST_SAMPLES + 2 * answers


def read_results(body: bytes, models: Sequence[ServedModel]) -> Benchmarks:
    """Latencies of a browser, with sentences on how its answers agree with those here.

    Args:
        body: JSON as the page sends it.
        models: that are served.

    Raises:
        ModelError: something else; the message names the field.
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Expected JSON. Received: {error}") from None
    if not isinstance(sent, dict):
        raise ModelError(f"Expected a JSON object. Received: {type(sent).__name__}")
    model = models[int(_number(sent, "model", 0, len(models) - 1, whole=True))]
    if _text(sent, "digest") != model.digest:
        raise ModelError("Expected results of the file that is served. Received: those of another")
    if _text(sent, "build") not in BUILDS:
        raise ModelError(f"Expected a build of {', '.join(BUILDS)}. Received: another")
    device, browser = _device(sent.get("device"))
    shared = {
        "bytes": len(model.original),
        "device": device,
        "tool": f"LiteRT.js {VERSION}",
        "versions": {"@litertjs/core": VERSION, "browser": browser, "build": sent["build"]},
    }
    runs = sent.get("runs")
    if not isinstance(runs, list) or not 1 <= len(runs) <= _MOST_RUNS or not all(isinstance(r, dict) for r in runs):
        raise ModelError(f"Expected one to {_MOST_RUNS} runs. Received: something else")
    notes = (*_changes(model), *_sentences(_answers(sent.get("answers"), model), model))
    results = tuple(_result(run, model, shared, notes) for run in runs)
    return Benchmarks(results, (), (), 0.95)


def _changes(model: ServedModel) -> Iterator[str]:
    if model.changes:
        yield f"A copy of the file ran, for a browser takes no int8 and no int16: {'; '.join(model.changes)}"
    if model.replaced:
        yield "The file was replaced after it was served: these numbers are of the one before"


def _result(run: dict[str, Any], model: ServedModel, shared: dict[str, Any], notes: tuple[str, ...]) -> BenchmarkResult:
    samples = run.get("samples_ms")
    if not isinstance(samples, list) or not 1 <= len(samples) <= _MOST_SAMPLES:
        raise ModelError(f"Expected samples_ms with 1 to {_MOST_SAMPLES:,} times. Received: something else")
    times = [_number({"samples_ms": each}, "samples_ms", 0, _MOST_MILLISECONDS) for each in samples]
    repeats = int(_number(run, "repeats", 1, 1e6, whole=True))
    resolution = _number(run, "resolution_ms", 0, 1e4)
    found = BenchmarkResult.of(
        model.path,
        times,
        warmup_runs=int(_number(run, "warmup_runs", 0, 1e6, whole=True)),
        threads=int(_number(run, "threads", 1, _MOST_THREADS, whole=True)),
        first_ms=_number(run, "first_ms", 0, _MOST_MILLISECONDS),
        init_ms=_number(run, "init_ms", 0, _MOST_MILLISECONDS),
        **shared,
    )
    clock = f"The browser's clock moves in steps of {resolution:.3g} ms"
    if repeats > 1:
        clock += f": each time is the mean of {repeats:,} runs, so that p90 is of such means"
    return replace(found, notes=(*notes, clock))


def _answers(sent: Any, model: ServedModel) -> np.ndarray:
    """Outputs of the images in the type of the copy's output, (n, classes)."""
    dtype = np.dtype(model.output.dtype).newbyteorder("<")
    try:
        content = base64.b64decode(sent, validate=True) if isinstance(sent, str) else b""
    except binascii.Error:
        content = b""
    expected = model.answers.size * dtype.itemsize
    if len(content) != expected:
        raise ModelError(f"Expected answers of {expected:,} bytes in base64. Received: {len(content):,}")
    return np.frombuffer(content, dtype).reshape(model.answers.shape)


def _sentences(answers: np.ndarray, model: ServedModel) -> tuple[str, ...]:
    """Sentences on how a browser's answers agree with the interpreter's here."""
    port = model.output
    expected = model.answers if not port.quantized else port.quantize(model.answers)
    found = agreement(answers, expected)
    count = len(answers)
    unit = f"{found.max_difference:.0f} steps of {port.scale:.4g}" if port.quantized else f"{found.max_difference:.3g}"
    said = [
        f"Answers {count:,} images with the class that the interpreter gives here on "
        f"{round(found.same_class * count):,}; the largest difference of an output is {unit}"
    ]
    if model.truth is not None:
        right = [int((scores.argmax(axis=1) == model.truth).sum()) for scores in (answers, expected)]
        said.append(f"Right on {right[0]:,} of {count:,} images in the browser, on {right[1]:,} here")
    said += [f"WRONG: {sign}" for sign in signs(answers, expected, port)]
    return tuple(said)


def _device(sent: Any) -> tuple[str, str]:
    """The name of a device, and that of its browser."""
    if not isinstance(sent, dict):
        raise ModelError("Expected the device as a JSON object. Received: something else")
    name, model, system, browser = (_text(sent, field) for field in ("name", "model", "system", "browser"))
    described = ", ".join(part for part in (model, system) if part)
    device = f"{name} ({described})" if name and described else name or described or "a browser"
    return (f"{device}, {browser}" if browser else device), browser


def _text(sent: dict[str, Any], field: str) -> str:
    """A text on one line, without the characters that a terminal obeys."""
    value = sent.get(field)
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise ModelError(f"Expected {field} as a text of at most {_MOST_TEXT} characters. Received: something else")
    return "".join(each for each in value if each.isprintable()).strip()


def _number(sent: dict[str, Any], field: str, low: float, high: float, *, whole: bool = False) -> float:
    value = sent.get(field)
    kinds = (int,) if whole else (int, float)
    # Not a number is in no range, and neither is what is too large for one.
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise ModelError(f"Expected {field} as {kind} from {low:g} to {high:g}. Received: something else")
    return float(value)
