"""Results as JSON: those of this package, and of the program `litert-benchmark` of the package ai-edge-litert.

`litert-benchmark --result_json FILE` writes milliseconds with two digits behind the point. The official command
`litert benchmark` prints the log of `benchmark_model`, or leaves its result file, and has no JSON of its own. The jobs
of Google's AI Edge Portal have a format that is not published.
"""

import json
from typing import Any

from tflite.benchmark_tool.lines import printable
from tflite.benchmark_tool.measuring import Measurement
from tflite.benchmark_tool.statistics import Statistics
from tflite.benchmarking.benchmarks import Benchmarks
from tflite.benchmarking.result import BenchmarkResult
from tflite.errors import ModelError

# Keys that a job of AI Edge Portal has, after the requests that the official command sends.
_PORTAL = {"deviceConfigs", "runSpecs"}


def is_json(text: str) -> bool:
    """Return whether a text is meant as a JSON object: no log or profile begins so."""
    return text.lstrip().startswith("{")


def own_results(fields: dict[str, Any]) -> tuple[BenchmarkResult, ...] | None:
    """Results that `to_json` of this package wrote; None for an object of another kind.

    Raises:
        ModelError: one of this kind with fields missing or unknown.
    """
    if {"results", "rounds_ms"} <= fields.keys():
        return Benchmarks.from_json(json.dumps(fields)).results
    if {"mean_ms", "delegate", "device"} <= fields.keys():
        return (BenchmarkResult.from_fields(fields),)
    return None


def parse_object(text: str) -> dict[str, Any]:
    """The fields of a JSON object.

    Raises:
        ModelError: a text that is none, or is cut off.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"Expected a result as JSON. Received: a text that is cut off or none ({error})") from error
    if not isinstance(fields, dict):
        raise ModelError(f"Expected a result as JSON. Received: {type(fields).__name__}")
    return fields


def parse_litert(fields: dict[str, Any]) -> tuple[Measurement, str | None, int | None]:
    """The measurement of `litert-benchmark --result_json`, the model's name and the threads.

    Raises:
        ModelError: an object of another kind, or numbers that cannot belong together.
    """
    job = fields.get("response", fields)
    if isinstance(job, dict) and _PORTAL & job.keys():
        raise ModelError(
            "Expected a result of benchmark_model or litert-benchmark. Received: a job of AI Edge Portal, whose "
            "results have no published format. Download what the tool left on the device: its log or its result file"
        )
    latency = fields.get("latency")
    if not isinstance(latency, dict):
        raise ModelError(
            "Expected the JSON of `litert-benchmark --result_json` or `distiller benchmark --json`. "
            f"Received: one with {', '.join(repr(printable(str(key))) for key in list(fields)[:6]) or 'nothing'}"
        )
    names = ("avg_ms", "min_ms", "max_ms", "std_ms", "median_ms", "p95_ms", "init_ms", "warmup_first_ms")
    values = {name: _number(latency, name) for name in (*names, "num_runs", "num_warmup_runs")}
    runs, warmups = int(values["num_runs"]), int(values["num_warmup_runs"])
    ordered = [values[name] for name in ("min_ms", "median_ms", "p95_ms", "max_ms")]
    if runs < 1 or ordered != sorted(ordered) or not values["min_ms"] <= values["avg_ms"] <= values["max_ms"]:
        raise ModelError(
            f"Expected times that fit together. Received: {runs} runs, min {ordered[0]:g}, median {ordered[1]:g}, p95 "
            f"{ordered[2]:g}, max {ordered[3]:g} and mean {values['avg_ms']:g} ms"
        )
    us = {name: 1000 * values[name] for name in names}
    first = us["warmup_first_ms"] if warmups else None
    statistics = Statistics(
        runs, us["avg_ms"], us["std_ms"], us["min_ms"], us["max_ms"], None, us["median_ms"], us["p95_ms"]
    )
    delegate, note = _delegate(fields)
    notes = ("times are in hundredths of a millisecond", *((note,) if note else ()))
    found = Measurement(statistics, warmups, first, us["init_ms"], delegate, notes=notes)
    model, threads = fields.get("model"), fields.get("num_threads")
    return found, printable(model) if isinstance(model, str) else None, threads if isinstance(threads, int) else None


def _number(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ModelError(
            f"Expected a number {name!r} of 0 or more in `latency`. Received: {printable(repr(value))[:40]}"
        )
    return float(value)


def _delegate(fields: dict[str, Any]) -> tuple[str, str | None]:
    """The delegate that ran the whole file, or "unknown" and a sentence on what was asked for."""
    asked = [str(name) for name in fields.get("accelerators") or []]
    known = {"NPU": "npu", "GPU": "gpu", "CPU": "xnnpack"}
    if fields.get("fully_accelerated") is True and asked and asked[0] in known:
        if len(asked) == 1:
            return known[asked[0]], None
        return "unknown", f"which of {printable(', '.join(asked))} ran the file is not told"
    return "unknown", f"not wholly accelerated by {printable(', '.join(asked))}" if asked else None
