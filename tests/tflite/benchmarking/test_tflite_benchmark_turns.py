"""Files that take turns: intervals against SciPy and by trial, ratios, references, and what is said of noise."""

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

import tflite
from tflite import BenchmarkResult, Benchmarks, ModelError
from tflite.benchmarking import rounds
from tflite.benchmarking.benchmarks import label, ratio
from tflite.benchmarking.intervals import median_interval, spread
from tflite.benchmarking.plan import Plan


def result(name="a.tflite", threads=1, delegate="xnnpack", **changes):
    made = BenchmarkResult.of(
        name, [1.0, 2.0], bytes=9, warmup_runs=1, device="a phone", threads=threads, delegate=delegate
    )
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [6, 7, 10, 31, 200])
def test_intervals_are_those_of_the_sign_test(count, confidence):
    """SciPy's interval of a quantile is one-sided twice; its test of the median is what ours inverts."""
    values = np.random.default_rng(count).lognormal(size=count)
    got = median_interval(values.tolist(), confidence)
    ordered = np.sort(values)
    accepted = [p for p in range(count + 1) if stats.binomtest(p, count).pvalue > 1 - confidence + 1e-12]
    if not accepted or accepted[0] == 0:
        assert got is None
        return
    place = accepted[0] - 1
    assert (got.low, got.high) == (ordered[place], ordered[-1 - place])
    assert got.confidence == pytest.approx(1 - stats.binomtest(place, count).pvalue)
    assert got.confidence >= confidence


def test_intervals_hold_the_median_as_often_as_they_say():
    random = np.random.default_rng(0)
    hits = sum(
        found.low <= np.log(2) <= found.high
        for found in (median_interval(random.exponential(size=10).tolist(), 0.95) for _ in range(2000))
    )
    assert hits / 2000 == pytest.approx(1 - 22 / 1024, abs=0.01)


def test_few_values_have_no_interval():
    assert median_interval([1.0] * 5, 0.95) is None
    assert median_interval([], 0.95) is None
    assert median_interval([2.0] * 6, 0.95) == (2.0, 2.0, 1 - 2 / 64)
    assert spread([1.0]) is None


def test_ratio_is_taken_within_rounds():
    """A machine that becomes three times slower changes both times and not their ratio."""
    slower = np.linspace(1.0, 3.0, 10)
    found = ratio([(2.0 * slower).tolist(), slower.tolist()], 0, 1, 0.95)
    assert (found.ratio, found.low, found.high) == (2.0, 2.0, 2.0)
    assert found.decided
    assert not ratio([[1.0, 2.0], [1.0, 1.5]], 0, 1, 0.95).decided


def test_every_result_is_compared_with_one_that_differs_in_one_thing():
    results = [
        result(name, threads, delegate)
        for name in ("a.tflite", "b.tflite")
        for delegate in ("xnnpack", "none")
        for threads in (1, 2)
    ]
    found = Benchmarks.of(results, [[1.0] * 6] * len(results), 0.95)
    assert [(one.result, one.reference) for one in found.ratios] == [
        (1, 0),  # threads
        (2, 0),  # delegate
        (3, 2),  # threads
        (4, 0),  # files from here on
        (5, 1),
        (6, 2),
        (7, 3),
    ]


def test_names():
    settings = [result("x/a.tflite"), result("x/a.tflite", threads=2), result("x/b.tflite", delegate="none")]
    assert [label(settings, i) for i in range(3)] == [
        "a.tflite, 1 thread, xnnpack",
        "a.tflite, 2 threads, xnnpack",
        "b.tflite, 1 thread, no delegate",
    ]
    assert label([result("x/a.tflite"), result("y/a.tflite")], 1) == "y/a.tflite"
    assert label([result(), result()], 1) == "a.tflite, measurement 2"
    assert label([result()], 0) == "a.tflite"
    here = result(device="a desktop")
    assert label([here, result()], 1) == "a.tflite, a phone"
    read = result(threads=None, delegate="unknown", device="unknown")
    assert label([here, read], 1) == "a.tflite, delegate unknown, device unknown"
    assert label([here, read], 0) == "a.tflite, 1 thread, xnnpack, a desktop"


@pytest.mark.parametrize("text", ['"abc"', "[[1, 2, 3]]", "[]", "3", "{", '{"results": [3]}'])
def test_json_of_something_else(text):
    with pytest.raises(ModelError, match="JSON"):
        Benchmarks.from_json(text)


def test_what_is_said_of_files_that_cannot_be_told_apart():
    results = [result("a.tflite", noise=0.02), result("b.tflite", noise=0.31)]
    rounds = [[1.0, 1.1, 0.9, 1.0, 1.2, 1.0], [1.1, 1.0, 1.0, 0.9, 1.2, 1.1]]
    found = Benchmarks.of(results, rounds, 0.95)
    (note,) = found.notes
    assert note.startswith("b.tflite and a.tflite cannot be told apart: the ratio of their times is 1.05")
    assert "from 0.900 to 1.111, which includes 1. From round to round they vary by 31.0%" in note
    assert Benchmarks.of(results, [[1.0] * 6, [2.0] * 6], 0.95).notes == ()
    (few,) = Benchmarks.of(results, [[1.0] * 3, [2.0] * 3], 0.95).notes
    assert few == "b.tflite and a.tflite cannot be compared after 3 rounds: more rounds give an interval"


