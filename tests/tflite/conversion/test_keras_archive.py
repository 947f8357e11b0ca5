"""`.keras` files that were made to fill the memory."""

import io
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

import tflite
from distiller import teachers
from distiller.errors import InputError
from tflite.errors import ModelError
from tflite.keras_graph import keras_archive


@pytest.fixture
def saved(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "teacher.keras")
    return tmp_path / "teacher.keras"


def replaced(path, name, content, compression=zipfile.ZIP_STORED):
    """The file with another member `name`."""
    with zipfile.ZipFile(path) as archive:
        others = {each: archive.read(each) for each in archive.namelist() if not each.startswith("model.weights")}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for each, old in {**others, name: content}.items():
            archive.writestr(each, old)


def weights(**options):
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made.create_dataset("layers/dense/vars/0", dtype="float32", **options)
    return file.getvalue()


def zeros(count):
    """Rows of an .npz archive of so many bytes of zeros."""
    file = io.BytesIO()
    np.savez_compressed(file, rows=np.zeros(count, "uint8"))
    return file.getvalue()


BOMBS = {
    "deflated": ("model.weights.h5", bytes(300_000_000), zipfile.ZIP_DEFLATED),
    "a data set that is filled with one number": ("model.weights.h5", weights(shape=(75_000_000,)), zipfile.ZIP_STORED),
    "the same, deflated": ("model.weights.h5", weights(shape=(75_000_000,)), zipfile.ZIP_DEFLATED),
    "a compressed data set": (
        "model.weights.h5",
        weights(data=np.zeros(40_000_000, "float32"), compression="gzip"),
        zipfile.ZIP_STORED,
    ),
    "an archive in the archive": ("model.weights.npz", zeros(200_000_000), zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_unpacks_to_many_times_its_bytes_is_refused(saved, monkeypatch, kind):
    name, content, compression = BOMBS[kind]
    replaced(saved, name, content, compression)
    assert saved.stat().st_size < 2_000_000
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("it is being unpacked"))
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("it is being unpacked"))
    told = (
        rf"{re.escape(repr(str(saved)))}.* of {saved.stat().st_size:,} bytes, which unpack to [1-3]\d\d,\d\d\d,\d\d\d"
    )
    with pytest.raises(InputError, match=told):
        teachers.load(saved)
    with pytest.raises(ModelError, match=told):
        tflite.load_model(saved)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_keras_wrote_is_loaded_also_where_it_was_packed_again(saved, monkeypatch, compression):
    with zipfile.ZipFile(saved) as archive:
        content = archive.read("model.weights.h5")
    replaced(saved, "model.weights.h5", content, compression)
    expected = keras.saving.load_model(saved).get_weights()
    monkeypatch.setattr(keras_archive, "_ALWAYS", 0)
    for one, other in zip(teachers.load(saved).get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_damaged_archive_is_told_as_before(saved):
    replaced(saved, "model.weights.h5", b"no HDF5")
    with pytest.raises(InputError, match=r"teacher.keras' cannot be loaded as a Keras model"):
        teachers.load(saved)
    with pytest.raises(ModelError, match=r"Keras could not load '.*teacher.keras'"):
        tflite.load_model(saved)
