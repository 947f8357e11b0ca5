"""Networks in files."""

from pathlib import Path

import keras


def save_network(network: keras.Model, path: str | Path) -> None:
    """Save a network as a `.keras` file without its optimiser, loss and metrics; it keeps them.

    Half the bytes, and Keras alone opens it: an optimiser or a loss of this package would have to be imported first.
    """
    if not network.compiled:
        network.save(path)
        return
    optimizer = network.optimizer
    network.optimizer, network.compiled = None, False
    try:
        network.save(path)
    finally:
        network.optimizer, network.compiled = optimizer, True
