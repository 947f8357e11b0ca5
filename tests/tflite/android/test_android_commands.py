"""`distiller benchmark` and `distiller evaluate` on phones, with a tool of this machine, and with files of others."""

import json

import pytest
from support.fake_device import generations, tool

from distiller.cli import entry
from tflite import BenchmarkResult

pytest_plugins = ("support.fake_device.fixtures",)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command: exit status, standard output, error stream."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["distiller", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return call


def test_benchmark_on_a_phone(phone, files, tmp_path, command):
    program = tool.make(tmp_path)
    told = command(
        "benchmark",
        files["int8"].path,
        "--android",
        "--tool",
        program,
        "--cores",
        "2,3",
        "--threads",
        "1,2",
        "--profile",
    )
    assert told[0] == 0
    assert "median ms" in told[1]
    assert "p95 ms" in told[1]
    assert (
        "Fake & Sons Phone 'One', Acme AC9000, Android 14, 4 cores, governor schedutil, on the cores of mask c"
        in told[1]
    )
    assert "battery 81 % (charging)" in told[1]
    assert "Battery from 30.2 °C before to 30.2 °C after" in told[1]
    assert "CONV_2D" in told[1]
    assert "Measuring int8.tflite on Fake & Sons" in told[2]
    assert phone.masks == ["c"] * 4


def test_benchmark_as_json(phone, files, tmp_path, command):
    code, out, _ = command(
        "benchmark", files["int8"].path, files["float32"].path, "--android", "--tool", tool.make(tmp_path), "--json"
    )
    found = [BenchmarkResult.from_fields(fields) for fields in json.loads(out)["results"]]
    assert code == 0
    assert [result.path.name for result in found] == ["int8.tflite", "float32.tflite"]
    assert {result.phone["serial"] for result in found} == {phone.address}


def test_a_tool_of_this_machine(files, tmp_path, command):
    program = tool.make(tmp_path, "2022", name="linux_x86-64_benchmark_model")
    code, out, _ = command(
        "benchmark", files["int8"].path, "--tool", program, "--delegate", "both", "--cores", "0", "--json"
    )
    found = json.loads(out)["results"]
    assert code == 0
    assert [result["delegate"] for result in found] == ["xnnpack", "none"]
    assert {(result["tool"], result["phone"], result["mean_ms"]) for result in found} == {
        ("linux_x86-64_benchmark_model", None, 0.145667)
    }


def test_a_file_of_someone_else(tmp_path, command):
    run = generations.Run(generations.Phase(tool.WARMUP), generations.Phase(tool.RUNS))
    file = tmp_path / "log.txt"
    file.write_text(generations.text("2019", run))
    code, out, _ = command("benchmark", "--import", file)
    assert code == 0
    assert "mean ms" in out
    assert "0.1457" in out
    assert "1 thread, unknown, unknown, benchmark_model, from log.txt" in out


def test_results_of_this_command_elsewhere(files, tmp_path, command):
    """What one machine measured with --json is read on another."""
    options = ["--tool", tool.make(tmp_path), "--delegate", "cpu", "--delegate", "none"]
    code, out, _ = command("benchmark", files["int8"].path, *options, "--json")
    (tmp_path / "theirs.json").write_text(out)
    code, again, _ = command("benchmark", "--import", tmp_path / "theirs.json", "--json")
    assert code == 0
    assert json.loads(again)["results"] == json.loads(out)["results"]
    assert [result["delegate"] for result in json.loads(again)["results"]] == ["xnnpack", "none"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected TFLite files, or a file of benchmark_model with --import"),
        (["a.tflite", "--serial", "x"], "Expected --serial with --android"),
        (["a.tflite", "--cores", "0"], "Expected --cores with --android or --tool"),
        (["a.tflite", "--delegate", "gpu"], "Expected --android with --delegate gpu"),
        (["a.tflite", "--delegate", "nnapi"], "Expected --android with --delegate nnapi"),
        (["--import", "a", "--android"], "Expected --import alone"),
        (
            ["a.tflite", "b.tflite", "--import", "a"],
            "Expected the one TFLite file that was measured. Received: 2 files",
        ),
        (["a.tflite", "--android", "--precision", "0.1"], "Expected --precision without --android"),
        (["--import", "nowhere.txt"], "nowhere.txt', which does not exist"),
    ],
)
def test_calls_that_are_wrong(command, arguments, message):
    code, out, err = command("benchmark", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_work_that_fails(phone, files, tmp_path, command):
    code, out, err = command("benchmark", files["int8"].path, "--android", "--tool", tool.make(tmp_path, fault="crash"))
    assert (code, out) == (1, "")
    assert "failed: it crashed (SIGSEGV)" in err


def test_accuracy_on_a_phone(phone, files, tmp_path, command):
    arguments = ["evaluate", files["int8"].path, "--data", "digits", "--android", "--tool", tool.make(tmp_path)]
    code, out, _ = command(*arguments, "--count", "2")
    assert code == 0
    assert "on 2 test images, on Fake & Sons Phone 'One'" in out
    assert "The same class as here on 100.00%; largest difference of an output 0" in out
    code, _, err = command(*arguments[:4], "--tool", "x")
    assert (code, "Expected --serial and --tool with --android" in err) == (2, True)


def test_delegates_side_by_side(phone, files, tmp_path, command):
    """The GPU answers with zeros, and NNAPI with a part of the operators."""
    program = tool.make(tmp_path, gpu="zero", taken={"nnapi": (3, 12)}, kept=tmp_path)
    arguments = ["--data", "digits", "--android", "--tool", program, "--count", "2", "--delegate", "cpu"]
    code, out, _ = command("evaluate", files["int8"].path, *arguments, "--delegate", "gpu", "--delegate", "nnapi")
    assert code == 0
    rows = {line.split()[0]: line.split() for line in reversed(out.splitlines()) if line}
    assert rows["delegate"][:3] == ["delegate", "delegated", "accuracy"]
    assert rows["nnapi"][1:4] == ["3", "of", "12"]
    assert rows["gpu"][-2:] == ["0", "2"]
    assert "gpu is wrong: all outputs are zero on 2 of 2 images, and are not here" in out
    code, out, _ = command("evaluate", files["int8"].path, *arguments[:-1], "gpu")
    assert code == 0
    assert "The same class as on the phone's CPU on" in out
    assert "Wrong: all outputs are zero on 2 of 2 images" in out
    code, out, _ = command("evaluate", files["int8"].path, *arguments, "--delegate", "gpu", "--json")
    assert [one["zero_images"] for one in json.loads(out)["evaluations"]] == [0, 2]


def test_latencies_of_delegates_side_by_side(phone, files, tmp_path, command):
    program = tool.make(tmp_path, gpu="crash", taken={"nnapi": (3, 12)})
    delegates = [word for name in ("cpu", "gpu", "nnapi") for word in ("--delegate", name)]
    code, out, _ = command("benchmark", files["int8"].path, "--android", "--tool", program, *delegates)
    assert code == 0
    assert "delegated" in out
    assert "3 of 12" in out
    assert "int8.tflite, gpu: not measured." in out
    assert "it crashed (SIGSEGV)" in out
    code, out, err = command("benchmark", files["int8"].path, "--android", "--tool", program, "--delegate", "gpu")
    assert (code, out) == (1, "")
    assert "it crashed (SIGSEGV)" in err
