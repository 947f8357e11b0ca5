"""What goes wrong with phones: one clear error each, and nothing left behind, here or there.

The fixture looks after every test that no file and no program is left on the phone and no adb client here.
"""

import os
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest
from support.fake_device import tool

import tflite
from tflite import MeasurementError, ModelError
from tflite.android import adb, folder
from tflite.android.device import Device

pytest_plugins = ("support.fake_device.fixtures",)


@pytest.fixture
def model(files):
    return files["int8"].path


def measure(model, program, **options):
    return tflite.android.benchmark(model, tool=program, max_seconds=1.0, **options)


def test_no_adb(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(adb, "_WHERE_SDKS_PUT_IT", ())
    with pytest.raises(MeasurementError, match=r"the program `adb` on the PATH. Received: none. .*apt-get install adb"):
        tflite.android.benchmark(model)


def test_adb_where_an_sdk_puts_it(tmp_path, monkeypatch):
    program = tmp_path / "platform-tools/adb"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path))
    assert adb.find_adb() == str(program)


def test_adb_that_fails_or_hangs(tmp_path, monkeypatch):
    program = tmp_path / "adb"
    program.write_text("#!/bin/sh\necho cannot bind >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(MeasurementError, match="`adb devices` failed: cannot bind"):
        adb.Adb(program=str(program)).devices()
    program.write_text("#!/bin/sh\nsleep 60\n")
    with pytest.raises(MeasurementError, match=r"`adb devices` took more than 0.2 s and was ended"):
        adb.Adb(program=str(program)).call("devices", seconds=0.2)
    program.write_text("not a program")
    with pytest.raises(MeasurementError, match=r"Could not start .*adb': Exec format error"):
        adb.Adb(program=str(program)).devices()


@pytest.mark.parametrize("state", ["unauthorized", "offline"])
def test_phones_that_are_not_ready(phones, model, tmp_path, state):
    phone = phones(state=state)
    # The server asks again and again: it is "authorizing" in between.
    said = {"unauthorized": "(un)?authoriz(ed|ing): .*allow debugging", "offline": "offline: .*plug it in again"}
    for serial in (None, phone.address):
        with pytest.raises(MeasurementError, match=f"'{phone.address}' is {said[state]}"):
            measure(model, tool.make(tmp_path), serial=serial)
    assert phone.commands == []


def test_no_phone(adb_server, model, tmp_path, monkeypatch):
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(
        MeasurementError, match=r"Expected a phone. Received: none that adb sees. Switch USB debugging on"
    ):
        measure(model, tool.make(tmp_path))
    with pytest.raises(ModelError, match="Received: serial='1A', of none"):
        measure(model, tool.make(tmp_path), serial="1A")


def test_the_states_that_adb_lists():
    devices = {"a": "offline", "b": "unauthorized"}
    with pytest.raises(MeasurementError, match=r"a phone that is ready. Received: 'a' \(offline\), 'b' \(unauth"):
        adb.choose(devices, None)
    assert adb.choose({**devices, "c d": "device"}, None) == "c d"
    with pytest.raises(MeasurementError, match=r"The phone 'x' is no permissions .user in plugdev"):
        adb.choose(adb.parse_devices("x\tno permissions (user in plugdev group; are your udev rules wrong?)\n"), None)


@pytest.mark.parametrize("features", [["shell_v2"], []])
def test_unplugged_in_the_middle_of_a_run(phones, model, tmp_path, features):
    """The phone itself ends the program and removes the folder."""
    phone = phones(features=features, unplug_at="--num_runs")
    with pytest.raises(MeasurementError, match=rf"The phone '{phone.address}' was lost: .*\(while 'benchmark_model'"):
        measure(model, tool.make(tmp_path, fault="hang"))


def test_unplugged_before_the_run(phones, model, tmp_path):
    phones(unplug_at="sha256sum")
    with pytest.raises(MeasurementError, match=r"was lost|Could not copy"):
        measure(model, tool.make(tmp_path))


def test_no_space_on_the_phone(phones, model, tmp_path):
    phones(space=600)
    with pytest.raises(
        MeasurementError, match=r"Could not copy 'int8.tflite' to .*there is no space left on the phone"
    ):
        measure(model, tool.make(tmp_path))


def test_a_folder_that_cannot_be_made(phone, model, tmp_path):
    phone.script("mkdir", "echo mkdir: No space left on device >&2; exit 1")
    with pytest.raises(MeasurementError, match=r"Could not make the folder /data/local/tmp/tflite-.*No space left"):
        measure(model, tool.make(tmp_path))


def test_a_copy_that_differs(phones, model, tmp_path):
    for missing, program in ((set(), "sha256sum"), ({"sha256sum"}, "md5sum")):
        phone = phones(spoil=lambda content: content[:-1] + b"!", missing=missing)
        message = f"the copy of 'benchmark_model' on the phone to be as the file, {program}"
        with pytest.raises(MeasurementError, match=message):
            measure(model, tool.make(tmp_path), serial=phone.address)


def test_a_phone_without_checksums(phones, model, tmp_path):
    told = []
    phones(missing={"sha256sum", "md5sum"})
    measure(model, tool.make(tmp_path), tell=told.append)
    assert told[:2] == [
        f"The phone has no checksum program: the copy of '{name}' is not verified"
        for name in ("benchmark_model", "int8.tflite")
    ]


def elf(path, machine):
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, machine) + bytes(100))
    path.chmod(0o755)
    return path


