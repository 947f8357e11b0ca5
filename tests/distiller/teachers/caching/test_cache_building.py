"""A cache is built, goes on after an interruption, and survives what may happen to its files."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc

import keras
import numpy as np
import pytest
from support.caches import VIEWS, assert_answers, images

from distiller import data
from distiller.errors import InputError, WorkError
from distiller.networks.feature_extraction import LOGITS
from distiller.teachers.caching import key
from distiller.teachers.caching.cache import Cache
from distiller.utils import atomic_files, locks


class TestBuild:
    def test_tells_how_far_it_is(self, build):
        seen = []
        build(progress=seen.append)
        assert seen == [8, 16, 21, 29, 37, 42]
        build(passes=3, progress=seen.append)
        assert seen[6:] == [21, 42, 50, 58, 63]

    def test_says_what_is_stored(self, tmp_path, build):
        cache = build(layers=["map"], top_k=2)
        stored = cache.describe()
        files = sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.npy"))
        assert stored["passes"] == 2
        assert stored["bytes"] == files
        assert stored["answers"] == {LOGITS: [5], "map": [6, 6, 3]}
        assert stored["key"]["augmentation"] == repr(VIEWS)
        expected = f"2 passes, {files:,} bytes, logits (5,), map (6, 6, 3) in float16, top 2>"
        assert repr(cache).endswith(expected)

    @pytest.mark.parametrize("options", [{"passes": 0}, {"batch_size": 0}, {"shard": 0}, {"split": images(0)}])
    def test_refuses(self, build, options):
        with pytest.raises(InputError, match="1 or more for `passes`, `batch_size` and `shard`"):
            build(**options)

    def test_goes_on_after_an_interruption(self, tmp_path, build, teacher, split):
        def stop(done):
            if done == 29:  # in the second pass
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build(progress=stop)
        names = {path.name for path in (tmp_path / "cache").iterdir()}
        assert names == {"cache.json", "pass-0000.npy"}
        first = (tmp_path / "cache" / "pass-0000.npy").stat()
        cache = build()
        assert (tmp_path / "cache" / "pass-0000.npy").stat().st_ino == first.st_ino
        assert_answers(cache, teacher, split, turn=1)

    def test_twice_at_once(self, build, teacher, split):
        """While one is in its second pass, another builds all of them; both have them whole."""
        made = []
        made.append(build(passes=3, progress=lambda done: made.append(build(passes=3)) if done == 29 else None))
        assert len(made) == 2
        for turn in range(3):
            for cache in made:
                assert_answers(cache, teacher, split, turn)

    def test_two_at_once_share_the_passes(self, tmp_path, build, teacher, split):
        """While another is in pass 0 the rest is built first, and what is missing then, where the other hangs."""
        (tmp_path / "cache").mkdir()
        another = tmp_path / "cache" / "pass-0000.npy.another.part"
        another.write_bytes(b"half")
        os.utime(another, (time.time() - 3600,) * 2)
        there, seen = [], []

        def look(done):
            seen.append(done)
            there.append(sorted(int(path.stem[-4:]) for path in (tmp_path / "cache").glob("*.npy")))

        cache = build(passes=3, progress=look)
        assert there == [[]] * 3 + [[1]] * 3 + [[1, 2]] * 3
        assert seen == [8, 16, 21, 29, 37, 42, 50, 58, 63]
        for turn in range(3):
            assert_answers(cache, teacher, split, turn)

    @pytest.mark.parametrize("ends", ["with the pass", "killed"])
    def test_the_last_pass_of_another_is_waited_for(self, tmp_path, monkeypatch, build, teacher, split, ends):
        """It is not computed twice; unless the other is killed."""
        folder = tmp_path / "cache"
        build(passes=2)
        last = folder / "pass-0001.npy"
        content = last.read_bytes()
        last.unlink()
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        scratch = folder / f"pass-0001.npy.{atomic_files._here()}-{other.pid}-{'0' * 32}.part"
        scratch.write_bytes(b"half")

        def wait(seconds):
            assert other.poll() is None
            if ends == "with the pass":
                last.write_bytes(content)
            else:
                other.kill()
                other.wait()

        computed = []
        monkeypatch.setattr("distiller.teachers.caching.building.time.sleep", wait)
        try:
            cache = build(passes=2, progress=computed.append)
        finally:
            other.kill()
            other.communicate()
        assert computed == ([21, 42] if ends == "with the pass" else [21, 29, 37, 42])
        assert_answers(cache, teacher, split, turn=1)
        build(passes=2)
        assert not scratch.exists()

    def test_one_that_was_killed_and_not_waited_for_is_no_more(self, tmp_path, monkeypatch, build, teacher, split):
        """Its number is still taken: `os.kill(number, 0)` finds it."""
        folder = tmp_path / "cache"
        build(passes=1)
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            other.kill()
            os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
            os.kill(other.pid, 0)
            scratch = folder / f"pass-0001.npy.{atomic_files._here()}-{other.pid}-{'0' * 32}.part"
            scratch.write_bytes(b"half")
            os.utime(scratch, (time.time() - 10,) * 2)
            sleep = "distiller.teachers.caching.building.time.sleep"
            monkeypatch.setattr(sleep, lambda _: pytest.fail("it is waited for"))
            cache = build(passes=2)
        finally:
            other.communicate()
        assert not scratch.exists()
        assert_answers(cache, teacher, split, turn=1)

    def test_one_whose_number_another_process_has_by_now_is_no_more(self, tmp_path, monkeypatch, build):
        build(passes=1)
        scratch = tmp_path / "cache" / f"pass-0001.npy.{atomic_files._here()}-{os.getppid()}-{'0' * 32}.part"
        scratch.write_bytes(b"half")
        os.utime(scratch, (time.time() - 10,) * 2)
        monkeypatch.setattr("distiller.teachers.caching.building.time.sleep", lambda _: pytest.fail("it is waited for"))
        assert build(passes=2).passes == 2
        assert not scratch.exists()

    def test_one_that_is_at_work_is_not_swept_though_its_number_is_not_known_here(self, tmp_path):
        """As one in another container of the same name."""
        held = tmp_path / f"pass-0000.npy.{atomic_files._here()}-{2**22 + 1}-{'0' * 32}.part"
        with held.open("xb") as file:
            locks.hold(file)
            atomic_files.sweep(tmp_path)
            assert held.exists()
        atomic_files.sweep(tmp_path)
        assert not held.exists()

    def test_what_another_has_built_meanwhile_is_not_built_again(self, tmp_path, build, teacher, split):
        seen = []

        def meanwhile(done):
            seen.append(done)
            if done == 8:
                build(passes=3)

        assert_answers(build(passes=3, progress=meanwhile), teacher, split, turn=2)
        assert seen == [8, 16, 21, 63]

    def test_two_different_ones_at_once(self, tmp_path, build, teacher, split):
        """The first has the folder; the second is told so before it computes anything, also while no pass is there."""
        seen = []

        def meanwhile(done):
            if done == 8:
                with pytest.raises(InputError, match=r"was built for something else. What differs: seed of the views"):
                    build(seed=1, progress=seen.append)

        cache = build(progress=meanwhile)
        assert seen == []
        assert {path.name for path in (tmp_path / "cache").iterdir()} == {
            "cache.json",
            "pass-0000.npy",
            "pass-0001.npy",
        }
        assert_answers(cache, teacher, split, turn=1)

    def test_a_folder_that_became_anothers_meanwhile(self, tmp_path, build, teacher, split):
        """The other's pass stays as it is."""

        def meanwhile(done):
            if done == 21:
                shutil.rmtree(tmp_path / "cache")
                build(seed=1, passes=1)

        with pytest.raises(InputError, match=r"was built for something else. What differs: seed of the views"):
            build(progress=meanwhile)
        assert_answers(Cache(tmp_path / "cache", teacher), teacher, split, turn=0, seed=1)

    def test_keys_of_many_at_once_are_one(self, tmp_path):
        """Of processes that claim a folder at the same moment, one has it, and the others read its whole key."""

        def claim(number):
            start.wait()
            key.claim(tmp_path, {"number": number})
            found.append(key.read(tmp_path)["number"])

        start, found = threading.Barrier(16), []
        threads = [threading.Thread(target=claim, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 16
        assert len(set(found)) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["cache.json"]

    def test_without_hard_links(self, monkeypatch, tmp_path, build, teacher, split):
        def refuse(*paths):
            raise PermissionError(errno.EPERM, "Operation not permitted")

        def meanwhile(done):
            if done == 8:
                with pytest.raises(InputError, match="was built for something else"):
                    build(seed=1)

        monkeypatch.setattr(os, "link", refuse)
        assert_answers(build(progress=meanwhile), teacher, split, turn=1)

    @pytest.mark.parametrize("content", ["", '{"format": 1, "ke', "[]"])
    def test_a_half_written_key_is_in_nobodys_way(self, tmp_path, build, teacher, split, content):
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "cache.json").write_text(content)
        assert_answers(build(), teacher, split, turn=1)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
    def test_a_build_that_fails_in_its_first_pass_leaves_the_folder_free(self, tmp_path, build, error):
        def stop(done):
            raise error

        with pytest.raises(error):
            build(progress=stop)
        assert not list((tmp_path / "cache").iterdir())
        build(seed=1)

    def test_goes_on_where_another_has_failed_meanwhile(self, tmp_path, build, teacher, split):
        """Both build the same; the one that fails frees the folder, and the other makes it its own again."""

        def stop(done):
            raise KeyboardInterrupt

        def meanwhile(done):
            if done == 8:
                with pytest.raises(KeyboardInterrupt):
                    build(progress=stop)
                assert not (tmp_path / "cache" / "cache.json").exists()

        build(progress=meanwhile)
        assert_answers(Cache(tmp_path / "cache", teacher), teacher, split, turn=1)

    def test_a_full_disk(self, monkeypatch, tmp_path, build):
        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WorkError, match=r"cannot be built: No space left on device. A pass takes 210 bytes"):
            build()
        assert not list((tmp_path / "cache").iterdir())

    def test_removes_what_was_left_behind_long_ago(self, copied, build):
        old, new = (copied / f"pass-0002.npy.{name}.part" for name in ("old", "new"))
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (1, 1))
        build()
        assert not old.exists()
        assert new.exists()

    def test_memory_stays_flat(self, tmp_path):
        """A pass is 24 MB of maps; neither writing nor reading holds more than some batches of them."""
        inputs = keras.Input((16, 16, 1))
        maps = keras.layers.Conv2D(24, 1, name="map")(inputs)
        wide = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps)))
        many = data.Split(np.zeros((1000, 16, 16, 1), "uint8"), np.zeros(1000, "int32"))
        cache = Cache(tmp_path, wide, ["map"], dtype="float32").build(
            many.take(np.arange(1000)), passes=1, batch_size=10
        )
        assert cache.describe()["bytes"] > 24e6
        (tmp_path / "pass-0000.npy").unlink()
        tracemalloc.start()
        try:
            cache = Cache(tmp_path, wide, ["map"], dtype="float32").build(many, passes=1, batch_size=10)
            cache.rows(0, np.arange(0, 1000, 100))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 6e6
