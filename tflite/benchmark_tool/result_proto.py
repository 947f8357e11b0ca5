"""The result file that newer tools write with `--result_file_path`: a protocol buffer, more exact than the log.

Its messages are declared here, field by field, and decoded by Google's own library: a generated module refuses
other versions of protobuf than the one that it was generated for, and would be as long.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

from tflite.benchmark_tool.statistics import Statistics
from tflite.errors import ModelError

_FLOAT, _INT64, _INT32, _STRING, _MESSAGE = 2, 3, 5, 9, 11  # google.protobuf.FieldDescriptorProto.Type

_LATENCY = ("avg", "min", "max", "stddev", "median", "p5", "p95", "init", "first_inference", "average_warm_up")
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "Latency": tuple((f"{name}_ms", _FLOAT, "") for name in _LATENCY),
    "Memory": (("init_footprint_kb", _INT64, ""), ("overall_footprint_kb", _INT64, ""), ("peak_mem_mb", _FLOAT, "")),
    "Misc": (
        ("model_size_mb", _FLOAT, ""),
        ("num_runs", _INT32, ""),
        ("num_warmup_runs", _INT32, ""),
        ("model_throughput_in_mb_per_sec", _FLOAT, ""),
    ),
    "Result": (
        ("name", _STRING, ""),
        ("latency", _MESSAGE, "Latency"),
        ("memory", _MESSAGE, "Memory"),
        ("misc", _MESSAGE, "Misc"),
    ),
}


@dataclass(frozen=True)
class ResultFile:
    """Content of a result file, in microseconds and bytes."""

    runs: Statistics
    warmup_runs: int | None
    first: float | None
    init: float
    peak_memory_bytes: int | None
    model_bytes: int | None


def parse_result(content: bytes) -> ResultFile:
    """The content of a result file.

    Raises:
        ModelError: another file, one that is cut off, or numbers that cannot belong together.
    """
    from google.protobuf.message import DecodeError

    message = _result_class()()
    try:
        message.ParseFromString(content)
    except (DecodeError, RecursionError) as error:
        raise ModelError(
            f"Expected the result file of benchmark_model. Received: {len(content)} bytes of another kind or cut off"
        ) from error
    latency, misc = message.latency, message.misc
    needed = [(latency, f"{name}_ms") for name in ("avg", "min", "max", "stddev", "init")] + [(misc, "num_runs")]
    missing = [name for part, name in needed if not part.HasField(name)]
    if missing:
        raise ModelError(f"Expected the result file of benchmark_model. Received: one without {', '.join(missing)}")
    _check(latency, misc)
    warmup_runs = misc.num_warmup_runs if misc.HasField("num_warmup_runs") else None
    first = latency.first_inference_ms * 1000 if latency.HasField("first_inference_ms") else None
    memory = message.memory
    return ResultFile(
        runs=Statistics(
            count=misc.num_runs,
            mean=latency.avg_ms * 1000,
            std=latency.stddev_ms * 1000,
            min=latency.min_ms * 1000,
            max=latency.max_ms * 1000,
            median=latency.median_ms * 1000 if latency.HasField("median_ms") else None,
            p95=latency.p95_ms * 1000 if latency.HasField("p95_ms") else None,
        ),
        warmup_runs=warmup_runs,
        first=None if warmup_runs == 0 else first,
        init=latency.init_ms * 1000,
        peak_memory_bytes=round(memory.peak_mem_mb * 2**20) if memory.HasField("peak_mem_mb") else None,
        model_bytes=_model_bytes(misc),
    )


def _check(latency: Any, misc: Any) -> None:
    numbers = [getattr(latency, f"{name}_ms") for name in _LATENCY if latency.HasField(f"{name}_ms")]
    fits = all(math.isfinite(number) and number >= 0 for number in numbers) and misc.num_runs >= 1
    spread = latency.max_ms * (1 + 1e-6)
    inside = [latency.avg_ms, *(getattr(latency, f) for f in ("median_ms", "p5_ms", "p95_ms") if latency.HasField(f))]
    if not (fits and all(latency.min_ms * (1 - 1e-6) <= number <= spread for number in inside)):
        raise ModelError(
            f"Expected times that fit together in the result file. Received: mean {latency.avg_ms:g} ms, least "
            f"{latency.min_ms:g}, most {latency.max_ms:g}, {misc.num_runs} runs"
        )


def _model_bytes(misc: Any) -> int | None:
    """The size of the model where single precision holds it to the byte."""
    size = misc.model_size_mb * 1e6
    return round(size) if misc.HasField("model_size_mb") and 0 < size < 2**22 else None


@functools.cache
def _result_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "tflite.benchmark_model"
    file = descriptor_pb2.FileDescriptorProto(name="tflite/benchmark_model.proto", package=package, syntax="proto2")
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for number, (field, kind, message) in enumerate(fields, start=1):
            made = declared.field.add(name=field, number=number, type=kind, label=1)
            if message:
                made.type_name = f".{package}.{message}"
    pool = descriptor_pool.DescriptorPool()  # one of our own: the shared one may know these names
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Result"))
