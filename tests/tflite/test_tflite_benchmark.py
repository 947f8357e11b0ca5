"""Latencies: their statistics against the standard library, the rules of how often to run, and JSON."""

import dataclasses
import json
import statistics

import numpy as np
import pytest

import tflite
from tflite import BenchmarkResult, ModelError, OperatorTime
from tflite.benchmark import host


def result(times=(3.0, 1.0, 2.0, 10.0), **options):
    return BenchmarkResult.of("a.tflite", times, bytes=100, warmup_runs=2, device="a phone", **options)


def test_statistics():
    times = np.random.default_rng(0).exponential(5.0, 999).tolist()
    got = result(times)
    assert got.median_ms == pytest.approx(statistics.median(times))
    assert got.p90_ms == pytest.approx(statistics.quantiles(times, n=10, method="inclusive")[-1])
    assert got.mean_ms == pytest.approx(statistics.fmean(times))
    assert got.std_ms == pytest.approx(statistics.pstdev(times))
    assert got.p99_ms == pytest.approx(statistics.quantiles(times, n=100, method="inclusive")[-1])
    assert got.throughput == pytest.approx(1000 / statistics.fmean(times))
    assert result(times, images=4).throughput == pytest.approx(4000 / statistics.fmean(times))
    assert (got.min_ms, got.runs, got.samples_ms) == (min(times), 999, None)


def test_measured_on_this_machine(files):
    got = tflite.benchmark(files["int8"].path, runs=20, warmup_runs=3, min_seconds=0, keep_samples=True)
    assert (got.runs, got.warmup_runs, got.threads, got.delegate) == (20, 3, 1, "xnnpack")
    assert 0 < got.min_ms <= got.median_ms <= got.p90_ms < 100
    assert got.bytes == files["int8"].bytes
    assert got.device
    assert {"python", "ai-edge-litert"} <= got.versions.keys()
    assert got.median_ms == statistics.median(got.samples_ms)


def test_every_scheme_delegate_and_number_of_threads(files):
    for conversion in files.values():
        got = tflite.benchmark(conversion.path, threads=2, runs=2, warmup_runs=0, min_seconds=0, delegate="none")
        assert (got.threads, got.delegate, got.warmup_runs) == (2, "none", 0)


class Clock:
    """Time that passes only while a model runs: 10 ms a run."""

    def __init__(self, monkeypatch):
        self.now = 0
        self.invoked = 0
        monkeypatch.setattr(host.time, "perf_counter_ns", lambda: self.now)

    def run(self):
        self.now += 10_000_000
        self.invoked += 1


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({"runs": 5, "min_seconds": 0.0}, 5),
        ({"runs": 5, "min_seconds": 0.2}, 20),
        ({"runs": 500, "min_seconds": 0.0, "max_seconds": 0.3}, 30),
    ],
)
def test_how_often_it_runs(files, monkeypatch, options, runs):
    clock = Clock(monkeypatch)
    opened = host.open_model

    def timed(*arguments, **named):
        interpreter = opened(*arguments, **named)
        invoke = interpreter.invoke
        monkeypatch.setattr(interpreter, "invoke", lambda: (clock.run(), invoke()))
        return interpreter

    monkeypatch.setattr(host, "open_model", timed)
    got = tflite.benchmark(files["int8"].path, warmup_runs=4, **options)
    assert got.runs == runs
    assert clock.invoked == runs + 4
    assert got.median_ms == pytest.approx(10.0)
    assert got.std_ms == pytest.approx(0.0)


def test_json_round_trip():
    operators = (OperatorTime("y", "CONV_2D", 1.5, 0.75, 1, True), OperatorTime("z", "SOFTMAX", 0.5, 0.25, 2, False))
    for options in (
        {},
        {"keep_samples": True, "versions": {"python": "3"}},
        {"first_ms": 9.0, "init_ms": 3.0, "peak_memory_bytes": 4096, "tool": "benchmark_model", "operators": operators},
        {"phone": {"model": "Pixel", "temperature": 31.5}},
    ):
        got = result(**options)
        assert BenchmarkResult.from_json(got.to_json()) == got


def test_result_of_a_tool_that_tells_little():
    got = dataclasses.replace(result(), median_ms=None, p90_ms=None, p99_ms=None, throughput=None)
    assert BenchmarkResult.from_json(got.to_json()) == got


def test_result_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        result().runs = 3


def test_json_that_is_none():
    with pytest.raises(ModelError, match=r"Expected the JSON of a benchmark result. Received: 'nonsense'"):
        BenchmarkResult.from_json("nonsense")
    with pytest.raises(ModelError, match=r"Expected the JSON of a benchmark result. Received: '3'"):
        BenchmarkResult.from_json("3")
    fields = result().to_dict()
    del fields["runs"]
    with pytest.raises(ModelError, match=r"Missing: \['runs'\]. Unknown: \['speed'\]"):
        BenchmarkResult.from_json(json.dumps({**fields, "speed": 1}))
    for wrong in ({"operators": [{"kernel": "x"}]}, {"samples_ms": 3}, {"path": None}):
        with pytest.raises(ModelError, match="Received: others inside"):
            BenchmarkResult.from_json(json.dumps({**result().to_dict(), **wrong}))


def test_arguments(files, tmp_path):
    path = files["int8"].path
    for options, message in [
        ({"runs": 0}, "`runs`. Expected at least 1. Received: runs=0"),
        ({"warmup_runs": -1}, "`warmup_runs`. Expected at least 0. Received: warmup_runs=-1"),
        ({"min_seconds": -1.0}, "`min_seconds`. Expected at least 0"),
        (
            {"min_seconds": 2.0, "max_seconds": 1.0},
            "`max_seconds` of at least `min_seconds`. Received: max_seconds=1.0",
        ),
        ({"threads": 0}, "`threads`. Expected at least 1"),
        ({"delegate": "gpu"}, "`delegate`. Expected one of"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.benchmark(path, **options)
    with pytest.raises(ModelError, match="does not exist"):
        tflite.benchmark(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match="Expected the times of one run or more"):
        result([])
