"""A training that is killed while it writes its restart point goes on from the one before."""

import errno
import resource
from contextlib import contextmanager

import keras
import numpy as np
import pytest

from distiller.networks.saving import save_network
from distiller.runs.checkpoint import EpochCheckpoint

X = np.linspace(-1, 1, 32, dtype="float32").reshape(16, 2)
Y = X @ np.array([[2.0], [-1.0]], "float32")


def network():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


def fit(folder, epochs, *more):
    model = network()
    history = model.fit(
        X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[EpochCheckpoint(folder), *more]
    )
    return model, history.epoch


def test_it_goes_on_where_it_stopped(tmp_path):
    whole, _ = fit(tmp_path / "whole", 5)
    fit(tmp_path / "cut", 3)
    resumed, epochs = fit(tmp_path / "cut", 5)
    assert epochs == [3, 4]
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert len(list((tmp_path / "cut").iterdir())) == 1


def test_random_generators_go_on_where_they_stopped(tmp_path):
    """Eight steps with dropout, and two times four."""

    def trained(folder, epochs):
        keras.utils.set_random_seed(0)
        dropped = [keras.Input((2,)), keras.layers.Dense(8), keras.layers.Dropout(0.5, seed=3), keras.layers.Dense(1)]
        model = keras.Sequential(dropped)
        model.compile(keras.optimizers.SGD(0.05), "mse")
        points = [EpochCheckpoint(folder)]
        model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=points)
        return model.get_weights()

    whole = trained(tmp_path / "whole", 4)
    trained(tmp_path / "cut", 2)
    for one, other in zip(whole, trained(tmp_path / "cut", 4), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    names = ["epoch-000004.random.npz", "epoch-000004.weights.h5"]
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == names


class Killed(Exception):
    """In place of a kill."""


def test_a_kill_while_writing_leaves_the_point_before(tmp_path, monkeypatch):
    fit(tmp_path, 2)

    def torn(path, content):
        path.with_name(f"{path.name}.torn.part").write_bytes(content[:1000])
        raise Killed

    monkeypatch.setattr("distiller.runs.checkpoint.write_whole", torn)
    with pytest.raises(Killed):
        fit(tmp_path, 5)
    monkeypatch.undo()
    _, epochs = fit(tmp_path, 5)
    assert epochs == [2, 3, 4]


@contextmanager
def files_of(size):
    """Files that grow beyond so many bytes are refused by the system, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 100, 3000, 9000])
def test_a_full_disk_is_an_error_and_leaves_the_point_before(tmp_path, size):
    """HDF5 that writes to the disk itself ends the process with a segmentation fault."""
    fit(tmp_path, 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with files_of(size), pytest.raises(OSError, match="too large") as error:
        fit(tmp_path, 5)
    assert error.value.errno == errno.EFBIG
    assert error.value.filename == str(tmp_path / "epoch-000003.weights.h5")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert fit(tmp_path, 5)[1] == [2, 3, 4]


def test_a_full_disk_leaves_the_network_that_was_saved_before(tmp_path):
    path, model = tmp_path / "student.keras", network()
    save_network(model, path)
    before = path.read_bytes()
    assert len(before) > 5000
    with files_of(5000), pytest.raises(OSError, match=r"too large.*student.keras"):
        save_network(model, path)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before
    for one, other in zip(keras.models.load_model(path).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_kill_before_the_old_point_is_gone_goes_on_from_the_new_one(tmp_path):
    fit(tmp_path, 9)
    old = (tmp_path / "epoch-000009.weights.h5").read_bytes()
    fit(tmp_path, 10)
    (tmp_path / "epoch-000009.weights.h5").write_bytes(old)
    assert fit(tmp_path, 12)[1] == [10, 11]
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000012.weights.h5"]
