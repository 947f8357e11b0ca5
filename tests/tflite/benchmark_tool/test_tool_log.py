"""What the benchmark tool prints, of every generation: the numbers against those the text was made from."""

import statistics

import pytest
from support.fake_device import generations
from support.fake_device.generations import GENERATIONS, Phase, Run

from tflite import ModelError
from tflite.benchmark_tool.endings import parse_peak
from tflite.benchmark_tool.log import parse_log, unconsumed_flags
from tflite.benchmark_tool.statistics import Statistics, parse_statistics

WARMUP, RUNS = (2190, 83, 84, 81), (109, 82, 80, 443, 78, 82)
RUN = Run(Phase(WARMUP), Phase(RUNS), threads=4)
MEAN, STD = statistics.fmean(RUNS), statistics.pstdev(RUNS)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation(generation):
    log = parse_log(generations.text(generation, RUN))
    assert (log.runs.count, log.runs.min, log.runs.max, log.threads) == (6, 78, 443, 4)
    assert log.runs.mean == pytest.approx(MEAN, rel=1e-5)
    assert log.runs.std == pytest.approx(STD, abs=1)
    assert log.warmup_runs == 4
    assert log.first == (None if generation == "2018" else 2190)  # it did not tell
    assert log.init == pytest.approx(3203, abs=5)
    percentiles = (82, 443) if generation in ("2024", "litert") else (None, None)
    assert (log.runs.median, log.runs.p95) == percentiles
    assert log.graph == (None if generation == "litert" else "/data/local/tmp/student.tflite")
    assert log.model_bytes == (None if generation in ("2018", "2019") else 20344)
    assert log.delegation.name == ("unknown" if generation in ("2018", "2019") else "xnnpack")


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize(
    ("times", "mean", "std"), [((1446587,), 1446587, 0), ((85, 85, 85), 85, 0), ((1444450, 1444456), 1444453, 3)]
)
def test_single_equal_and_large_times(generation, times, mean, std):
    log = parse_log(generations.text(generation, Run(Phase((2000000,)), Phase(times))))
    assert (log.runs.count, log.runs.std, log.warmup_runs) == (len(times), pytest.approx(std, abs=1), 1)
    assert log.runs.mean == pytest.approx(mean, rel=1e-5)
    assert (log.runs.min, log.runs.max) == (min(times), max(times))
    assert log.first == 2000000


@pytest.mark.parametrize("generation", GENERATIONS)
def test_without_warming_up_the_first_run_is_the_first_measured_one(generation):
    log = parse_log(generations.text(generation, Run(Phase(()), Phase(RUNS))))
    assert (log.warmup_runs, log.first) == (0, None if generation == "2018" else 109)


def test_litert_alone_in_hundredths_of_a_millisecond():
    """Where the runs' own lines were filtered out, what is left is what LiteRT rounded."""
    lines = generations.generation_litert(Run(Phase((2190,)), Phase((910, 1102, 950))))
    log = parse_log("".join(f"{line}\n" for line in lines if "count=" not in line))
    assert log.runs == Statistics(3, 990.0, 80.0, 910.0, 1100.0)
    assert (log.warmup_runs, log.first) == (1, 2190.0)


@pytest.mark.parametrize(
    ("generation", "bytes"), [("2020", 7.44531), ("2022", 7.44531), ("2024", 7.44531), ("litert", 7.45)]
)
def test_most_memory(generation, bytes):
    run = Run(Phase(WARMUP), Phase(RUNS), peak_mb=7.44531)
    assert parse_log(generations.text(generation, run)).peak_memory_bytes == round(bytes * 1024 * 1024)
    assert parse_log(generations.text(generation, RUN)).peak_memory_bytes is None
    assert parse_peak(["Overall peak memory footprint (MB) via periodic monitoring: 7.4 and more"]) is None


def test_a_size_that_was_rounded_is_not_told():
    for size, expected in ((0.020344, 20344), (0.999999, 999999), (5.42276, None), (16.9008, None)):
        run = Run(Phase(WARMUP), Phase(RUNS), size_mb=size)
        assert parse_log(generations.text("2022", run)).model_bytes == expected


