"""Open a trained network."""

import zipfile
from pathlib import Path

import keras

from distiller.errors import InputError
from distiller.models.fusing import fuse
from distiller.taps import check_logits


def load(path: str | Path, *, role: str = "teacher") -> keras.Model:
    """The network in a `.keras` file, with logits (batch, classes) out; in fast kernels.

    Keras's safe mode stays on: a file with Python code in it is refused.

    Args:
        path: of the file.
        role: what the network is, for the messages.

    Raises:
        InputError: no such file, a damaged one, not a Keras model, one that unpacks to many times its bytes, or
            not one that returns logits.
    """
    import distiller.bridges  # noqa: F401  registers the layers that bridged networks have
    from tflite.keras_archive import check_size

    path = Path(path)
    if not path.is_file():
        raise InputError(f"The {role} file {str(path)!r} does not exist")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise InputError(f"The {role} file {str(path)!r} is not a Keras model: expected a complete .keras file")
    try:
        check_size(path)
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # a damaged archive surfaces as an error of zip, h5py, json or Keras
        raise InputError(f"The {role} file {str(path)!r} cannot be loaded as a Keras model: {error}") from error
    check_logits(model, role=role)
    return fuse(model)
