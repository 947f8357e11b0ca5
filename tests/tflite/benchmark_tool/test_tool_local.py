"""The benchmark tool on this machine: numbers, faults, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import hostile_files
from support.fake_device import tool

import tflite
from tflite import MeasurementError, ModelError
from tflite.benchmark_tool.affinity import affinity_mask


@pytest.fixture
def model(files):
    return files["int8"].path


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path, monkeypatch):
    """No program that a test started, and no temporary folder."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    deadline = time.monotonic() + 5
    while (programs(tmp_path) or list(temporary.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (programs(tmp_path), list(temporary.iterdir())) == ([], [])


def programs(folder):
    """What runs with a path of this folder on its command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/benchmark_model" in words and int(path.parent.name) != os.getpid():
            found.append(words)
    return found


def measure(model, program, **options):
    return tflite.tool.benchmark(model, tool=program, max_seconds=1.0, **options)


@pytest.mark.parametrize("generation", ["2020", "2024", "litert"])
def test_numbers(model, tmp_path, generation):
    got = measure(model, tool.make(tmp_path, generation), threads=2, profile=True)
    assert got.mean_ms == pytest.approx(0.145667, rel=1e-5)
    assert (got.threads, got.delegate, got.tool, got.phone) == (2, "xnnpack", "benchmark_model", None)
    assert [op.type for op in got.operators] == ["CONV_2D", "SOFTMAX"]
    assert got.device == tflite.benchmark(model, runs=1, min_seconds=0).device
    assert got.notes == ()


def test_a_file_of_several_images_a_run(tmp_path):
    model = tmp_path / "four.tflite"
    model.write_bytes(hostile_files.sum_of_rows(rows=4))
    got = measure(model, tool.make(tmp_path))
    assert got.throughput == pytest.approx(4000 / got.mean_ms)


@pytest.mark.parametrize("generation", ["2024", "litert"])
def test_the_gpu(model, tmp_path, generation):
    """LiteRT's tool tells it in the words of the runtime alone, and creates XNNPACK beside it."""
    assert measure(model, tool.make(tmp_path, generation), delegate="gpu").delegate == "gpu"


def test_a_tool_without_a_profile(model, tmp_path, monkeypatch):
    monkeypatch.setitem(tool.KNOWN, "litert", tool.KNOWN["litert"] - {"use_profiler"})
    program = tool.make(tmp_path, "litert")
    program.write_text(
        program.read_text().replace("tool.main(", "tool.KNOWN['litert'].discard('use_profiler')\ntool.main(")
    )
    got = measure(model, program, profile=True)
    assert (got.operators, got.notes) == (None, ("the tool has no profile of operators",))


def test_the_cores_are_kept(model, tmp_path):
    program = tool.make(tmp_path)
    program.write_text(
        program.read_text().replace(
            "tool.main(",
            f"import os\nopen({str(tmp_path / 'cores')!r}, 'w')"
            ".write(str(sorted(os.sched_getaffinity(0))))\ntool.main(",
        )
    )
    core = min(os.sched_getaffinity(0))
    measure(model, program, cores=[core])
    assert (tmp_path / "cores").read_text() == f"[{core}]"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", r"failed: it crashed \(SIGSEGV\). Its last words: INFO: STARTING!"),
        ("exit", "failed: it ended with status 3"),
        ("nonsense", "Could not read what the benchmark tool wrote"),
        ("silent", "Its last words: nothing"),
    ],
)
def test_tools_that_fail(model, tmp_path, fault, message):
    with pytest.raises(MeasurementError, match=message):
        measure(model, tool.make(tmp_path, fault=fault))


def test_a_tool_that_hangs(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tflite.benchmark_tool.flags._LOADING", -1.0)
    with pytest.raises(MeasurementError, match=r"took more than 1 s and was ended. Its last words: INFO: STARTING!"):
        measure(model, tool.make(tmp_path, fault="hang"))


def test_programs_that_are_none(model, tmp_path):
    wrong = tmp_path / "benchmark_model"
    for text, message in (
        ("", "Exec format error"),
        ("\x7fELF", "Exec format error"),
        ("#!/nowhere\n", "No such file"),
    ):
        wrong.write_text(text)
        wrong.chmod(0o755)
        with pytest.raises(MeasurementError, match=f"Could not start .*benchmark_model': {message}"):
            measure(model, wrong)
    wrong.chmod(0o644)
    with pytest.raises(ModelError, match=r"which may not be executed: chmod \+x it"):
        measure(model, wrong)
    with pytest.raises(ModelError, match="Received: 'nowhere', which does not exist"):
        measure(model, "nowhere")
    wrong.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(ModelError, match=r"the program `taskset` for `cores`. Received: none"):
            measure(model, wrong, cores=[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(model, tmp_path, number):
    program = tool.make(tmp_path, fault="hang")
    code = f"import tflite; tflite.tool.benchmark({str(model)!r}, tool={str(program)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(programs(tmp_path)) < 2:  # the caller's own command line names it too
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=20) in (143, -signal.SIGINT, 130)


@pytest.mark.parametrize(
    ("cores", "mask"),
    [([0], "1"), ((4, 5, 4), "30"), ("0-3,6", "4f"), (" 1 , 2-2 ", "6"), ("0xF0", "f0"), ("31", "80000000")],
)
def test_masks(cores, mask):
    assert affinity_mask(cores) == mask


def test_more_threads_than_cores(model, tmp_path):
    with pytest.raises(ModelError, match=r"Expected a core for each thread. Received: threads=2 on 1 of the cores"):
        tflite.tool.benchmark(model, tool=tool.make(tmp_path), threads=2, cores="0")


def test_numbers_of_numpy(model, tmp_path):
    assert affinity_mask(np.arange(2)) == "3"
    got = measure(model, tool.make(tmp_path), threads=np.int64(2), runs=np.int32(3), warmup_runs=np.uint8(1))
    assert tflite.BenchmarkResult.from_json(got.to_json()).threads == 2


def test_numbers_that_are_none(model, tmp_path):
    program = tool.make(tmp_path)
    for options, message in [
        ({"threads": 1.5}, "`threads`. Expected a whole number. Received: threads=1.5"),
        ({"runs": "many"}, "`runs`. Expected a whole number. Received: runs='many'"),
        ({"warmup_runs": 2.5}, "`warmup_runs`. Expected a whole number. Received: warmup_runs=2.5"),
        ({"min_seconds": None}, "`min_seconds`. Expected a number. Received: min_seconds=None"),
        ({"min_seconds": -1}, "`min_seconds`. Expected at least 0. Received: min_seconds=-1"),
    ]:
        with pytest.raises(ModelError, match=message):
            measure(model, program, **options)
    with pytest.raises(ModelError, match=r"`max_seconds`. Expected a finite number. Received: max_seconds=inf"):
        tflite.tool.benchmark(model, tool=program, max_seconds=float("inf"))


@pytest.mark.parametrize(
    "cores", [1, None, 2.5, [0.5], [], [-1], ["1"], [2000], "", "x", "1-", "3-1", "0x", "0x0", "1;reboot", "1,,2"]
)
def test_masks_that_are_none(cores):
    with pytest.raises(ModelError, match="Expected processor cores as in"):
        affinity_mask(cores)
