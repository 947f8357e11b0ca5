"""Latencies: their statistics against the standard library, the rules of how often to run, and JSON."""

import dataclasses
import json
import statistics

import numpy as np
import pytest
from support import hostile_files

import tflite
from tflite import BenchmarkResult, ModelError, OperatorTime
from tflite.benchmarking import local, session
from tflite.benchmarking.plan import Plan
from tflite.model_file.interpreter import allocate, open_model
from tflite.utils.quiet import quiet


def result(times=(3.0, 1.0, 2.0, 10.0), **options):
    return BenchmarkResult.of("a.tflite", times, bytes=100, warmup_runs=2, device="a phone", **options)


def test_statistics():
    times = np.random.default_rng(0).exponential(5.0, 999).tolist()
    got = result(times)
    assert got.median_ms == pytest.approx(statistics.median(times))
    assert got.p90_ms == pytest.approx(statistics.quantiles(times, n=10, method="inclusive")[-1])
    assert got.p95_ms == pytest.approx(statistics.quantiles(times, n=20, method="inclusive")[-1])
    assert got.p99_ms == pytest.approx(statistics.quantiles(times, n=100, method="inclusive")[-1])
    assert got.mean_ms == pytest.approx(statistics.fmean(times))
    assert got.std_ms == pytest.approx(statistics.pstdev(times))
    assert got.throughput == pytest.approx(1000 / statistics.fmean(times))
    assert result(times, images=4).throughput == pytest.approx(4000 / statistics.fmean(times))
    assert (got.min_ms, got.runs, got.samples_ms) == (min(times), 999, None)


def test_measured_on_this_machine(files):
    got = tflite.benchmark(files["int8"].path, runs=20, warmup_runs=3, min_seconds=0, keep_samples=True)
    assert (got.runs, got.warmup_runs, got.threads, got.delegate) == (20, 3, 1, "xnnpack")
    seen = tflite.inspect(got.path)
    assert (got.delegated_operators, got.file_operators) == (sum(map(len, seen.partitions)), len(seen.operators))
    assert 0 < got.min_ms <= got.median_ms <= got.p90_ms <= got.p99_ms < 1000
    assert got.bytes == files["int8"].bytes
    assert got.device
    assert {"python", "ai-edge-litert"} <= got.versions.keys()
    assert got.tool == f"ai-edge-litert {got.versions['ai-edge-litert']}"
    assert got.throughput == pytest.approx(1000 / statistics.fmean(got.samples_ms))
    assert got.first_ms > 0
    assert got.init_ms > 0
    rounds = [statistics.median(got.samples_ms[i : i + 2]) for i in range(0, 20, 2)]
    assert got.median_ms == pytest.approx(statistics.median(rounds))
    assert got.median_interval_ms == pytest.approx((sorted(rounds)[1], sorted(rounds)[8]))
    assert got.noise == pytest.approx(statistics.stdev(rounds) / statistics.fmean(rounds))


def test_several_images_a_run(tmp_path):
    path = tmp_path / "four.tflite"
    path.write_bytes(hostile_files.sum_of_rows(rows=4))
    got = tflite.benchmark(path, runs=3, warmup_runs=0, min_seconds=0, keep_samples=True)
    assert got.throughput == pytest.approx(4000 / statistics.fmean(got.samples_ms))


def test_the_median_lies_in_its_interval():
    """Rounds that end by time have the more runs the faster the machine was: half of all are of the last one."""
    slow, fast = [3_000_000] * 10, [1_000_000] * 100
    start = {"bytes": 9, "first_ns": 1, "init_ns": 1, "images": 1, "warmup_runs": 10, "delegated": 8, "operators": 9}
    got = local._result(("a.tflite", 1, "xnnpack"), start, [*[slow] * 9, fast], 0, Plan(), True)
    assert statistics.median(got.samples_ms) == 1.0
    assert (got.median_ms, got.median_interval_ms) == (3.0, (3.0, 3.0))
    assert BenchmarkResult.from_json(got.to_json()) == got
    once = local._result(("a.tflite", 1, "xnnpack"), start, [[1_000_000, 2_000_000]], 0, Plan(), True)
    assert once.median_ms == 1.5


