"""Folders larger than memory: decoded once into a file, and read from there as the same images."""

import errno
import subprocess
import sys
import textwrap
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tflite
from distiller import data
from distiller.data import mapped, photos
from distiller.errors import InputError, WorkError
from distiller.networks import fingerprint


def draw(folder, count, side=12):
    random = np.random.default_rng(0)
    for name in ("cat", "dog", "eel"):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (side, side + 3, 3), dtype="uint8")
            Image.fromarray(pixels).save(folder / name / f"{i}.{'jpg' if i % 2 else 'png'}")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("photos") / "pets", 14)


@pytest.fixture(scope="module")
def both(folder, tmp_path_factory):
    """The images in memory, and from a file."""
    cache_dir = tmp_path_factory.mktemp("decoded")
    return data.load(folder, image_size=(8, 8)), data.load(folder, image_size=(8, 8), cache_dir=cache_dir)


def test_images_of_a_file_are_those_in_memory(both):
    here, there = both
    for part in ("train", "validation", "test"):
        ours, theirs = getattr(here, part), getattr(there, part)
        assert isinstance(theirs.images, np.memmap)
        np.testing.assert_array_equal(theirs.images, ours.images)
        np.testing.assert_array_equal(theirs.labels, ours.labels)
        assert fingerprint.images(theirs.images) == fingerprint.images(ours.images)
    assert here.classes == there.classes


@pytest.mark.usefixtures("few")
def test_batches_and_choices_of_a_file_are_those_of_memory(both):
    here, there = (dataset.only(["eel", "cat"]) for dataset in both)
    assert isinstance(there.train.images, mapped.Rows)
    assert fingerprint.images(there.train.images) == fingerprint.images(here.train.images)
    views = data.Augmentation(crop=1, flip=True)
    ours, theirs = (data.Batches(part.train, 5, seed=3, augmentation=views) for part in (here, there))
    for index in range(ours.num_batches):
        np.testing.assert_array_equal(theirs[index][0], ours[index][0])
        np.testing.assert_array_equal(theirs[index][1], ours[index][1])
    kept = [data.hide_labels(part.train, 0, per_class=2, drop=True) for part in (here, there)]
    np.testing.assert_array_equal(kept[1].images, kept[0].images)
    np.testing.assert_array_equal(data.InOrder(there.test)[0][0], data.InOrder(here.test)[0][0])


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(mapped, "_FEW", 100)


@pytest.mark.usefixtures("few")
def test_a_tflite_file_is_evaluated_on_images_that_are_read_as_they_are_needed(both, tmp_path, monkeypatch):
    import keras

    here, there = both
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    tflite.convert(network, tmp_path / "a.tflite", scheme="float32")
    order = np.random.default_rng(0).permutation(len(here.train))
    expected = tflite.evaluate(tmp_path / "a.tflite", (here.train.images, here.train.labels)).correct
    scattered = there.train.take(order)
    monkeypatch.setattr(mapped.Rows, "__array__", None)  # all of them at once
    found = tflite.evaluate(tmp_path / "a.tflite", (scattered.images, scattered.labels))
    assert 0 < found.correct < found.samples
    assert found.correct == expected


def test_a_file_is_made_once_for_the_same_photos_and_anew_for_others(folder, tmp_path, monkeypatch):
    decoded = []
    read = photos.blocks
    monkeypatch.setattr(photos, "blocks", lambda paths, *more: decoded.append(len(paths)) or read(paths, *more))
    with ThreadPool(3) as pool:
        several = pool.map(lambda _: data.load(folder, image_size=(6, 6), cache_dir=tmp_path), range(3))
    data.load(folder, image_size=(6, 6), cache_dir=tmp_path)
    assert len({fingerprint.images(dataset.train.images) for dataset in several}) == 1
    assert len(list(tmp_path.iterdir())) == 1
    made = len(decoded)
    data.load(folder, image_size=(7, 6), cache_dir=tmp_path)
    assert decoded[made:] == [42]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_photo_that_changes_is_decoded_anew(tmp_path):
    folder = draw(tmp_path / "pets", 6)
    load = lambda: data.load(folder, image_size=(6, 6), cache_dir=tmp_path / "decoded")  # noqa: E731
    before = load()
    Image.fromarray(np.zeros((9, 9, 3), "uint8")).save(folder / "cat" / "0.png")
    assert (
        sum((load().train.images[:].reshape(-1, 108) == 0).all(1))
        + sum((getattr(load(), part).images.reshape(-1, 108) == 0).all(1).sum() for part in ("validation", "test"))
        == 1
    )
    assert len(before.train) == len(load().train)


