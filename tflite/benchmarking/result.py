"""The result of measuring a latency, wherever it was measured."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tflite.benchmarking.operator_time import OperatorTime, from_fields
from tflite.errors import ModelError
from tflite.utils.record import Record


@dataclass(frozen=True)
class BenchmarkResult(Record):
    """Latency of one run, in milliseconds, and all that it depends on.

    A run takes as many images as the file does at once, most often one.

    `p90_ms`, `p95_ms` and `p99_ms` are percentiles, interpolated; `std_ms` is the standard deviation of the measured
    runs. `device` names the processor, `tool` what measured, and `phone` what is known of a phone. What a tool does
    not tell is None: old tools print neither median nor percentiles, and a log of someone else's may not say how big
    the file was. `notes` are sentences that belong to the numbers: a delegate that ran a part of the model, a phone
    that stayed hot. `delegated_operators` of the `file_operators` ran in the delegate, all others in the interpreter's
    own kernels; None where the tool does not say how many. On this machine:

    - `median_ms` is the median of the medians of the rounds, so that it lies in its interval; percentiles, mean and
      deviation are those of all runs.
    - `warmup_runs` ran before the first round: fewer than were asked for where the time for them was over.
    - `first_ms` is the first run, which packs weights and fills caches; it is not among the measured ones.
    - `init_ms` is the time until a file's interpreter is ready to run: opening, delegating, allocating.
    - `peak_memory_bytes` is the most resident memory of the process that ran the file, above what it had before.
    - `median_interval_ms` holds the true median with the confidence that was asked for, 95 % by default: the interval
      of `tflite.benchmarking.intervals` over the medians of the rounds. None for too few rounds.
    - `noise` is the standard deviation of those medians as a fraction of their mean: how steady the machine was.
    - `throughput` is in images a second, one run after the other, however many a run has; None where the file is not
      at hand that tells how many.
    - `samples_ms` holds every run, where they were kept; `operators` where the time went, where that was asked for.

    >>> from tflite import BenchmarkResult
    >>> result = BenchmarkResult.of("a.tflite", [1.0, 2.0, 4.0], bytes=10, warmup_runs=1, device="a phone")
    >>> result.median_ms, result.p90_ms, result.runs
    (2.0, 3.6, 3)
    >>> BenchmarkResult.from_json(result.to_json()) == result
    True
    """

    path: Path
    bytes: int | None
    median_ms: float | None
    p90_ms: float | None
    mean_ms: float
    std_ms: float
    min_ms: float
    runs: int
    warmup_runs: int | None
    threads: int | None
    delegate: str
    device: str
    versions: dict[str, str]
    p95_ms: float | None = None
    p99_ms: float | None = None
    first_ms: float | None = None
    init_ms: float | None = None
    peak_memory_bytes: int | None = None
    throughput: float | None = None
    median_interval_ms: tuple[float, float] | None = None
    noise: float | None = None
    tool: str = ""
    phone: dict[str, Any] | None = None
    operators: tuple[OperatorTime, ...] | None = None
    samples_ms: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    delegated_operators: int | None = None
    file_operators: int | None = None

    @classmethod
    def of(
        cls,
        path: str | Path,
        samples_ms: Sequence[float],
        *,
        bytes: int,
        warmup_runs: int,
        device: str,
        threads: int = 1,
        delegate: str = "xnnpack",
        versions: dict[str, str] | None = None,
        images: int = 1,
        first_ms: float | None = None,
        init_ms: float | None = None,
        peak_memory_bytes: int | None = None,
        tool: str = "",
        phone: dict[str, Any] | None = None,
        operators: tuple[OperatorTime, ...] | None = None,
        keep_samples: bool = False,
    ) -> "BenchmarkResult":
        """The result of runs that took `samples_ms`, of `images` each."""
        times = np.asarray(samples_ms, "float64")
        if times.ndim != 1 or not len(times):
            raise ModelError(f"Expected the times of one run or more. Received: {times.shape}")
        total_ms = float(times.sum())
        return cls(
            path=Path(path),
            bytes=bytes,
            median_ms=float(np.median(times)),
            p90_ms=float(np.percentile(times, 90)),
            mean_ms=float(times.mean()),
            std_ms=float(times.std()),
            min_ms=float(times.min()),
            runs=len(times),
            warmup_runs=warmup_runs,
            threads=threads,
            delegate=delegate,
            device=device,
            versions=versions or {},
            p95_ms=float(np.percentile(times, 95)),
            p99_ms=float(np.percentile(times, 99)),
            first_ms=first_ms,
            init_ms=init_ms,
            peak_memory_bytes=peak_memory_bytes,
            throughput=1000 * images * len(times) / total_ms if total_ms else None,
            tool=tool,
            phone=phone,
            operators=operators,
            samples_ms=tuple(times.tolist()) if keep_samples else None,
        )

    @classmethod
    def from_json(cls, text: str) -> "BenchmarkResult":
        """The result that `to_json` wrote.

        Raises:
            ModelError: not JSON, or fields missing or unknown; the message names them.
        """
        try:
            fields: dict[str, Any] = dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise ModelError(f"Expected the JSON of a benchmark result. Received: {text[:40]!r} ({error})") from error
        known = {field.name for field in dataclasses.fields(cls)}
        needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        if not needed <= fields.keys() <= known:
            raise ModelError(
                "Expected the fields of a benchmark result. "
                f"Missing: {sorted(needed - fields.keys())}. Unknown: {sorted(fields.keys() - known)}"
            )
        operators = fields.get("operators")
        try:
            fields["path"] = Path(fields["path"])
            for name in ("samples_ms", "median_interval_ms"):
                fields[name] = None if fields.get(name) is None else tuple(fields[name])
            fields["notes"] = tuple(fields.get("notes", ()))
            fields["operators"] = None if operators is None else tuple(map(from_fields, operators))
        except TypeError as error:
            raise ModelError(f"Expected the fields of a benchmark result. Received: others inside ({error})") from error
        return cls(**fields)

    @classmethod
    def from_fields(cls, fields: Any) -> "BenchmarkResult":
        """The result of a JSON object; it raises what `from_json` raises."""
        return cls.from_json(json.dumps(fields))