def test_without_a_delegate(files):
    for scheme in ("dynamic", "float16"):
        got = tflite.benchmark(files[scheme].path, threads=2, runs=2, warmup_runs=0, min_seconds=0, delegate="none")
        assert (got.threads, got.delegate, got.warmup_runs) == (2, "none", 1)  # the first run is never measured
        assert (got.delegated_operators, got.file_operators) == (0, len(tflite.inspect(files[scheme].path).operators))
        assert got.median_interval_ms is None  # two rounds are too few


def test_memory(tmp_path):
    """A tensor of 32 MiB more takes 32 MiB more."""
    path, peaks = tmp_path / "filled.tflite", []
    for size in (1, 2**23):
        path.write_bytes(hostile_files.filled(size))
        peaks.append(tflite.benchmark(path, runs=1, warmup_runs=0, min_seconds=0).peak_memory_bytes)
    assert peaks[0] < 32 * 2**20
    assert peaks[1] - peaks[0] == pytest.approx(32 * 2**20, rel=0.1)


def test_memory_is_that_of_the_file(files):
    """Neither the inputs that were made ready nor the times that were kept belong to it."""
    path = files["float32"].path
    images = np.zeros((60_000, 8, 8, 1), np.uint8)  # 15 MiB as the model takes them
    plain = tflite.benchmark(path, runs=20, min_seconds=0).peak_memory_bytes
    given = tflite.benchmark(path, runs=20, min_seconds=0, inputs=images).peak_memory_bytes
    long = tflite.benchmark(path, min_seconds=1, rounds=1).peak_memory_bytes
    assert given == pytest.approx(plain, abs=2 * 2**20)
    assert long == pytest.approx(plain, abs=2 * 2**20)


class Clock:
    """Time that passes only while a model runs: 10 ms a run."""

    def __init__(self, monkeypatch):
        self.now = 0
        self.invoked = 0
        monkeypatch.setattr(session.time, "perf_counter_ns", lambda: self.now)

    def run(self):
        self.now += 10_000_000
        self.invoked += 1
        return 10_000_000


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({"runs": 5, "min_seconds": 0.0}, 5),
        ({"runs": 5, "min_seconds": 0.2}, 20),
        ({"runs": 57, "min_seconds": 0.0}, 57),
        ({"runs": 500, "min_seconds": 0.0, "max_seconds": 0.3}, 30),
    ],
)
def test_how_often_it_runs(monkeypatch, options, runs):
    clock = Clock(monkeypatch)
    plan = Plan(**options)
    times = [
        session.timed(clock.run, plan.runs_in(i), plan.least_seconds, plan.most_seconds)
        for i in range(plan.least_rounds)
    ]
    assert sum(map(len, times)) == clock.invoked == runs


def test_how_often_it_warms_up(monkeypatch):
    clock = Clock(monkeypatch)
    assert session.warm_up(clock.run, 7, 60.0) == clock.invoked == 7
    assert session.warm_up(clock.run, 1000, 0.1) == 11
    assert clock.invoked == 7 + 11
    assert session.warm_up(clock.run, -1, 60.0) == 0


def test_warming_up_that_time_ended_is_told(tmp_path):
    """A run that writes 32 MiB takes a millisecond or more: a thousand do not fit."""
    path = tmp_path / "filled.tflite"
    path.write_bytes(hostile_files.filled(2**23))
    got = tflite.benchmark(path, warmup_runs=1000, runs=1, min_seconds=0, max_seconds=0.05)
    assert 1 <= got.warmup_runs < 100


