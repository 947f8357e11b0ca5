"""Networks in files."""

import io
from pathlib import Path

import keras

from distiller.utils.atomic_files import write_whole


def save_network(network: keras.Model, path: str | Path) -> None:
    """Save a network as a `.keras` file without its optimizer, loss and metrics; it keeps them.

    Half the bytes, and Keras alone opens it: an optimizer or a loss of this package would have to be imported first.

    Raises:
        OSError: the file cannot be written, as on a full disk; one that was there before stays.
    """
    if not network.compiled:
        _write(network, Path(path))
        return
    optimizer = network.optimizer
    network.optimizer, network.compiled = None, False
    try:
        _write(network, Path(path))
    finally:
        network.optimizer, network.compiled = optimizer, True


class _InMemory(io.BytesIO):
    """A file in memory, under the name by whose ending Keras tells what to write."""

    def __init__(self, name: str):
        super().__init__()
        self._name = name

    def __str__(self) -> str:
        return self._name


def weights_of(network: keras.Model) -> memoryview:
    """The content of a `.weights.h5` file of a network, with its optimizer's state.

    Made in memory: HDF5 that writes to a full disk ends the process with a segmentation fault.
    """
    file = _InMemory("network.weights.h5")
    network.save_weights(file)
    return file.getbuffer()


def _write(network: keras.Model, path: Path) -> None:
    file = _InMemory(path.name)
    network.save(file)
    write_whole(path, file.getbuffer())
