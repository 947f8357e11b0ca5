"""`distiller doctor`: what is there, what is missing and how to get it."""

import json
import sys

import pytest
from support.fake_device import tool

import tflite
from distiller.cli import entry, installation
from tflite.android import adb

pytest_plugins = ("support.fake_device.fixtures",)


@pytest.fixture
def doctor(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["distiller", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return call


def parts(out):
    return {part["name"]: part for part in json.loads(out)["parts"]}


def test_this_machine(doctor):
    code, out, _ = doctor("--json")
    found = parts(out)
    assert code == 0
    assert json.loads(out)["ready"]
    assert {
        "python",
        "tensorflow",
        "keras",
        "ai-edge-litert",
        "import tflite",
        "backend",
        "interpreter",
    } <= found.keys()
    assert found["backend"]["found"] == "tensorflow"
    assert found["jax"]["optional"]
    assert not {"pytest", "ruff"} & found.keys()
    code, out, _ = doctor()
    assert code == 0
    assert out.endswith("All is there.\n")


def test_packages():
    marks = '; extra == "jax"', '; extra == "dev"', '; python_version < "3"'
    found = installation.packages(
        [
            "numpy>=1",
            "keras>=99",
            "nowhere-to-be-found>=2",
            f"jax>=99{marks[0]}",
            f"pytest>=99{marks[1]}",
            f"six{marks[2]}",
        ]
    )
    assert [(part.name, part.present, part.optional) for part in found] == [
        ("numpy", True, False),
        ("keras", False, False),
        ("nowhere-to-be-found", False, False),
        ("jax", False, True),
    ]
    assert (found[1].remedy, found[2].found) == ("pip install 'keras>=99'", "not installed")


@pytest.mark.parametrize(
    ("devices", "mark", "found"), [(["gpu:0"], "✓", "NVIDIA L4"), ([], "–", "NVIDIA L4: not used")]
)
def test_a_gpu_that_the_backend_does_not_use_is_told(doctor, monkeypatch, devices, mark, found):
    monkeypatch.setattr("distiller.utils.provenance.listed_gpus", lambda: ("NVIDIA L4",))
    monkeypatch.setattr("keras.distribution.list_devices", lambda kind: devices)
    code, out, _ = doctor()
    assert code == 0
    [line] = [line for line in out.splitlines() if "NVIDIA L4" in line]
    assert line.startswith(f"{mark}  GPU")
    assert found in line
    assert ("→ pip install 'tensorflow[and-cuda]'" in out) == (not devices)


def test_something_is_missing(doctor, monkeypatch):
    monkeypatch.setattr(installation.metadata, "requires", lambda name: ["nowhere-to-be-found>=2"])
    code, out, _ = doctor()
    assert code == 1
    assert "✗  nowhere-to-be-found  not installed" in out
    assert "→ pip install 'nowhere-to-be-found>=2'" in out
    assert "Something is missing" in out


@pytest.mark.parametrize("name", ["distiller", "tflite"])
def test_packages_of_other_people_with_our_import_names_are_told(doctor, monkeypatch, name):
    version = installation.metadata.version
    monkeypatch.setattr(installation.metadata, "version", lambda of: "0.1.2" if of == name else version(of))
    code, out, _ = doctor()
    assert code == 1
    assert f"another {name}" in out
    assert "0.1.2, which is not this package" in out
    assert f"→ pip uninstall {name}, and install this package again: it is called distillite" in out


def test_a_backend_and_an_interpreter_that_are_broken(doctor, monkeypatch):
    monkeypatch.setattr("distiller.utils.backend.load_backend", lambda: 1 / 0)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    found = parts(doctor("--json")[1])
    assert found["backend"]["found"] == "ZeroDivisionError: division by zero"
    assert found["interpreter"]["found"].startswith("ModuleNotFoundError")


def test_a_phone_that_is_ready(phone, doctor, tmp_path):
    code, out, _ = doctor("--android", "--tool", tool.make(tmp_path), "--json")
    found = parts(out)
    assert code == 0
    assert found["phone"]["found"] == f"Fake & Sons Phone 'One', Acme AC9000, Android 14, serial '{phone.address}'"
    assert found["processor"]["found"] == (
        "arm64-v8a, armeabi-v7a, armeabi, 4 cores, governor schedutil: "
        "the prebuilt tool for it is android_aarch64_benchmark_model"
    )
    assert found["benchmark_model"]["found"] == str(tmp_path / "benchmark_model")
    assert found["temperature"]["found"] == "30.2 °C"
    assert found["adb"]["found"].split(", ")[1].startswith("Version")


@pytest.mark.parametrize(
    ("abis", "found", "remedy"),
    [
        (
            "arm64-v8a",
            "android_aarch64_benchmark_model",
            "/android_aarch64_benchmark_model and pass its path as `tool`",
        ),
        ("armeabi-v7a,armeabi", "android_arm_benchmark_model", "/android_arm_benchmark_model and pass"),
        ("x86_64", "there is no prebuilt tool", "There is none prebuilt for x86_64: build"),
    ],
)
def test_which_tool_fits(phone, abis, found, remedy):
    phone.properties["ro.product.cpu.abilist"] = abis
    got = {part.name: part for part in tflite.android.readiness()}
    assert found in got["processor"].found
    assert not got["benchmark_model"].present
    assert got["benchmark_model"].found == "Expected the benchmark tool of TFLite. Received: none, here or on the phone"
    assert remedy in got["benchmark_model"].remedy


def test_a_phone_that_lacks_things(phones, tmp_path):
    phones(missing={"taskset", "dumpsys"})
    got = {part.name: part for part in tflite.android.readiness(tool=tmp_path / "x")}
    assert [
        (name, got[name].present, got[name].optional) for name in ("taskset", "temperature", "benchmark_model")
    ] == [
        ("taskset", False, True),
        ("temperature", False, True),
        ("benchmark_model", False, False),
    ]


@pytest.mark.parametrize("state", ["unauthorized", "offline"])
def test_a_phone_that_is_not_ready(phones, doctor, state):
    phones(state=state)
    code, out, _ = doctor("--android", "--json")
    assert code == 1
    assert not parts(out)["phone"]["present"]
    assert "benchmark_model" not in parts(out)


def test_no_phone(adb_server, monkeypatch):
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    got = {part.name: part for part in tflite.android.readiness()}
    assert got["phone"].found == "Expected a phone. Received: none that adb sees"
    assert got["phone"].remedy.startswith("Switch USB debugging on")


def test_no_adb(monkeypatch, doctor):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(adb, "_WHERE_SDKS_PUT_IT", ())
    code, out, _ = doctor("--android", "--json")
    assert code == 1
    assert "apt-get install adb" in parts(out)["adb"]["remedy"]


def test_an_adb_that_fails(tmp_path, monkeypatch):
    program = tmp_path / "adb"
    program.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tflite.android.readiness()[0].found == f"{program} failed: no"


def test_options_that_need_each_other(doctor):
    code, _, err = doctor("--serial", "x")
    assert (code, "with --android. Received them without" in err) == (2, True)