def test_images_are_taken_in_turn():
    """Batches of two from five images: the fifth is left over."""
    from tflite.model_file.tensor_spec import TensorSpec

    images = np.arange(5 * 4, dtype="uint8").reshape(5, 2, 2, 1)
    feeds = session._given([7], (TensorSpec("pixels", "uint8", (2, 2, 2, 1)),), images, "a.tflite")
    assert [index for [(index, _)] in feeds] == [7, 7]
    np.testing.assert_array_equal([values for [(_, values)] in feeds], [images[:2], images[2:4]])

    seen = []

    class Interpreter:
        def set_tensor(self, _, values):
            self.image = values

        def invoke(self):
            seen.append(self.image[0, 0, 0, 0])

    run = session._runner(Interpreter(), feeds)
    assert [run() >= 0 for _ in range(5)] == [True] * 5
    assert seen == [0, 8, 0, 8, 0]


def test_real_images_and_several_inputs(files, digits, tmp_path):
    assert tflite.benchmark(files["int8"].path, inputs=digits.images[:3], runs=3, min_seconds=0).runs == 3
    path = tmp_path / "sum.tflite"
    path.write_bytes(hostile_files.sum_of_rows())
    rows = np.ones((1, 4), "float32")
    assert tflite.benchmark(path, inputs={"tensor0": rows, "tensor1": rows}, runs=2, min_seconds=0).runs == 2
    with pytest.raises(ModelError, match=r"`inputs` as a dictionary with .'tensor0', 'tensor1'.*Received: one array"):
        tflite.benchmark(path, inputs=rows)
    with pytest.raises(ModelError, match=r"`inputs` for .'tensor0', 'tensor1'.* Received: .'left'"):
        tflite.benchmark(path, inputs={"left": rows})
    with pytest.raises(ModelError, match=r"`inputs` of shape .n, 8, 8, 1., n at least 1, .* Received: .3, 4, 4, 1."):
        tflite.benchmark(files["int8"].path, inputs=np.zeros((3, 4, 4, 1)))
    both = "3 for 'tensor0', 2 for 'tensor1'"
    with pytest.raises(
        ModelError, match=rf"`inputs` for as many runs of each input of .*sum.tflite'. Received: {both}"
    ):
        tflite.benchmark(path, inputs={"tensor0": np.ones((3, 4)), "tensor1": np.ones((2, 4))})


def test_numbers_of_numpy(files):
    got = tflite.benchmark(
        files["int8"].path,
        threads=np.int64(2),
        runs=np.int32(3),
        warmup_runs=np.uint8(1),
        rounds=np.int64(1),
        seed=np.int64(4),
        min_seconds=np.float32(0),
        max_seconds=np.float32(5),
    )
    assert (got.runs, BenchmarkResult.from_json(got.to_json())) == (3, got)


def test_inputs_that_are_single_numbers(tmp_path):
    """As a rate or a step is: one number a run."""
    path = tmp_path / "scalars.tflite"
    path.write_bytes(hostile_files.sum_of_scalars())
    numbers = np.array([1.5, 2.5, 3.5])
    assert tflite.benchmark(path, inputs={"tensor0": numbers, "tensor1": numbers}, runs=4, min_seconds=0).runs == 4
    interpreter = open_model(path)
    allocate(interpreter, path)
    feeds = session.feeds_of(interpreter, str(path), {"tensor0": numbers, "tensor1": 2 * numbers}, 0)
    sums = []
    for feed in feeds:
        for index, value in feed:
            interpreter.set_tensor(index, value)
        interpreter.invoke()
        sums.append(float(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])))
    assert sums == [4.5, 7.5, 10.5]
    for wrong in (np.float32(1.0), np.ones((3, 1)), np.ones(0)):
        with pytest.raises(ModelError, match=r"`inputs` of shape \(n,\), n at least 1, for 'tensor0'"):
            tflite.benchmark(path, inputs={"tensor0": wrong, "tensor1": numbers})


@pytest.fixture
def look_up(tmp_path):
    """A function that writes a file with rows of a table of ten, by numbers of a type that go in."""

    def written(dtype):
        import tensorflow as tf

        table = tf.constant(np.eye(10, dtype="float32"))
        function = tf.function(lambda x: tf.gather(table, tf.cast(x, "int32")), [tf.TensorSpec((1, 3), dtype)])
        path = tmp_path / f"{dtype}.tflite"
        with quiet():
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
            path.write_bytes(converter.convert())
        return path

    return written


