"""Open a trained teacher."""

from collections.abc import Callable
from pathlib import Path

import keras

from distiller.models.fusing import fuse
from distiller.models.logits_head import logits_of
from distiller.networks.endings import is_softmax, last_operations
from distiller.networks.feature_extraction import check_logits
from distiller.networks.loading import opened
from distiller.networks.subclassed import is_subclassed


def load(path: str | Path, *, role: str = "teacher", say: Callable[[str], None] | None = None) -> keras.Model:
    """The network in a `.keras` or `.h5` file, with logits (batch, classes) out; in fast kernels.

    A softmax that a teacher's last layer shows is taken off, as `models.logits_of` does. Keras's safe mode stays on: a
    file with Python code in it is refused.

    Args:
        path: of the file.
        role: what the network is, for the messages; of others than a "teacher" no softmax is taken off.
        say: called with a sentence about a softmax that was taken off.

    Raises:
        InputError: no such file, a damaged one, not a Keras model, one that unpacks to many times its bytes, or
            not one that returns logits.
    """
    import distiller.bridges  # noqa: F401  registers the layers that bridged networks have

    network = opened(path, role=role)
    if role == "teacher" and _ends_in_softmax(network):
        network = logits_of(network)
        if say is not None:
            say(f"The softmax at the end of {str(path)!r} is taken off: a teacher gives logits")
    check_logits(network, role=role)
    return fuse(network)


def _ends_in_softmax(network: keras.Model) -> bool:
    if not isinstance(network, keras.Model) or is_subclassed(network) or not network.built:
        return False
    return len(network.outputs) == 1 and all(map(is_softmax, last_operations(network)))
