"""A training that is killed while it writes its restart point goes on from the one before."""

import keras
import numpy as np
import pytest

from distiller.restart import RestartPoint

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
        X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[RestartPoint(folder), *more]
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
        points = [RestartPoint(folder)]
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
    save = keras.Model.save_weights

    def torn(model, path, **options):
        save(model, path, **options)
        path.write_bytes(path.read_bytes()[:1000])
        raise Killed

    monkeypatch.setattr(keras.Model, "save_weights", torn)
    with pytest.raises(Killed):
        fit(tmp_path, 5)
    monkeypatch.undo()
    _, epochs = fit(tmp_path, 5)
    assert epochs == [2, 3, 4]


def test_a_kill_before_the_old_point_is_gone_goes_on_from_the_new_one(tmp_path):
    fit(tmp_path, 9)
    old = (tmp_path / "epoch-000009.weights.h5").read_bytes()
    fit(tmp_path, 10)
    (tmp_path / "epoch-000009.weights.h5").write_bytes(old)
    assert fit(tmp_path, 12)[1] == [10, 11]
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-000012.weights.h5"]
