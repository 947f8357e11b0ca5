"""Files that crash, hang or swell: one clear error each, and no process is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import hostile_files

import tflite
from tflite import MeasurementError, ModelError
from tflite.isolation import Limits, Worker, messages, worker


@pytest.fixture
def write(tmp_path):
    def write(content: bytes) -> Path:
        path = tmp_path / "file.tflite"
        path.write_bytes(content)
        return path

    return write


def gone(process: int) -> bool:
    """Whether there is no such process, or only what is left of it until its parent looks."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(true, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(true())


@pytest.mark.parametrize("use", ["open", "run", "inspect"])
def test_good_files(files, use):
    tflite.check(files["int8"].path, use=use)


def test_a_file_without_images(write):
    """Two scalars go into it, and that is no mistake."""
    path = write(hostile_files.sum_of_scalars())
    tflite.check(path, use="run")


def test_crashes(write):
    crashed = "ended the process that ran it: the interpreter crashed .SIGSEGV.. The file is damaged or hostile"
    with pytest.raises(ModelError, match=crashed):
        tflite.check(write(hostile_files.crash_while_opening()))
    path = write(hostile_files.crash_while_running())
    tflite.check(path)
    with pytest.raises(ModelError, match=crashed):
        tflite.check(path, use="run")


def test_time_and_memory(write):
    path = write(hostile_files.endless())
    tflite.check(path)
    started = time.monotonic()
    with pytest.raises(ModelError, match=r"did not finish within 0.5 s, and was ended"):
        tflite.check(path, use="run", time_limit=0.5)
    assert time.monotonic() - started < 5
    with pytest.raises(ModelError, match=r"cannot be run .or it needs more memory than the limit of 2 GiB"):
        tflite.check(write(hostile_files.enormous()), memory_limit=2 * 2**30)
    big = write(b"\0\0\0\0TFL3")
    os.truncate(big, 2**30)
    with pytest.raises(ModelError, match=r"needs more memory than the limit of 0.25 GiB"):
        tflite.check(big, memory_limit=2**28)


