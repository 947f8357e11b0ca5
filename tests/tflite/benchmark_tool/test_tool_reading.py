"""Results of someone else: logs, profiles and result files, told apart by what is in them."""

import dataclasses
import json

import pytest
from support import hostile_files
from support.fake_device import generations, profiles
from support.fake_device import result_file as result_files
from support.fake_device.generations import GENERATIONS, Phase, Run

import tflite
from tflite import BenchmarkResult, ModelError
from tflite.benchmark_tool.result_proto import parse_result

RUN = Run(Phase((2190, 83, 84, 81)), Phase((109, 82, 80, 443, 78, 82)), threads=4, kernels=2, peak_mb=7.5)
ROWS = [("CONV_2D", "[a]:0", 0.06), ("SOFTMAX", "[b]:1", 0.02)]


TIMES = {1: 0.085, 2: 0.078, 3: 0.443, 4: 0.009, 5: 0.084, 6: 0.079, 7: 0.11, 8: 3.2, 9: 2.19, 10: 0.1}


def result_file(name=b"", runs=50, median=0.084, latency=None, memory=True):
    times = latency or {**TIMES, 5: median}
    return result_files.result_file(times, runs=runs, warmup_runs=6, name=name, peak_mb=7.5 if memory else None)


def write(folder, content, name="someone.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("generation", GENERATIONS)
def test_logs(generation, tmp_path):
    path = write(tmp_path, generations.text(generation, RUN))
    got = tflite.tool.read(path)
    assert (got.runs, got.warmup_runs, got.threads) == (6, 4, 4)
    assert (got.mean_ms, got.min_ms, got.init_ms) == pytest.approx((0.145667, 0.078, 3.203), rel=2e-3)
    assert got.delegate == ("unknown" if generation in ("2018", "2019") else "xnnpack")
    assert got.peak_memory_bytes == (None if generation in ("2018", "2019") else 7.5 * 2**20)
    pieces = "xnnpack ran a part of the model, in 2 pieces"
    operators = "xnnpack ran 56 of 58 operators, 5 partitions in all"
    assert got.notes == {"2018": (), "2019": (), "litert": (operators,)}.get(generation, (pieces,))
    assert got.path.name == ("someone.txt" if generation == "litert" else "student.tflite")
    assert got.throughput is None  # how many images a run has is told by the model alone
    assert got.tool == "benchmark_model, from someone.txt"
    assert (got.device, got.p90_ms, got.phone) == ("unknown", None, None)
    assert BenchmarkResult.from_json(got.to_json()) == got


def test_the_program_of_the_python_package(tmp_path):
    """In hundredths of a millisecond, which are all it prints."""
    text = "\n".join(generations.litert_benchmark(RUN)) + "\n"
    got = tflite.tool.read(write(tmp_path, text))
    assert (got.runs, got.warmup_runs, got.delegate) == (6, 4, "unknown")
    times = (got.mean_ms, got.std_ms, got.min_ms, got.init_ms, got.first_ms)
    assert times == pytest.approx((0.15, 0.13, 0.08, 3.2, 2.19))


@pytest.mark.parametrize("generation", ["2019", "2024", "litert"])
def test_logs_that_windows_wrote(generation, tmp_path):
    """PowerShell's > writes UTF-16 with a mark of its byte order, and ends lines with two characters."""
    lines = generations.GENERATIONS[generation](RUN)
    expected = tflite.tool.read(write(tmp_path, "\n".join(lines) + "\n"))
    text = "\r\n".join(["", *lines, ""])
    for encoding in ("utf-16", "utf-16-be", "utf-8-sig", "cp1252"):
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        note = "Copied to C:/Users/Zoë\r\n"  # not UTF-8 in an older encoding
        assert tflite.tool.read(write(tmp_path, mark + (note + text).encode(encoding))) == expected


def test_log_with_its_operators(tmp_path):
    text = generations.text("2024", RUN) + profiles.whole(profiles.printed(ROWS))
    got = tflite.tool.read(write(tmp_path, text))
    assert [(op.type, op.mean_ms) for op in got.operators] == [("CONV_2D", 0.06), ("SOFTMAX", 0.02)]
    assert got.p95_ms == 0.443
    logcat = write(tmp_path, generations.logcat(text.splitlines()))
    assert tflite.tool.read(logcat) == dataclasses.replace(got, tool=got.tool)


def test_profile_alone(tmp_path):
    got = tflite.tool.read(write(tmp_path, profiles.whole(profiles.written(ROWS))))
    assert [(op.type, op.share) for op in got.operators] == [("CONV_2D", 0.75), ("SOFTMAX", 0.25)]
    assert (got.mean_ms, got.std_ms, got.min_ms, got.runs) == (0.085277, 0.009, 0.078, 50)
    assert (got.bytes, got.threads, got.init_ms, got.warmup_runs) == (None, None, None, None)
    assert got.notes == ("the times are the sum of the operators' times, from a profile alone",)
    assert BenchmarkResult.from_json(got.to_json()) == got


@pytest.mark.parametrize("name", [b"", b"pixel"])
def test_result_file(name, tmp_path):
    got = tflite.tool.read(write(tmp_path, result_file(name)))
    times = (got.mean_ms, got.min_ms, got.std_ms, got.median_ms, got.p95_ms, got.init_ms, got.first_ms)
    assert times == pytest.approx((0.085, 0.078, 0.009, 0.084, 0.11, 3.2, 2.19), rel=1e-6)
    assert (got.runs, got.warmup_runs, got.bytes, got.peak_memory_bytes) == (50, 6, 20344, 7.5 * 2**20)
    assert (got.delegate, got.threads) == ("unknown", None)


def test_what_others_wrote_does_not_steer_the_terminal(tmp_path):
    nasty = "\x1b]0;title\x07\u202e"
    rows = [("CONV_2D" + nasty, "[a]:0" + nasty, 0.06)]
    run = dataclasses.replace(RUN, graph=f"{nasty}a.tflite")
    text = generations.text("2022", run) + profiles.whole(profiles.printed(rows))
    text = text.replace("Explicitly applied XNNPACK", f"Explicitly applied{nasty}\nExplicitly applied X{nasty}Y")
    got = tflite.tool.read(write(tmp_path, text))
    assert str(got).isprintable()
    assert got.path.name.endswith("a.tflite")
    with pytest.raises(ModelError) as error:
        tflite.tool.read(write(tmp_path, f"count=1 curr={nasty}\n"))
    assert str(error.value).isprintable()


def test_the_model_is_at_hand(files, tmp_path):
    model = files["int8"]
    for content in (generations.text("2019", RUN), result_file()):
        got = tflite.tool.read(write(tmp_path, content), model=model.path)
        assert (got.path, got.bytes) == (model.path, model.bytes)
        assert got.throughput == pytest.approx(1000 / got.mean_ms)
    path = write(tmp_path, hostile_files.sum_of_rows(rows=4), "four.tflite")
    got = tflite.tool.read(write(tmp_path, result_file()), model=path)
    assert got.throughput == pytest.approx(4000 / got.mean_ms)
    damaged = write(tmp_path, path.read_bytes()[:60], "damaged.tflite")
    assert tflite.tool.read(write(tmp_path, result_file()), model=damaged).throughput is None


def test_result_file_of_an_old_tool_without_memory():
    got = parse_result(result_file(memory=False, latency={1: 1.0, 2: 1.0, 3: 1.0, 4: 0.0, 8: 2.0}))
    assert (got.runs.median, got.runs.p95, got.first, got.peak_memory_bytes) == (None, None, None, None)


def test_files_that_are_none(tmp_path, files):
    whole = result_file()
    for content, message in [
        ("", "Could not read .*someone.txt.*: Expected the output of one finished run"),
        ("hello\n", "Received: none, in 1 whole lines"),
        (files["int8"].path.read_bytes(), "Expected the result file of benchmark_model"),
        (whole[:-3], r"Received: \d+ bytes of another kind or cut off"),
        (whole[: len(whole) - 20], "Received: one without num_runs|cut off"),
        (result_file(median=9.0), "times that fit together in the result file. Received: mean 0.085 ms"),
        (result_file(runs=0), "0 runs"),
        (result_file(latency={1: float("nan"), 2: 0.1, 3: 0.1, 4: 0.0, 8: 1.0}), "mean nan ms"),
        (result_files.field(2, 2, result_files.field(1, 2, b"operators")), "one without avg_ms, min_ms"),
        (profiles.whole(profiles.written(ROWS))[:300], "cut off"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.tool.read(write(tmp_path, content))
    with pytest.raises(ModelError, match=r"nowhere.txt', which does not exist"):
        tflite.tool.read(tmp_path / "nowhere.txt")
    with pytest.raises(ModelError, match="which is a folder"):
        tflite.tool.read(tmp_path)
    with pytest.raises(ModelError, match=r"Expected a TFLite file. Received: .*gone.tflite"):
        tflite.tool.read(write(tmp_path, whole), model=tmp_path / "gone.tflite")


OFFICIAL = {
    "phone": (
        "Preparing to run on Android device via adb...\nDetected Android device ABI: arm64-v8a\n"
        "Pushing model student.tflite to device...\nExecuting benchmark on device...\n\n"
    ),
    "quiet": "Preparing to run benchmark on local desktop...\nExecuting benchmark locally using benchmark_model...\n\n",
}


@pytest.mark.parametrize("where", OFFICIAL)
def test_what_the_official_command_prints(tmp_path, where):
    """`litert benchmark` runs the tool; on this machine it shows only the lines that name it and its delegate."""
    lines = generations.GENERATIONS["litert"](RUN)
    if where == "quiet":
        lines = [
            line for line in lines if "benchmark_litert_model" in line or ("Replacing" in line and "node(s)" in line)
        ]
    got = tflite.tool.read(write(tmp_path, OFFICIAL[where] + "\n".join(lines) + "\n"))
    assert (got.runs, got.mean_ms, got.min_ms) == (6, pytest.approx(0.145667, rel=4e-2), pytest.approx(0.078, rel=4e-2))
    assert (got.delegate, got.delegated_operators, got.file_operators) == ("xnnpack", 56, 58)


# As `litert-benchmark --result_json` of ai-edge-litert 2.3.0 wrote it.
LITERT_JSON = {
    "model": "/models/student.tflite",
    "model_size_mb": 0.08,
    "accelerators": ["CPU"],
    "signature": "serve",
    "fully_accelerated": True,
    "num_threads": 2,
    "latency": {
        "init_ms": 1.73,
        "warmup_first_ms": 0.1,
        "warmup_avg_ms": 0.04,
        "num_warmup_runs": 3,
        "avg_ms": 0.17,
        "min_ms": 0.11,
        "max_ms": 0.52,
        "median_ms": 0.16,
        "std_ms": 0.02,
        "p5_ms": 0.12,
        "p95_ms": 0.31,
        "num_runs": 20,
    },
    "throughput_mb_s": 36.33,
}


def test_json_of_the_program_of_the_python_package(tmp_path, files):
    got = tflite.tool.read(write(tmp_path, json.dumps(LITERT_JSON, indent=2), "litert.json"))
    times = (got.mean_ms, got.median_ms, got.min_ms, got.p95_ms, got.std_ms, got.init_ms, got.first_ms)
    assert times == pytest.approx((0.17, 0.16, 0.11, 0.31, 0.02, 1.73, 0.1))
    assert (got.runs, got.warmup_runs, got.threads, got.delegate) == (20, 3, 2, "xnnpack")
    assert (got.path.name, got.bytes, got.tool) == ("student.tflite", None, "litert-benchmark, from litert.json")
    assert got.notes == ("times are in hundredths of a millisecond",)
    partly = {**LITERT_JSON, "accelerators": ["GPU", "CPU"], "fully_accelerated": False}
    got = tflite.tool.read(write(tmp_path, json.dumps(partly)), model=files["int8"].path)
    assert (got.delegate, got.notes[1]) == ("unknown", "not wholly accelerated by GPU, CPU")
    assert (got.path, got.throughput) == (files["int8"].path, pytest.approx(1000 / 0.17))
    alone = {**LITERT_JSON, "accelerators": ["GPU"]}
    assert tflite.tool.read(write(tmp_path, json.dumps(alone))).delegate == "gpu"


def test_json_of_this_package(tmp_path):
    one = BenchmarkResult.of("a.tflite", [1.0, 3.0], bytes=9, warmup_runs=1, device="a phone", threads=2)
    other = dataclasses.replace(one, delegate="gpu", delegated_operators=3, file_operators=4)
    assert tflite.tool.read(write(tmp_path, one.to_json())) == one
    both = write(tmp_path, tflite.Benchmarks((one, other), (), (), 0.95).to_json())
    assert tflite.tool.read_all(both) == (one, other)
    with pytest.raises(ModelError, match=r"Expected a file with one result\. Received: .* with 2\."):
        tflite.tool.read(both)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"latency": ', "Received: a text that is cut off or none"),
        ('{"a": 1, "b\\u001b": 2}', r"Received: one with 'a', 'b"),
        ("{}", "Received: one with nothing"),
        ({"latency": {**LITERT_JSON["latency"], "min_ms": 0.2}}, "times that fit together. Received: 20 runs, min 0.2"),
        ({"latency": {**LITERT_JSON["latency"], "avg_ms": True}}, "Expected a number 'avg_ms'"),
        ({"latency": {**LITERT_JSON["latency"], "num_runs": 0}}, "Received: 0 runs"),
        ({"latency": {"avg_ms": 0.1}}, "Expected a number 'min_ms'"),
        ({"displayName": "a", "runSpecs": [], "deviceConfigs": []}, "a job of AI Edge Portal, whose results have no"),
        ({"done": True, "response": {"runSpecs": [{}]}}, "a job of AI Edge Portal, whose results have no"),
        ({"mean_ms": 1.0, "delegate": "gpu", "device": "a"}, "Expected the fields of a benchmark result. Missing"),
    ],
)
def test_json_that_is_none(tmp_path, content, message):
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ModelError, match=message) as error:
        tflite.tool.read(write(tmp_path, text, "a.json"))
    assert "a.json" in str(error.value)
    assert str(error.value).isprintable()
