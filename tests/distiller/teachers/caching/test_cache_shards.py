"""A pass over many samples lies in shards, the same ones whoever wrote them, read one by one."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from support.caches import VIEWS, assert_answers, images, live

from distiller.errors import InputError
from distiller.networks.feature_extraction import LOGITS
from distiller.teachers.caching import building
from distiller.teachers.caching.cache import Cache
from distiller.teachers.caching.shards import Part


@pytest.fixture(scope="module")
def sharded(tmp_path_factory, teacher, split):
    """Two passes of 21 samples in shards of 8: 8, 8 and 5."""
    folder = tmp_path_factory.mktemp("sharded")
    Cache(folder, teacher).build(split, VIEWS, passes=2, batch_size=4, shard=8)
    return folder


@pytest.fixture
def harmed(sharded, tmp_path):
    return shutil.copytree(sharded, tmp_path / "cache")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_hold_the_teachers_answers(sharded, teacher, split):
    cache = Cache(sharded, teacher)
    for turn in range(2):
        assert_answers(cache, teacher, split, turn)
    samples = np.array([20, 7, 8, 0, 7, 15])
    expected = live(teacher, split, 0, 1, samples)[LOGITS]
    np.testing.assert_allclose(cache.rows(1, samples)[LOGITS], expected, rtol=2**-11 + 1e-5, atol=1e-6)


def test_and_the_manifest_says_what_they_are(sharded, teacher):
    names = {f"pass-000{turn}/{name}" for turn in range(2) for name in ("manifest.json", *shard_names())}
    assert contents(sharded).keys() == names | {"cache.json"}
    for turn in range(2):
        folder = sharded / f"pass-000{turn}"
        manifest = json.loads((folder / "manifest.json").read_text())
        assert (manifest["samples"], manifest["shard"]) == (21, 8)
        for name, digest in zip(shard_names(), manifest["sha256"], strict=True):
            key = json.loads((sharded / "cache.json").read_text())["key"]
            first = 8 * int(name[:5])
            salt = json.dumps([key, turn, first, min(first + 8, 21)], sort_keys=True).encode()
            content = (folder / name).read_bytes()
            assert digest == content[-32:].hex() == hashlib.sha256(salt + content[:-32]).hexdigest()
    stored = Cache(sharded, teacher).describe()
    assert stored["passes"] == 2
    assert stored["bytes"] == sum(path.stat().st_size for path in sharded.rglob("*.npy"))


def shard_names():
    return ["00000.npy", "00001.npy", "00002.npy"]


def test_are_the_same_whoever_wrote_them(sharded, tmp_path, teacher, split):
    """Four writers, each from the other end or from the middle, in one folder."""
    writers = [Cache(tmp_path / "many", teacher) for _ in range(4)]
    options = {"passes": 2, "batch_size": 4, "shard": 8}
    orders = (slice(None, None, 4), slice(1, None, 4), slice(2, None, 4), slice(None, None, -1))
    for writer, order in zip(writers, orders, strict=True):
        with writer.begin(split, VIEWS, **options) as work:
            for part in list(work.shards.parts(work.turns))[order]:
                assert work.compute(part)
    assert not list((tmp_path / "many").rglob("manifest.json"))
    writers[0].build(split, VIEWS, **options)
    assert contents(tmp_path / "many") == contents(sharded)


def test_that_another_is_at_are_left_to_it(tmp_path, teacher, split):
    found = []
    options = {"passes": 1, "batch_size": 8, "shard": 8}
    with Cache(tmp_path, teacher).begin(split, VIEWS, **options) as one:

        def meanwhile(rows):
            building._HELD.clear()  # as in another process
            with Cache(tmp_path, teacher).begin(split, VIEWS, **options) as other:
                found.extend(other.compute(Part(0, shard)) for shard in range(2))

        packed = one._rows.pack
        one._rows.pack = lambda batch: meanwhile(batch) or packed(batch)
        assert one.compute(Part(0, 0))
    assert found == [False, True]


def test_one_is_lost_with_its_writer_and_no_more(tmp_path, sharded, teacher, split):
    """A build is killed in the second shard of the second pass."""

    def stop(done):
        if done == 33:
            raise KeyboardInterrupt

    options = {"passes": 2, "batch_size": 4, "shard": 8}
    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path / "cache", teacher).build(split, VIEWS, progress=stop, **options)
    there = {name for name in contents(tmp_path / "cache") if name.endswith("npy")}
    assert there == {f"pass-0000/{name}" for name in shard_names()} | {"pass-0001/00000.npy"}
    seen = []
    Cache(tmp_path / "cache", teacher).build(split, VIEWS, progress=seen.append, **options)
    assert seen == [8, 16, 21, 29, 33, 37, 41, 42]
    assert contents(tmp_path / "cache") == contents(sharded)


def test_are_read_where_they_are_asked_for(harmed, teacher, split):
    damaged = harmed / "pass-0001" / "00002.npy"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    cache = Cache(harmed, teacher)
    assert cache.rows(1, np.arange(16))[LOGITS].shape == (16, 5)
    with pytest.raises(
        InputError, match=r"pass-0001/00002.npy' is cut short or damaged. Delete it and build the cache"
    ):
        cache.rows(1, np.arange(16, 17))
    with pytest.raises(InputError, match=r"pass-0001/00002.npy' is cut short or damaged"):
        cache.build(split, VIEWS, passes=2, batch_size=4)
    damaged.unlink()
    with pytest.raises(InputError, match=r"pass-0001/00002.npy' is missing. Build the cache again"):
        Cache(harmed, teacher).rows(1, np.arange(16, 17))
    seen = []
    Cache(harmed, teacher).build(split, VIEWS, passes=2, batch_size=4, progress=seen.append)
    assert seen == [8, 16, 21, 29, 37, 41, 42]
    assert_answers(Cache(harmed, teacher), teacher, split, turn=1)


def test_in_each_others_place_are_noticed(harmed, teacher):
    first, second = (harmed / "pass-0000" / name for name in shard_names()[:2])
    second.write_bytes(first.read_bytes())
    with pytest.raises(InputError, match=r"pass-0000/00001.npy' is cut short or damaged"):
        Cache(harmed, teacher).rows(0, np.arange(8, 9))


@pytest.mark.parametrize("asked", [{"shard": 4}, {}])
def test_keep_the_size_that_they_were_begun_with(harmed, teacher, split, asked):
    cache = Cache(harmed, teacher).build(split, VIEWS, passes=3, batch_size=4, **asked)
    assert sorted(path.name for path in (harmed / "pass-0002").glob("*.npy")) == shard_names()
    assert_answers(cache, teacher, split, turn=2)


def test_of_a_cache_of_one_file_a_pass_stay_one_file_a_pass(copied, teacher, split):
    """As caches were before there were shards."""
    before = contents(copied)
    cache = Cache(copied, teacher).build(split, VIEWS, passes=3, batch_size=8, shard=8)
    after = contents(copied)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"pass-0002.npy"}
    assert_answers(cache, teacher, split, turn=2)


@pytest.mark.parametrize("damage", [{"shard": 0}, {"samples": "many"}, {"shard": None}, {"format": 3}])
def test_of_a_damaged_layout_are_not_read(harmed, teacher, damage):
    file = harmed / "cache.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **damage}))
    with pytest.raises(InputError, match="is missing, damaged or of another version"):
        Cache(harmed, teacher)


def test_a_pass_that_is_not_whole_is_not_counted(harmed, teacher, split):
    (harmed / "pass-0001" / "manifest.json").unlink()
    cache = Cache(harmed, teacher)
    assert cache.passes == 1
    with pytest.raises(InputError, match="holds 1 passes over the data, and 2 are needed"):
        cache.rows(1, np.arange(3))
    with pytest.raises(InputError, match="What differs: images"):
        cache.build(images(20), VIEWS, passes=2)
