"""Damaged files of a cache are noticed, and writers that are killed leave whole ones."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from support.caches import assert_answers

from distiller.errors import InputError
from distiller.teachers.caching.cache import Cache
from distiller.utils import checked_rows


class TestDamage:
    @pytest.mark.parametrize(
        "harm",
        [
            lambda content: content[:-1],
            lambda content: content[: len(content) // 2],
            lambda content: b"",
            lambda content: content + b"\0",
            lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
            lambda content: content.replace(b"'fortran", b"'f\0rtran"),
            lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        ],
        ids=["a byte short", "half", "empty", "a byte more", "one bit", "header", "digest"],
    )
    def test_is_noticed(self, copied, build, teacher, harm):
        file = copied / "pass-0001.npy"
        whole = file.read_bytes()
        file.write_bytes(harm(whole))
        assert file.read_bytes() != whole
        remedy = r"'[^']*pass-0001.npy' is cut short or damaged. Delete it and build the cache again"
        with pytest.raises(InputError, match=remedy):
            build()
        with pytest.raises(InputError, match=remedy):
            Cache(copied, teacher).rows(1, np.arange(3))

    def test_is_mended_as_the_message_says(self, copied, build, teacher, split):
        (copied / "pass-0001.npy").unlink()
        seen = []
        cache = build(progress=seen.append)
        assert seen == [21, 29, 37, 42]
        assert_answers(cache, teacher, split, turn=1)

    def test_a_pass_in_anothers_place_is_noticed(self, copied, build):
        (copied / "pass-0000.npy").write_bytes((copied / "pass-0001.npy").read_bytes())
        with pytest.raises(InputError, match=r"pass-0000.npy' is cut short or damaged"):
            build()

    def test_a_pass_of_another_cache_is_noticed(self, copied, tmp_path, build):
        build("other", seed=1, passes=1)
        (copied / "pass-0000.npy").write_bytes((tmp_path / "other" / "pass-0000.npy").read_bytes())
        with pytest.raises(InputError, match=r"pass-0000.npy' is cut short or damaged"):
            build()

    @pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 0, "key": {}}', None])
    def test_of_the_key_is_noticed(self, copied, teacher, content):
        file = copied / "cache.json"
        file.unlink() if content is None else file.write_text(content)
        with pytest.raises(
            InputError, match=r"cache.json' is missing, damaged or of another version. Delete its folder"
        ):
            Cache(copied, teacher)


WRITER = """
import importlib.util, sys
from pathlib import Path
import numpy as np

spec = importlib.util.spec_from_file_location("checked_rows", sys.argv[1])
checked_rows = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checked_rows)
stop = sys.argv[3] == "stop"
rows = np.ones(4000, [("x", "f4", (2,))])

def blocks():
    for first in range(0, 4000, 100):
        yield rows[first : first + 100]
        if stop and first == 2000:
            print("half", flush=True)
            sys.stdin.read()

if not stop:
    print("ready", flush=True)
while True:
    checked_rows.write_rows(Path(sys.argv[2]), blocks(), rows.dtype, len(rows), b"salt")
"""


def test_processes_that_write_and_are_killed_leave_a_whole_file(tmp_path):
    """Two write the same file over and over, a third stops half-way: it is whole at every moment."""
    path = tmp_path / "pass-0000.npy"

    def start(mode):
        command = [sys.executable, "-c", WRITER, checked_rows.__file__, str(path), mode]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def assert_whole():
        rows = checked_rows.read_rows(path, b"salt")
        assert len(rows) == 4000
        assert (rows["x"] == 1).all()

    writers = [start(mode) for mode in ("stop", "go", "go")]
    try:
        assert [writer.stdout.readline() for writer in writers] == ["half\n", "ready\n", "ready\n"]
        while not path.exists():
            time.sleep(0.01)
        for writer in writers:
            for _ in range(5):
                assert_whole()
            writer.kill()
            assert writer.wait() == -signal.SIGKILL
        assert_whole()
        left = [file.stat().st_size for file in tmp_path.glob("*.part")]
        assert any(0 < size < path.stat().st_size for size in left)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
