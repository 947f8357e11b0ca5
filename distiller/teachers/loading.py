"""Open a trained teacher."""

from pathlib import Path

import keras

from distiller.models.fusing import fuse
from distiller.networks.loading import load_network


def load(path: str | Path, *, role: str = "teacher") -> keras.Model:
    """The network in a `.keras` or `.h5` file, with logits (batch, classes) out; in fast kernels.

    Keras's safe mode stays on: a file with Python code in it is refused.

    Args:
        path: of the file.
        role: what the network is, for the messages.

    Raises:
        InputError: no such file, a damaged one, not a Keras model, one that unpacks to many times its bytes, or
            not one that returns logits.
    """
    import distiller.bridges  # noqa: F401  registers the layers that bridged networks have

    return fuse(load_network(path, role=role))
