"""Images in a file of arrays."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from distiller import data
from distiller.errors import InputError, WorkError

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 9, 7, 3), "uint8")
LABELS = np.arange(24) % 3


@pytest.fixture
def saved(tmp_path):
    """Saves arrays beside the usual ones; None leaves one out."""

    def save(name="photos.npz", **changes):
        arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:6] // 2, "y_test": LABELS[:6], **changes}
        np.savez(tmp_path / name, **{key: value for key, value in arrays.items() if value is not None})
        return tmp_path / name

    return save


def together(*splits):
    """Images and labels of some splits, in an order that does not depend on the division."""
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    order = np.lexsort(images.reshape(len(images), -1).T)
    return images[order], labels[order]


class TestReading:
    @pytest.mark.parametrize("kind", [str, lambda path: path])
    def test_train_and_test(self, saved, kind):
        found = data.load(kind(saved(classes=np.array(["cat", "dog", "eel"]))), validation=1 / 4)
        assert found.name == "photos.npz"
        assert found.classes == ("cat", "dog", "eel")
        assert found.image_shape == (9, 7, 3)
        assert [len(part) for part in (found.train, found.validation, found.test)] == [18, 6, 6]
        np.testing.assert_array_equal(found.test.images, IMAGES[:6] // 2)
        np.testing.assert_array_equal(found.test.labels, LABELS[:6])
        order = np.lexsort(IMAGES.reshape(24, -1).T)
        images, labels = together(found.train, found.validation)
        np.testing.assert_array_equal(images, IMAGES[order])
        np.testing.assert_array_equal(labels, LABELS[order])
        np.testing.assert_array_equal(np.bincount(found.validation.labels), [2, 2, 2])
        assert found.train.labels.dtype == np.int32

    def test_validation_images_of_its_own(self, saved):
        found = data.load(saved(x_val=IMAGES[3:6], y_val=LABELS[3:6]))
        assert [len(part) for part in (found.train, found.validation, found.test)] == [24, 3, 6]
        np.testing.assert_array_equal(found.validation.images, IMAGES[3:6])

    def test_a_sixth_is_the_test_split_where_there_is_none(self, saved):
        found = data.load(saved(x_test=None, y_test=None), validation=0.2)
        assert [len(part) for part in (found.train, found.validation, found.test)] == [18, 3, 3]
        images, _ = together(found.train, found.validation, found.test)
        np.testing.assert_array_equal(images, IMAGES[np.lexsort(IMAGES.reshape(24, -1).T)])

    def test_as_the_files_of_keras_datasets(self, saved):
        """Grey images without channels, labels in a column or in bytes; classes without names have numbers."""
        path = saved(x_train=IMAGES[..., 0], y_train=LABELS[:, None].astype("uint8"), x_test=IMAGES[:6, ..., 0])
        found = data.load(path)
        assert found.image_shape == (9, 7, 1)
        assert found.classes == ("0", "1", "2")
        np.testing.assert_array_equal(found.test.images[..., 0], IMAGES[:6, ..., 0])

    def test_names_in_bytes(self, saved):
        assert data.load(saved(classes=np.array([b"cat", b"dog", b"eel"]))).classes == ("cat", "dog", "eel")


class TestRefuses:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"x_train": None}, "the arrays x_train and y_train in .*photos.npz.* Received: x_test, y_test, y_train"),
            (
                {"x_train": IMAGES / 255},
                r"x_train in .* as uint8 \(n, height, width, channels\).*float64 \(24, 9, 7, 3\)",
            ),
            ({"x_train": IMAGES[..., :2]}, r"1 or 3 channels. Received: uint8 \(24, 9, 7, 2\)"),
            ({"x_test": IMAGES[:0], "y_test": LABELS[:0]}, r"x_test in .*Received: uint8 \(0, 9, 7, 3\)"),
            ({"x_test": IMAGES[:6, :8]}, r"images of one size.*\[\(8, 7, 3\), \(9, 7, 3\)\]"),
            ({"y_train": None}, r"y_train in .* as whole numbers \(24,\). Received: none"),
            ({"y_train": LABELS[:-1]}, r"y_train in .* \(24,\). Received: int64 \(23,\)"),
            ({"y_train": LABELS / 2}, r"y_train in .* \(24,\). Received: float64 \(24,\)"),
            ({"y_test": LABELS[:6] - 1}, "y_test in .* as classes, from 0. Received: -1 … 1"),
            ({"y_train": LABELS + 2**32}, "y_train in .* as classes, from 0. Received: 4294967296 … 4294967298"),
            (
                {"y_train": LABELS * 10**9},
                "fewer classes than the 24 images of x_train in .*Received: a label 2000000000",
            ),
            ({"classes": np.array(["cat", "dog"])}, "labels 0 … 1 in .*Received: a label 2"),
            ({"classes": np.array(["cat", "cat", "dog"])}, "different classes in .*'cat', 'cat', 'dog'"),
            ({"classes": np.array(["cat", "dog", "eel", "fox"])}, "at least 3 images of 'fox' in x_train"),
            ({"y_train": 0 * LABELS, "y_test": 0 * LABELS[:6]}, r"two or more different classes.*\['0'\]"),
            ({"classes": np.array([["cat", "dog"]])}, "labels 0 … 1 in .*Received: a label 2"),
            ({"classes": np.array("cat")}, r"two or more different classes.*\['cat'\]"),
            ({"y_train": LABELS.astype(object)}, "Could not read the arrays in .*photos.npz"),
        ],
    )
    def test_what_are_no_images_with_their_classes(self, saved, changes, message):
        with pytest.raises(InputError, match=message):
            data.load(saved(**changes))

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InputError, match=r"The file of arrays '.*none.npz' does not exist"):
            data.load(str(tmp_path / "none.npz"))

    def test_a_single_array(self, tmp_path):
        np.save(tmp_path / "photos.npy", IMAGES)
        (tmp_path / "photos.npy").rename(tmp_path / "photos.npz")
        with pytest.raises(InputError, match=r"Could not read the arrays in .*: one array without a name"):
            data.load(tmp_path / "photos.npz")

    @pytest.mark.parametrize("byte", range(0, 118, 9))
    def test_a_changed_byte_of_a_header(self, saved, byte):
        """Whatever Python makes of it, it is a sentence, or still the same images."""
        path = saved()
        content = bytearray(path.read_bytes())
        content[content.index(b"\x93NUMPY") + byte] ^= 0x55
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"arrays in|as uint8|Expected the arrays"):
            data.load(path)

    def test_what_is_no_array(self, saved):
        path = saved()
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("classes", "cat, dog, eel")
        assert data.load(path).classes == ("0", "1", "2")

    @pytest.mark.parametrize("damage", ["cut", "garbled", "of another compression"])
    def test_a_damaged_file(self, tmp_path, damage):
        path = tmp_path / "digits.npz"
        data.export("digits", path)
        content = bytearray(path.read_bytes())
        middle, entry = len(content) // 2, content.index(b"PK\x01\x02")
        if damage == "cut":
            del content[middle:]
        elif damage == "garbled":
            content[middle : middle + 100] = b"\xff" * 100
        else:
            content[entry + 10] = 99
        path.write_bytes(content)
        with pytest.raises(InputError, match="Could not read the arrays in"):
            data.load(path)

    @pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04 cut short"])
    def test_a_file_of_something_else(self, tmp_path, content):
        (tmp_path / "photos.npz").write_bytes(content)
        with pytest.raises(InputError, match="Could not read the arrays in"):
            data.load(tmp_path / "photos.npz")


class TestExport:
    def test_what_is_read_again_is_divided_alike(self, tmp_path):
        data.export("digits", tmp_path / "digits.npz")
        found, expected = data.load(tmp_path / "digits.npz"), data.load("digits")
        assert found.classes == expected.classes
        assert [path.name for path in tmp_path.iterdir()] == ["digits.npz"]
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(found, part).images, getattr(expected, part).images)
            np.testing.assert_array_equal(getattr(found, part).labels, getattr(expected, part).labels)

    def test_is_whole_or_not_there(self, tmp_path, monkeypatch):
        def interrupted(file, *args, **kwargs):
            file.write(b"half")
            raise KeyboardInterrupt

        monkeypatch.setattr(np, "savez_compressed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.export("digits", tmp_path / "digits.npz")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["digits", "digits.NPZ", "digits.zip"])
    def test_to_a_name_that_is_not_read_again(self, tmp_path, name):
        with pytest.raises(InputError, match=r"Expected a file name that ends with '.npz'. Received: '.*digits"):
            data.export("digits", tmp_path / name)

    def test_a_folder_that_cannot_be_written_to(self, tmp_path):
        with pytest.raises(WorkError, match=r"Could not write '.*none/digits.npz': No such file"):
            data.export("digits", tmp_path / "none" / "digits.npz")

    def test_stands_for_tensorflow_datasets(self, saved):
        """In a process that has neither it nor TensorFlow."""
        path = saved("cifar10.npz")
        code = (
            "import sys; sys.modules['tensorflow_datasets'] = sys.modules['tensorflow'] = None; "
            "from distiller import data; "
            f"print(data.load('cifar10', data_dir={str(path.parent)!r}).test.images.sum())"
        )
        environment = {**os.environ, "KERAS_BACKEND": "numpy"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert int(done.stdout) == (IMAGES[:6] // 2).sum()