def test_what_surrounds_the_lines():
    lines = generations.generation_2022(RUN)
    expected = parse_log(generations.text("2022", RUN))
    coloured = "".join(f"\x1b[32m{line}\x1b[0m\r\n" for line in lines)
    for text in (generations.logcat(lines), coloured, "\n".join([*lines, "$ echo done", "done", ""])):
        assert parse_log(text) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=9", (50, 85.277, 9, 78, 443, 109, None, None)),
        ("curr=82 count=50 min=78 max=443 avg=85.277 std=9", (50, 85.277, 9, 78, 443, None, None, None)),
        (
            "count=2 first=1444450 curr=1.44446e+06 min=1444450 max=1444460 avg=1.44445e+06 std=5",
            (2, 1.44445e06, 5, 1444450, 1444460, 1444450, None, None),
        ),
        ("count=1 curr=905463 p5=905463 median=905463 p95=905463", (1, 905463, 0, *(905463,) * 5)),
        ("count=3 curr=85(all same)", (3, 85, 0, 85, 85, 85, None, None)),
        ("count=0 p5=0 median=0 p95=0", (0, 0, 0, 0, 0, None, None, None)),
    ],
)
def test_lines_of_statistics(line, expected):
    assert parse_statistics(line) == Statistics(*expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "count=",
        "count=50",
        "count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=",
        "count=50 first=109 curr=82 min=78 max=443 avg=85. std=9",
        "count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=9 p5=79",
        "count=50 first=109 curr=82 min=78 max=443 avg=nan std=9",
        "Timings (microseconds): count=50 curr=82",
        "count=٥ curr=82",
    ],
)
def test_what_is_no_line_of_statistics(line):
    assert parse_statistics(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "count=50 first=109 curr=82 min=78 max=44 avg=85.277 std=9",
        "count=50 first=109 curr=82 min=90 max=443 avg=85.277 std=9",
        "count=50 first=1090 curr=82 min=78 max=443 avg=85.277 std=9",
        "count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=900",
        "count=50 first=109 curr=82 min=78 max=443 avg=85.277 std=9 p5=79 median=100 p95=90",
    ],
)
def test_statistics_that_do_not_fit_together(line):
    with pytest.raises(ModelError, match=r"statistics that fit together. Received: 'count=50"):
        parse_statistics(line)


def test_logs_that_are_refused():
    text = generations.text("2024", RUN)
    litert = generations.text("litert", RUN)
    for wrong, message in [
        ("", "inference timings at the end. Received: none, in 0 whole lines"),
        ("Benchmarking failed.\n", "Received: none, in 1 whole lines"),
        (text + text, "Received: those of 2 runs"),
        (text + litert, "Received: those of 2 runs"),
        (text.split("INFO: Inference timings")[0], "Received: none"),
        (litert.replace("Inference (min)", "Inference"), "Received: none"),
        (
            text.replace(RUN.runs.line(percentiles=True), ""),
            "Expected the statistics of the measured runs, of mean 145",
        ),
        (text.replace("in 3.203ms", "in 3.9ms"), "one time of initialisation. Received: 3.9 ms and 3.203 ms"),
        (litert.replace("(6 runs)", "(60 runs)"), "one number of runs. Received: 6 and 60"),
    ]:
        with pytest.raises(ModelError, match=message.replace("(", r"\(").replace(")", r"\)")):
            parse_log(wrong)


def test_flags_that_a_tool_does_not_know():
    run = Run(Phase(WARMUP), Phase(RUNS), unconsumed="--use_xnnpack=true --result_file_path=/data/a b.pb --allow_fp16")
    for generation in ("2020", "2022", "litert"):
        text = generations.text(generation, run)
        assert unconsumed_flags(text) == parse_log(text).unconsumed == ("use_xnnpack", "result_file_path", "allow_fp16")
    assert parse_log(generations.text("2024", RUN)).unconsumed == ()
