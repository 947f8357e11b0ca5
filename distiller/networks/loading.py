"""Open a saved network."""

from pathlib import Path

import keras

from distiller.errors import InputError
from distiller.networks.feature_extraction import check_logits


def load_network(path: str | Path, *, role: str = "teacher") -> keras.Model:
    """The network in a `.keras` or `.h5` file, with logits (batch, classes) out; arguments and errors as of `opened`.

    Raises:
        InputError: it does not return logits.
    """
    model = opened(path, role=role)
    check_logits(model, role=role)
    return model


def opened(path: str | Path, *, role: str) -> keras.Model:
    """The network in a `.keras` or `.h5` file, whatever it returns.

    Keras's safe mode stays on: a file with Python code in it is refused.

    Args:
        path: of the file.
        role: what the network is, for the messages.

    Raises:
        InputError: no such file, a damaged one, not a Keras model, or one that unpacks to many times its bytes.
    """
    from tflite.errors import shortened
    from tflite.keras_graph.keras2_file import readable
    from tflite.keras_graph.keras_archive import check_size
    from tflite.keras_graph.keras_file import why_not_keras

    path = Path(path)
    if not path.exists():
        raise InputError(f"The {role} file {str(path)!r} does not exist")
    wrong = why_not_keras(path)
    if wrong is not None:
        raise InputError(
            f"The {role} file {str(path)!r} is not a Keras model: expected a complete .keras or .h5 file. Received one "
            f"{wrong}"
        )
    try:
        check_size(path)
        with readable(path) as found:
            model = keras.saving.load_model(found, compile=False)
    except Exception as error:  # a damaged archive surfaces as an error of zip, h5py, json or Keras
        raise InputError(
            f"The {role} file {str(path)!r} cannot be loaded as a Keras model: {shortened(error)}"
        ) from error
    if isinstance(getattr(model, "student", None), keras.Model):
        raise InputError(
            f"The {role} file {str(path)!r} holds a {type(model).__name__}, which trains a network. Save that network "
            "itself: .student.save('student.keras')"
        )
    return model