def test_broken_photos_are_named_and_leave_no_file(tmp_path):
    folder = draw(tmp_path / "pets", 6)
    for name in ("1", "3"):
        (folder / "dog" / f"{name}.jpg").write_bytes(b"\xff\xd8 no photo")
    with pytest.raises(InputError, match=r"2 images cannot be read.*dog/1\.jpg.*dog/3\.jpg"):
        data.load(folder, image_size=(6, 6), cache_dir=tmp_path / "decoded")
    assert list((tmp_path / "decoded").iterdir()) == []


def test_a_damaged_file_is_named(folder, tmp_path):
    data.load(folder, image_size=(6, 6), cache_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"pets-.*damaged.*Delete it"):
        data.load(folder, image_size=(6, 6), cache_dir=tmp_path)


def test_a_disk_without_room_is_named_before_and_while_it_is_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped.shutil, "disk_usage", lambda _: SimpleNamespace(free=4000))
    with pytest.raises(WorkError, match=r"take 4\.5 kB.*room for 4\.0 kB.*cache_dir"):
        data.load(folder, image_size=(6, 6), cache_dir=tmp_path)
    monkeypatch.undo()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped, "write_rows", full)
    with pytest.raises(WorkError, match=r"No space left on device.*4\.5 kB.*cache_dir"):
        data.load(folder, image_size=(6, 6), cache_dir=tmp_path)


def test_a_folder_too_large_for_memory_is_mapped_and_told(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mapped, "free_memory", lambda: 2 * 42 * 6 * 6 * 3 - 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = data.load(folder, image_size=(6, 6))
    assert isinstance(found.train.images, np.memmap)
    assert "take 4.5 kB: they are decoded once into" in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.setattr(mapped, "free_memory", lambda: 2 * 42 * 6 * 6 * 3)
    assert not isinstance(data.load(folder, image_size=(6, 6)).train.images, np.memmap)


LIMITED = """
    import resource, sys
    from pathlib import Path
    import numpy as np
    from distiller import data

    taken = lambda: 1024 * int(next(
        line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
    ))
    limit = 136 * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (taken() + limit,) * 2)
    photos = data.load(sys.argv[1], image_size=(640, 640), cache_dir=sys.argv[2])
    split = photos.train
    assert sum(part.images.nbytes for part in (split, photos.validation, photos.test)) > 3 * limit
    total = sum(int(images.sum()) for images, _ in (data.InOrder(split, 4)[i] for i in range(0, 60, 7)))
    batches = data.Batches(split, 4, augmentation=data.Augmentation(crop=2, flip=True))
    total += sum(int(batches[i][0].sum()) for i in range(0, batches.num_batches, 7))
    try:
        np.array(split.images)
    except MemoryError:
        print("read", total)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts mapped files elsewhere")
def test_a_folder_several_times_the_memory_is_read(tmp_path):
    """Under a limit of 143 MB, 442 MB of photos are decoded and read; as an array they are not."""
    folder = draw(tmp_path / "pets", 120, side=8)
    script = tmp_path / "limited.py"
    script.write_text(textwrap.dedent(LIMITED))
    found = subprocess.run(
        [sys.executable, script, folder, tmp_path / "decoded"], capture_output=True, text=True, timeout=240, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.startswith("read ")
    assert int(found.stdout.split()[1]) > 10**7