def test_a_tool_for_another_processor(phones, model, tmp_path):
    phone = phones()
    with pytest.raises(ModelError, match=r"a program for arm64-v8a or .*Received: 'x', which is for x86_64. Get https"):
        measure(model, elf(tmp_path / "x", 62))
    phone.properties["ro.product.cpu.abilist"] = "x86_64,x86"
    with pytest.raises(ModelError, match=r"which is for arm64-v8a. There is none prebuilt for x86_64: build"):
        measure(model, elf(tmp_path / "x", 183))
    phone.properties.clear()  # it does not tell, and finds out itself
    with pytest.raises(MeasurementError, match="failed: it is not a program for this processor"):
        measure(model, elf(tmp_path / "x", 183))


def test_a_tool_that_vanishes(phone, model, tmp_path):
    phone.script("chmod", "rm -f $2")
    with pytest.raises(MeasurementError, match="failed: it is not there"):
        measure(model, tool.make(tmp_path))


@pytest.mark.parametrize("features", [["shell_v2"], []])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", r"failed: it crashed \(SIGSEGV\)"),
        ("exit", "failed: it ended with status 3"),
        ("nonsense", "Could not read what the benchmark tool wrote: Expected the output of one finished run"),
        ("silent", "Could not read what the benchmark tool wrote: .*Its last words: nothing"),
        ("cut", "Could not read what the benchmark tool wrote: Expected the result file"),
        ("stale", r"Expected one result. Received: 2 runs of 950 us in the tool's result file, 6 of 145.667 us"),
    ],
)
def test_tools_that_fail(phones, model, tmp_path, features, fault, message):
    """A shell of before Android 7 loses the exit status; it comes back all the same."""
    phones(features=features)
    with pytest.raises(MeasurementError, match=message):
        measure(model, tool.make(tmp_path, fault=fault))


def test_a_tool_that_hangs(phone, model, tmp_path, monkeypatch):
    monkeypatch.setattr("tflite.benchmark_tool.flags._LOADING", -1.0)
    with pytest.raises(
        MeasurementError, match=r"took more than 1 s and was ended.*while 'benchmark_model' was running"
    ):
        measure(model, tool.make(tmp_path, fault="hang"))


def test_a_phone_without_taskset(phones, model, tmp_path):
    phones(missing={"taskset"})
    with pytest.raises(MeasurementError, match="taskset: inaccessible or not found"):
        measure(model, tool.make(tmp_path), cores="0-1")


def test_another_program_of_the_same_number_lives_on(phone, model, tmp_path):
    """The folder's list of programs may name one that ended long ago."""
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    with folder.PhoneFolder(Device()) as opened:
        opened.device.checked(f"echo {bystander.pid} > {opened.folder}/pid")
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_the_time_for_a_copy_grows_with_all_of_a_folder(phone, tmp_path, monkeypatch):
    """Sixty megabytes of images over a wireless connection, at a megabyte a second."""
    images = tmp_path / "images"
    images.mkdir()
    for name in ("0", "1"):
        (images / name).touch()
        os.truncate(images / name, 30_000_000)
    device, allowed = Device(), []
    monkeypatch.setattr(device.adb, "call", lambda *call, seconds: allowed.append(seconds) or (0, b"", ""))
    device.push(images, "/data/local/tmp/images")
    device.push(images / "0", "/data/local/tmp/image")
    assert allowed == [90.0, 60.0]


def test_a_folder_that_stays_is_told(phone):
    told = []
    with folder.PhoneFolder(Device(), tell=told.append) as opened:
        phone.script("rm", "exit 1")
        phone.unplug()
        time.sleep(0.2)
    assert told == [f"Could not remove {opened.folder} from the phone: it did not answer"]
    (phone.root / "bin/rm").unlink()
    subprocess.run(["rm", "-rf", phone.real(opened.folder)], check=True)


def test_interrupted(phone, model, tmp_path):
    """Ctrl-C while the tool runs."""
    main = threading.main_thread().ident
    interrupter = threading.Thread(target=lambda: (running(phone), signal.pthread_kill(main, signal.SIGINT)))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        measure(model, tool.make(tmp_path, fault="hang"))
    interrupter.join()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_ended_from_outside(phone, model, tmp_path, number, status):
    """Asked to end, it cleans up; killed, the phone does."""
    code = f"import tflite; tflite.android.benchmark({str(model)!r}, tool={str(tool.make(tmp_path, fault='hang'))!r})"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=os.getcwd(), stderr=subprocess.DEVNULL)
    running(phone)
    process.send_signal(number)
    assert process.wait(timeout=20) == status


def running(phone):
    """Wait until the tool runs on the phone."""
    deadline = time.monotonic() + 30
    while not any("--num_runs" in command for command in phone.commands):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