def test_files_that_are_none(tmp_path, files, write):
    with pytest.raises(ModelError, match="which does not exist"):
        tflite.check(tmp_path / "nowhere.tflite")
    with pytest.raises(ModelError, match="which is of another kind"):
        tflite.check(write(b"nothing of the sort"))
    content = files["float32"].path.read_bytes()
    with pytest.raises(ModelError, match="damaged or truncated"):
        tflite.check(write(content[: len(content) // 2]))


def test_arguments(files):
    path = files["int8"].path
    for options, message in [
        ({"use": "look"}, "`use`. Expected one of .* Received: use='look'"),
        ({"time_limit": 0.0}, "`time_limit`. Expected more than 0. Received: time_limit=0"),
        ({"memory_limit": -1}, "`memory_limit`. Expected at least 1"),
        ({"memory_limit": 2.5e9}, "`memory_limit`. Expected a whole number. Received: memory_limit=2500000000.0"),
        ({"time_limit": np.inf}, "`time_limit`. Expected a finite number. Received: time_limit=inf"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.check(path, **options)


def test_no_process_is_left(write):
    path = write(hostile_files.endless())
    with Worker(path) as good:
        pass
    with Worker(path, limits=Limits(seconds=0.3)) as slow, pytest.raises(ModelError, match="did not finish"):
        slow.call("check", path=path, use="run")
    with pytest.raises(ZeroDivisionError), Worker(path) as failed:
        print(1 / 0)
    forgotten = Worker(path)
    process = forgotten._process
    del forgotten
    assert all(gone(one.pid) for one in (good._process, slow._process, failed._process, process))


def start_parent(path: Path, limit: float) -> tuple[subprocess.Popen, int]:
    """A Python process that runs an endless file in a child, and the child."""
    code = f"""if True:
        from tflite.isolation import Limits, Worker
        worker = Worker({str(path)!r}, limits=Limits(seconds={limit}))
        print(worker._process.pid, flush=True)
        worker.call("check", path={str(path)!r}, use="run")
    """
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


def test_control_c_ends_the_child(write):
    parent, child = start_parent(write(hostile_files.endless()), 60.0)
    with parent:
        time.sleep(0.3)
        assert not gone(child)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(timeout=10) != 0
    assert wait_until(lambda: gone(child))


def test_a_child_ends_by_itself_where_its_parent_was_killed(write):
    parent, child = start_parent(write(hostile_files.endless()), 0.5)
    with parent:
        parent.kill()
    assert not gone(child)
    assert wait_until(lambda: gone(child))


def test_a_child_that_does_not_start(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MeasurementError, match=r"Could not start a process to open .*: no answer"):
        Worker(tmp_path / "a.tflite")


def test_jobs(tmp_path):
    with Worker(tmp_path / "a.tflite") as child:
        with pytest.raises(MeasurementError, match=r"a.tflite': KeyError: 'format the disk'"):
            child.call("format the disk")
        with pytest.raises(ModelError, match="does not exist"):
            child.call("check", path="nowhere", use="open")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "the system killed it, most likely for its memory"),
        (signal.SIGXCPU, "it did not finish within 60 s"),
        (signal.SIGABRT, "the interpreter crashed .SIGABRT."),
    ],
)
def test_causes_of_death(tmp_path, number, reason):
    with Worker(tmp_path / "a.tflite") as child:
        os.kill(child._process.pid, number)
        with pytest.raises(ModelError, match=f"a.tflite' ended the process that ran it: {reason}"):
            child.call("check", path="a.tflite", use="open")


def test_last_words(tmp_path):
    """What C++ says before it ends the process; its chatter is none of it."""
    for words, reason in [
        (
            b"INFO: a delegate\n",
            r"the interpreter crashed .SIGABRT.. The file is damaged or hostile, or of a newer kind$",
        ),
        (b"free(): invalid pointer\nWARNING: late\n", r"newer kind .free..: invalid pointer.$"),
        (b"what():  std::bad_alloc\n", "it needs more memory than the limit of 4 GiB"),
    ]:
        with Worker(tmp_path / "a.tflite") as child:
            child._noise.write(words)
            child._noise.flush()
            os.kill(child._process.pid, signal.SIGABRT)
            with pytest.raises(ModelError, match=reason):
                child.call("check", path="a.tflite", use="open")


def test_names_in_a_file_do_not_write_to_the_terminal(tmp_path, monkeypatch):
    said = {"error": "'a' is damaged:\x1b[31m red\n\u202eand\r\nmore", "model": True}
    with Worker(tmp_path / "a.tflite") as child:
        monkeypatch.setattr(worker.os, "read", lambda *_: messages.encode(said))
        with pytest.raises(ModelError) as caught:
            child.call("check", path="a.tflite", use="open")
    assert str(caught.value) == "'a' is damaged: [31m red and more"


@pytest.mark.parametrize("answer", [b"nonsense\n", b"[" * 100_000 + b"\n", b'{"answer": 1}\n', b"3\n"])
def test_answers_of_a_child_that_is_no_longer_ours(tmp_path, monkeypatch, answer):
    with Worker(tmp_path / "a.tflite") as child:
        monkeypatch.setattr(worker.os, "read", lambda *_: answer)
        with pytest.raises(ModelError, match="what it answered is none of the expected"):
            child.call("check", path="a.tflite", use="open")


def test_messages():
    array = np.arange(6, dtype="uint8").reshape(1, 2, 3)
    got = messages.decode(messages.encode({"images": array, "path": Path("a"), "scale": np.float32([1.5])}))
    assert got["path"] == "a"
    assert got["images"].dtype == "uint8"
    np.testing.assert_array_equal(got["images"], array)
    np.testing.assert_array_equal(got["scale"], np.float32([1.5]))
    assert messages.decode(messages.encode([np.int64(3), np.float32(0.5), np.bool_(True)])) == [3, 0.5, True]
    with pytest.raises(TypeError, match="ndarray does not go through a pipe"):
        messages.encode(np.array([object()]))
    with pytest.raises(ValueError, match="an array of object"):
        messages.decode(json.dumps({"__array__": "", "dtype": "O", "shape": [0]}).encode())