def test_numbers_of_rows_are_not_random(look_up):
    """Pixels would be outside of the table."""
    for dtype in ("int32", "int64"):
        path = look_up(dtype)
        tflite.check(path, use="run")
        assert tflite.benchmark(path, runs=1, warmup_runs=0, min_seconds=0).runs == 1


def test_inputs_that_a_file_does_not_take_are_told_from_a_damaged_file(look_up):
    path = look_up("float32")
    message = r"float32.tflite' cannot be run on inputs of our making: .*Pass your own as `inputs` of tflite.benchmark"
    with pytest.raises(ModelError, match=message):
        tflite.check(path, use="run")
    with pytest.raises(ModelError, match=message):
        tflite.benchmark(path)
    rows = np.array([[3, 0, 9]], "float32")
    assert tflite.benchmark(path, inputs=rows, runs=1, warmup_runs=0, min_seconds=0).runs == 1
    with pytest.raises(ModelError, match=r"float32.tflite' cannot be run: "):
        tflite.benchmark(path, inputs=rows + 10)


def test_hostile_files(tmp_path):
    path = tmp_path / "hostile.tflite"
    for content, message in [
        (hostile_files.crash_while_opening(), "the interpreter crashed"),
        (hostile_files.crash_while_running(), "the interpreter crashed"),
        (hostile_files.endless(), "did not finish within 0.5 s"),
        (hostile_files.enormous(), "needs more memory"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            tflite.benchmark(path, max_seconds=0.2, min_seconds=0, time_limit=0.5)


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
    got = dataclasses.replace(got, median_interval_ms=(1.0, 2.0), noise=0.1, notes=("hot",))
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
        ({"rounds": 0}, "`rounds`. Expected at least 1"),
        ({"precision": 1.0}, "`precision`. Expected a fraction between 0 and 1"),
        ({"confidence": 95}, "`confidence`. Expected a fraction between 0 and 1.*Received: confidence=95"),
        ({"time_limit": 0}, "`time_limit`. Expected more than 0"),
        ({"threads": []}, "at least one value for `threads`. Received: none"),
        (
            {"min_seconds": 2.0, "max_seconds": 1.0},
            "`max_seconds` of at least `min_seconds`. Received: max_seconds=1.0",
        ),
        ({"threads": 0}, "`threads`. Expected at least 1"),
        ({"delegate": "gpu"}, "`delegate`. Expected one of"),
        ({"delegate": 5}, "`delegate`. Expected one value or a list. Received: delegate=5"),
        ({"threads": 2.5}, "`threads`. Expected one value or a list. Received: threads=2.5"),
        ({"threads": [1, "2"]}, "`threads`. Expected a whole number. Received: threads='2'"),
        ({"runs": 2.5}, "`runs`. Expected a whole number. Received: runs=2.5"),
        ({"warmup_runs": 2.5}, "`warmup_runs`. Expected a whole number. Received: warmup_runs=2.5"),
        ({"rounds": 2.5}, "`rounds`. Expected a whole number. Received: rounds=2.5"),
        ({"max_seconds": np.inf}, "`max_seconds`. Expected a finite number. Received: max_seconds=inf"),
        ({"min_seconds": np.nan}, "`min_seconds`. Expected a finite number. Received: min_seconds=nan"),
        ({"precision": "good"}, "`precision`. Expected a number. Received: precision='good'"),
        ({"seed": -1}, "`seed`. Expected at least 0. Received: seed=-1"),
        ({"seed": 0.5}, "`seed`. Expected a whole number. Received: seed=0.5"),
        ({"time_limit": np.inf}, "`time_limit`. Expected a finite number"),
        ({"inputs": ["a"]}, "`inputs` as arrays of numbers. Received: <U1"),
        ({"inputs": {"x": [[1], [1, 2]]}}, "`inputs` as arrays of numbers"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.benchmark(path, **options)
    with pytest.raises(ModelError, match="at least one value for `path`"):
        tflite.benchmark([])
    with pytest.raises(ModelError, match="does not exist"):
        tflite.benchmark(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match="Expected the times of one run or more"):
        result([])