def test_what_is_said_of_one_measurement():
    assert rounds.said_of([1.0, 1.01, 0.99], Plan()) == []
    (noisy,) = rounds.said_of([1.0, 1.5, 0.9], Plan())
    assert noisy.startswith("The medians of the 3 rounds vary by 28%: something else keeps this machine busy")
    (wide,) = rounds.said_of([1.0, 1.01, 1.02, 1.03, 1.04, 1.05], Plan(precision=0.01))
    assert wide == "A precision of ± 1.0% was not reached in 60 s: the median is ± 2.4%"
    (unknown,) = rounds.said_of([1.0, 1.0], Plan(precision=0.01))
    assert unknown.endswith("the median is not known")


class Worker:
    """Answers with 10 ms a run, and more the noisier it is; keeps what it was asked."""

    def __init__(self, name, log, noise=0.0):
        self.name, self.log, self.noise = name, log, noise
        self.limits = tflite.isolation.Limits()
        self.random = np.random.default_rng(0)

    def call(self, job, *, seconds, runs, settle, **_):
        self.log.append((self.name, runs, settle))
        return [int(1e7 * (1 + self.noise * self.random.uniform(-1, 1)))] * runs


def test_turns():
    log = []
    done = []
    workers = [Worker("a", log), Worker("b", log)]
    times = rounds.take_turns(workers, Plan(runs=7, rounds=3, warmup_runs=2), lambda *args: done.append(args))
    assert log == [("a", 2, 2), ("b", 2, 2), ("a", 2, 2), ("b", 2, 2), ("a", 3, 2), ("b", 3, 2)]
    assert done == [(i, 6) for i in range(1, 7)]
    assert [[len(one) for one in each] for each in times] == [[2, 2, 3], [2, 2, 3]]
    assert rounds.medians_ms(times[0]) == [10.0] * 3
    rounds.take_turns([Worker("alone", log)], Plan(runs=1), None)
    assert log[-1] == ("alone", 1, 0)


def test_precision_goes_on_until_it_is_reached_or_time_is_over():
    for noise, most, expected in [(0.0, 60.0, 10), (0.05, 60.0, None), (0.5, 1.0, 100)]:
        plan = Plan(runs=10, precision=0.01, max_seconds=most)
        (times,) = rounds.take_turns([Worker("a", [], noise)], plan, None)
        if expected is None:  # as many as it takes, and no more
            assert len(times) > 10
            assert rounds.half_width(rounds.medians_ms(times), 0.95) <= 0.01
            assert rounds.half_width(rounds.medians_ms(times[:-1]), 0.95) > 0.01
        else:
            assert len(times) == pytest.approx(expected, rel=0.2)


def test_no_round_starts_after_the_most_seconds():
    """A run of 10 ms, and 25 ms to measure in ten rounds: every file has three runs, in rounds of all."""
    workers = [Worker("a", []), Worker("b", [])]
    times = rounds.take_turns(workers, Plan(runs=10, min_seconds=0, max_seconds=0.025), None)
    assert [[len(one) for one in each] for each in times] == [[1] * 3, [1] * 3]


def test_several_on_this_machine(files):
    paths = [files["int8"].path, files["float32"].path]
    found = tflite.benchmark(paths, threads=[2], delegate=("xnnpack", "none"), runs=6, warmup_runs=1, min_seconds=0)
    assert [(r.path, r.delegate, r.threads, r.runs) for r in found.results] == [
        (path, delegate, 2, 6) for path in paths for delegate in ("xnnpack", "none")
    ]
    assert all(len(medians) == 6 for medians in found.rounds_ms)
    assert [(one.result, one.reference) for one in found.ratios] == [(1, 0), (2, 0), (3, 1)]
    assert found.ratio(2, 0) == found.ratios[1]
    assert Benchmarks.from_json(found.to_json()) == found


def test_a_file_that_is_much_slower_is_found_to_be(tmp_path):
    """Two thousand times as many numbers: no noise hides that."""
    from support import hostile_files

    paths = [tmp_path / "small.tflite", tmp_path / "large.tflite"]
    for path, size in zip(paths, (2**10, 2**21), strict=True):
        path.write_bytes(hostile_files.filled(size))
    found = tflite.benchmark(paths, runs=30, warmup_runs=3, min_seconds=0)
    assert found.ratios[0].decided
    assert found.ratios[0].low > 1
    assert found.notes == ()


def test_json_that_is_none():
    for text in ("nonsense", "3", "{}", json.dumps({"results": 3})):
        with pytest.raises(ModelError, match="Expected the JSON of benchmarks"):
            Benchmarks.from_json(text)
