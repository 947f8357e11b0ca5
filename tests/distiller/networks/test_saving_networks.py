"""Networks that are handed on as files."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from distiller.networks.saving import save_network
from distiller.optimizers import DOT
from distiller.trainer.losses import SmoothedCrossentropy


@pytest.fixture
def trained():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(50, activation="relu"), keras.layers.Dense(3)])
    network.compile(DOT(0.1, momentum=0.9), loss=SmoothedCrossentropy(0.1), metrics=["accuracy"])
    images = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
    network.fit(images, np.arange(16) % 3, verbose=0)
    return network, images


def test_keras_alone_opens_it(trained, tmp_path):
    network, images = trained
    save_network(network, tmp_path / "network.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import keras, numpy as np; network = keras.models.load_model('network.keras'); "
        "assert not network.compiled; np.save('answers.npy', network.predict(np.load('images.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), network.predict(images, verbose=0), rtol=1e-5)


def test_it_is_smaller_and_the_network_as_before(trained, tmp_path):
    network, images = trained
    network.save(tmp_path / "with.keras")
    state = [np.array(variable) for variable in network.optimizer.variables]
    save_network(network, tmp_path / "without.keras")
    assert (tmp_path / "with.keras").stat().st_size - (tmp_path / "without.keras").stat().st_size > 4 * 503
    assert network.compiled
    assert any(np.any(slot) for slot in state[2:])  # momentum, behind the count of steps and the rate
    for before, after in zip(state, network.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, np.array(after))
    network.fit(images, np.arange(16) % 3, verbose=0)
    assert int(network.optimizer.iterations) == 2


def test_never_compiled(tmp_path):
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    save_network(network, tmp_path / "network.keras")
    assert keras.models.load_model(tmp_path / "network.keras").count_params() == 21
