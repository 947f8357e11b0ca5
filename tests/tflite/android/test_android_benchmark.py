"""From a file to numbers of a phone, with the real adb client and a phone on loopback."""

import shutil
import statistics

import pytest
from support.fake_device import relay, tool

import tflite
from tflite import BenchmarkResult, MeasurementError, ModelError
from tflite.android import cooling

pytest_plugins = ("support.fake_device.fixtures",)


@pytest.fixture
def model(files):
    return files["int8"].path


def test_everything_that_a_result_holds(phone, model, files, tmp_path):
    told = []
    program = tool.make(tmp_path)
    (got,) = tflite.android.benchmark(model, tool=program, profile=True, cores="big", tell=told.append)
    assert got.mean_ms == pytest.approx(statistics.fmean(tool.RUNS) / 1000, rel=1e-6)
    assert (got.median_ms, got.p95_ms, got.min_ms) == pytest.approx((0.082, 0.443, 0.078))
    assert (got.first_ms, got.init_ms) == pytest.approx((2.19, 3.203))
    assert (got.runs, got.warmup_runs, got.threads, got.delegate) == (6, 4, 1, "xnnpack")
    assert (got.path, got.bytes, got.tool) == (model, files["int8"].bytes, "benchmark_model")
    assert got.peak_memory_bytes == tool.PEAK_MB * 2**20
    assert [(op.type, op.mean_ms, op.share) for op in got.operators] == [
        ("CONV_2D", 0.06, 0.75),
        ("SOFTMAX", 0.02, 0.25),
    ]
    assert got.device == "Fake & Sons Phone 'One', Acme AC9000"
    assert got.versions == {"android": "14"}
    assert got.notes == ()
    phone_facts = {
        name: got.phone[name] for name in ("serial", "sdk", "abis", "cores", "affinity", "temperature_after")
    }
    assert phone_facts == {
        "serial": phone.address,
        "sdk": "34",
        "abis": ["arm64-v8a", "armeabi-v7a", "armeabi"],
        "cores": 4,
        "affinity": "c",
        "temperature_after": 30.2,
    }
    assert got.phone["battery"] == {"temperature": 30.2, "percent": 81, "charging": True}
    assert got.phone["governors"] == ["schedutil"] * 4
    assert got.phone["megahertz"] == [1800, 1800, 2800, 2800]
    assert phone.masks == ["c", "c"]
    assert told == ["Measuring int8.tflite on Fake & Sons Phone 'One', Acme AC9000, 1 thread, xnnpack"]
    assert BenchmarkResult.from_json(got.to_json()) == got


@pytest.mark.parametrize("generation", ["2020", "2022", "litert"])
@pytest.mark.parametrize("features", [["shell_v2"], []])
def test_generations_of_the_tool_and_of_the_shell(phones, model, tmp_path, generation, features):
    phones(features=features)
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path, generation), profile=True)
    assert got.mean_ms == pytest.approx(statistics.fmean(tool.RUNS) / 1000, rel=1e-5)
    assert (got.runs, got.warmup_runs) == (6, 4)
    assert got.median_ms == (None if generation != "litert" else pytest.approx(0.082))
    assert [op.type for op in got.operators] == ["CONV_2D", "SOFTMAX"]
    watched = {"2020": None, "2022": tool.PEAK_MB * 2**20, "litert": tool.PEAK_MB * 2**20}
    assert got.peak_memory_bytes == watched[generation]


def test_several_numbers_of_threads(phone, model, tmp_path):
    got = tflite.android.benchmark(model, tool=tool.make(tmp_path), threads=(1, 2, 4))
    assert [result.threads for result in got] == [1, 2, 4]
    assert {result.operators for result in got} == {None}
    assert len([path for path in phone.pushed if path.endswith(".tflite")]) == 1


@pytest.mark.parametrize("delegate", ["gpu", "nnapi", "none"])
def test_delegates(phone, model, tmp_path, delegate):
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path, "2020"), delegate=delegate)
    assert got.delegate == delegate


@pytest.mark.parametrize(
    ("generation", "delegate", "took", "message"),
    [
        ("2024", "gpu", "xnnpack", "Expected the delegate 'gpu'. Received: 'xnnpack'"),
        ("2024", "none", "xnnpack", "Expected no delegate. Received: a tool that ran the model with xnnpack"),
        ("2018", "xnnpack", None, "--min_secs, --max_secs|Expected the delegate 'xnnpack'. Received: 'unknown'"),
        ("litert", "none", None, "Expected no delegate"),
        ("litert", "gpu", "xnnpack", "Expected the delegate 'gpu'. Received: 'xnnpack'"),
    ],
)
def test_another_delegate_than_the_one_that_was_asked_for(phone, model, tmp_path, generation, delegate, took, message):
    program = tool.make(tmp_path, generation, delegate=took)
    with pytest.raises(MeasurementError, match=message):
        tflite.android.benchmark(model, tool=program, delegate=delegate)


def test_a_tool_that_does_not_know_what_matters(phone, model, tmp_path, monkeypatch):
    flags = {"xnnpack": ["--use_xnnpack=true", "--pixels=raw"]}
    monkeypatch.setattr("tflite.benchmark_tool.flags._DELEGATE_FLAGS", flags)
    with pytest.raises(MeasurementError, match="does not know --pixels: it is of another generation"):
        tflite.android.benchmark(model, tool=tool.make(tmp_path))


def test_waiting_until_it_is_cool(phones, model, tmp_path, monkeypatch):
    monkeypatch.setattr(cooling, "_POLL", 0.0)
    told = []
    phones(temperatures=[412, 405, 379, 390])
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path), tell=told.append)
    assert [words.split(":")[0] for words in told[:2]] == ["The phone is at 41.2 °C", "The phone is at 40.5 °C"]
    assert "waiting until it is below 38 °C, 300 s at most" in told[0]
    assert (got.phone["battery"]["temperature"], got.phone["temperature_after"]) == (37.9, 39.0)
    assert got.notes == ()


