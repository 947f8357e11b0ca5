"""A small trained network on real images, and its files: made once, used by all tests of the package."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import tflite
from distiller import models
from tflite.conversion.schemes import INTEGER


@dataclass(frozen=True)
class Digits:
    images: np.ndarray
    labels: np.ndarray


@pytest.fixture(scope="session")
def digits() -> Digits:
    """All 1,797 digits, raw pixels."""
    loaded = load_digits()
    return Digits(np.round(loaded.images * (255 / 16)).astype("uint8")[..., None], loaded.target)


@pytest.fixture(scope="session")
def network(digits) -> keras.Model:
    """ResNet-8 trained on the first 1,000 digits."""
    keras.utils.set_random_seed(0)
    model = models.build("resnet8", 10, (8, 8, 1), width=8)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(digits.images[:1000].astype("float32"), digits.labels[:1000], epochs=3, batch_size=50, verbose=0)
    return model


@pytest.fixture(scope="session")
def keras_file(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "network.keras"
    with warnings.catch_warnings():
        # Keras's own arrays, as h5py reads them.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        network.save(path)
    return path


@pytest.fixture(scope="session")
def files(network, digits, tmp_path_factory) -> dict[str, tflite.Conversion]:
    """The network as a file of every scheme."""
    folder = tmp_path_factory.mktemp("files")
    return {
        scheme: tflite.convert(
            network,
            folder / f"{scheme}.tflite",
            scheme=scheme,
            representative=digits.images[:100] if scheme in INTEGER else None,
        )
        for scheme in tflite.SCHEMES
    }


@pytest.fixture(scope="session")
def held_out(digits) -> Digits:
    """The digits that the network was not trained on."""
    return Digits(digits.images[1000:], digits.labels[1000:])
