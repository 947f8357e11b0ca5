"""Folders of photos as users have them: train and val alone, several broken files, a size that nobody asked for."""

import numpy as np
import pytest
from PIL import Image

from distiller import data
from distiller.errors import InputError


def save(folder, value, count=6, size=10):
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(np.full((size, size, 3), value + i, "uint8")).save(folder / f"{i}.png")


@pytest.fixture
def parts(tmp_path):
    for name, value in (("cat", 0), ("dog", 100)):
        save(tmp_path / "train" / name, value, count=10)
        save(tmp_path / "val" / name, value + 50, count=3)
    return tmp_path


def test_of_train_and_val_alone_val_is_the_test_split(parts, capsys):
    found = data.load(parts, image_size=(10, 10))
    assert list(map(len, (found.train, found.validation, found.test))) == [18, 2, 6]
    assert sorted(found.test.images[:, 0, 0, 0]) == [50, 51, 52, 150, 151, 152]
    assert "no test images" in (told := capsys.readouterr().err)
    assert "those in val are the test split" in told


def test_train_and_val_beside_another_folder_are_no_classes(parts, capsys):
    (parts / "notes").mkdir()
    assert data.load(parts, image_size=(10, 10)).classes == ("cat", "dog")
    assert "no test images" in capsys.readouterr().err


def test_classes_that_are_called_train_and_val_are_classes(tmp_path):
    for i, name in enumerate(("train", "val", "tram")):
        save(tmp_path / name, 50 * i)
    assert data.load(tmp_path, image_size=(10, 10)).classes == ("train", "tram", "val")


@pytest.mark.parametrize("lone", ["train", "test"])
def test_one_part_alone_is_refused(tmp_path, lone):
    save(tmp_path / lone / "cat", 0)
    save(tmp_path / lone / "dog", 9)
    with pytest.raises(InputError, match=f"Expected the folders train and test.*Received: {lone}$"):
        data.load(tmp_path, image_size=(10, 10))


def test_two_folders_of_validation_images_are_refused(parts):
    save(parts / "valid" / "cat", 0)
    with pytest.raises(InputError, match="Received: train, val, valid"):
        data.load(parts, image_size=(10, 10))


def test_every_broken_image_is_counted_and_the_first_are_named(parts):
    """Of all parts, each with its reason."""
    broken = [*[parts / "train" / "cat" / f"{i}.png" for i in range(5)], parts / "val" / "dog" / "0.png"]
    for path in broken[:-1]:
        path.write_bytes(b"nothing")
    broken[-1].write_bytes(b"\x89PNG of nothing")
    with pytest.raises(InputError) as caught:
        data.load(parts, image_size=(10, 10))
    said = str(caught.value)
    assert said.startswith(f"6 images cannot be read: the image {str(broken[0])!r} cannot be read: ")
    assert [str(path) in said for path in broken] == [True] * 5 + [False]
    assert said.endswith("; and 1 more")
    for path in broken[:4]:
        Image.fromarray(np.zeros((10, 10, 3), "uint8")).save(path)
    with pytest.raises(InputError, match=r"2 images cannot be read: .*train/cat/4\.png.*; the image .*val/dog/0\.png"):
        data.load(parts, image_size=(10, 10))


def test_the_usual_size_is_told_where_none_is_asked_for(parts, capsys):
    assert data.load(parts).image_shape == (32, 32, 3)
    assert "are resized to 32×32: `image_size` says another" in capsys.readouterr().err
    data.load(parts, image_size=(32, 32))
    assert "32×32" not in capsys.readouterr().err


def test_photos_of_the_usual_size_need_no_word(tmp_path, capsys):
    save(tmp_path / "cat", 0, size=32)
    save(tmp_path / "dog", 9, size=32)
    data.load(tmp_path)
    assert "resized" not in capsys.readouterr().err