@pytest.mark.parametrize(
    ("temperature", "options", "note"),
    [
        (452, {"cool_seconds": 0.0}, "the phone was at 45.2 °C when the measurement began"),
        (452, {"cool_below": None}, None),
        (None, {}, "the phone does not tell its temperature"),
    ],
)
def test_not_cool(phones, model, tmp_path, temperature, options, note):
    phones(temperatures=[temperature])
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path), **options)
    assert got.notes == (() if note is None else (note,))


def test_one_of_two_phones(phones, model, tmp_path, monkeypatch):
    first, second = phones(), phones()
    program = tool.make(tmp_path)
    with pytest.raises(ModelError, match=r"choice of one phone with `serial` \(--serial\)") as error:
        tflite.android.benchmark(model, tool=program)
    assert first.address in str(error.value)
    assert second.address in str(error.value)
    (got,) = tflite.android.benchmark(model, tool=program, serial=second.address)
    assert got.phone["serial"] == second.address
    assert first.commands == []
    monkeypatch.setenv("ANDROID_SERIAL", second.address)
    assert tflite.android.benchmark(model, tool=program)[0].phone["serial"] == second.address


def test_a_serial_number_with_spaces_and_quotes(phone, adb_server, model, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    name = f"my 'phone\"; touch {trap}; $(touch {trap})"
    server = relay.Relay(adb_server.port, phone.address, name)
    server.start()
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
    for serial in (None, name):
        (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path), serial=serial)
        assert got.phone["serial"] == name
    with pytest.raises(ModelError, match="Received: serial='other; phone', of"):
        tflite.android.benchmark(model, tool=tool.make(tmp_path), serial="other; phone")
    server.stop()
    assert not trap.exists()


def test_cores_that_do_not_tell_their_clock(phone, model, tmp_path):
    """The others keep their numbers."""
    (phone.root / "sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq").unlink()
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path), cores="big")
    assert got.phone["megahertz"] == [1800, 0, 2800, 2800]
    assert phone.masks == ["c"]


def test_cores_that_tell_nothing_keep_their_place(phone, model, tmp_path):
    """Those that the system has switched off have no folder of clocks."""
    for core in (0, 1):
        shutil.rmtree(phone.root / f"sys/devices/system/cpu/cpu{core}/cpufreq")
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path), cores="big")
    assert (got.phone["cores"], got.phone["megahertz"]) == (4, [0, 0, 2800, 2800])
    assert got.phone["governors"] == ["schedutil"] * 2
    assert phone.masks == ["c"]


def test_more_threads_than_cores(phone, model, tmp_path):
    """Two of the four cores are big."""
    with pytest.raises(ModelError, match=r"Expected a core for each thread. Received: threads=4 on 2 of the cores"):
        tflite.android.benchmark(model, tool=tool.make(tmp_path), cores="big", threads=(1, 4))
    assert phone.masks == []


def test_a_model_and_a_tool_with_spaces_and_quotes(phone, model, tmp_path):
    folder = tmp_path / "it's; $(touch trap) here"
    folder.mkdir()
    copy = folder / "my 'model' & more.tflite"
    copy.write_bytes(model.read_bytes())
    (got,) = tflite.android.benchmark(copy, tool=tool.make(folder, name="the 'tool"))
    assert (got.path, got.tool) == (copy, "the 'tool")


def test_where_the_tool_is_found(phone, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MeasurementError, match=r"Received: none, here or on the phone. Get .*android_aarch64_benchm"):
        tflite.android.benchmark(model)
    phone.install(tool.make(tmp_path))
    assert tflite.android.benchmark(model)[0].tool == "benchmark_model"
    (tmp_path / "bin").mkdir()
    tool.make(tmp_path / "bin", name="android_aarch64_benchmark_model")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert tflite.android.benchmark(model)[0].tool == "android_aarch64_benchmark_model"


def test_a_phone_that_tells_nothing(phones, model, tmp_path):
    phones(properties={}, missing={"dumpsys", "sha256sum"}, temperatures=[None])
    (got,) = tflite.android.benchmark(model, tool=tool.make(tmp_path))
    assert (got.phone["model"], got.phone["soc"], got.phone["android"], got.phone["abis"]) == (None, None, None, [])
    assert got.device == got.phone["serial"]


def test_arguments(phone, model, tmp_path):
    program = tool.make(tmp_path)
    for options, message in [
        ({"threads": 0}, "`threads`. Expected at least 1. Received: threads=0"),
        ({"threads": ()}, "at least one value for `threads`. Received: none"),
        ({"runs": 0}, "`runs`. Expected at least 1"),
        ({"max_seconds": 0.5}, "`max_seconds` of at least `min_seconds`"),
        ({"delegate": "vulkan"}, "Invalid value for `delegate`. Expected one of"),
        ({"cores": [4]}, r"Expected cores from 0 to 3. Received: 4 in cores=\[4\]"),
        ({"cores": "fast"}, "Expected processor cores as in .* Received: cores='fast'"),
        ({"tool": tmp_path / "nowhere"}, "the program benchmark_model. Received: .*nowhere', which does not exist"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.android.benchmark(model, **{"tool": program, **options})
    with pytest.raises(ModelError, match="Expected a TFLite file"):
        tflite.android.benchmark(program, tool=program)
    (phone.root / "sys/devices/system/cpu").rename(phone.root / "gone")
    with pytest.raises(ModelError, match="cores='big' for a phone that does not tell its clocks"):
        tflite.android.benchmark(model, tool=program, cores="big")
