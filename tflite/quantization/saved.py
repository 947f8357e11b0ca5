"""Keras models, from memory or from a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite.errors import ModelError, shortened
from tflite.keras_graph.keras2_file import readable
from tflite.keras_graph.keras_archive import check_size
from tflite.keras_graph.keras_file import registered_name, why_not_keras
from tflite.utils.quiet import quiet

if TYPE_CHECKING:
    import keras


def keras_model(model: Any) -> "keras.Model":
    """A built Keras model: the one that is passed, or the one in a `.keras` or `.h5` file.

    Files are loaded in Keras's safe mode, without optimizer and losses.

    Raises:
        ModelError: missing, truncated or damaged file, one of another kind, one that asks for unsafe code; an object
            that is not a model, or a model that has never seen an input.
    """
    if isinstance(model, str | Path):
        model = load_model(model)
    with quiet():  # a first import of the backend is talkative
        import keras

    if not isinstance(model, keras.Model):
        raise ModelError(
            f"Expected a keras.Model or the path of a .keras file. Received: {type(model).__module__}."
            f"{type(model).__qualname__}"
        )
    # A model that trains another, as those of `distiller` do.
    trained = getattr(model, "student", None)
    if isinstance(trained, keras.Model):
        raise ModelError(f"{model.name!r} trains a network. Pass that: `.student`, here {trained.name!r}")
    if isinstance(getattr(model, "students", None), Mapping):
        raise ModelError(f"{model.name!r} trains several networks. Pass one of its `.students`: {list(model.students)}")
    if not model.built:
        raise ModelError(
            f"Expected a built model. Received: {model.name!r}, whose input shape is not known. "
            "Call it once on a batch of images, or give it an Input layer"
        )
    return model


def load_model(path: str | Path) -> "keras.Model":
    """The model in a `.keras` or `.h5` file, with the layers that a quantization-aware one has.

    `keras.saving.load_model` knows those layers only after something of this package has made or loaded such a model.
    The file is loaded in Keras's safe mode, without optimizer and losses.

    Args:
        path: a `.keras` file, or an `.h5` file of Keras 2 or 3.

    Raises:
        ModelError: missing, truncated or damaged file, one of another kind, one that asks for unsafe code or unpacks to
            many times its bytes.
    """
    path = Path(path)
    wrong = why_not_keras(path)
    if wrong is not None:
        raise ModelError(f"Expected a .keras or .h5 file of a model. Received: {str(path)!r}, {wrong}")
    with quiet():  # a first import of the backend is talkative
        import keras

    # Keras finds the classes of quantization-aware models by the names that these register.
    import tflite.quantization.kernels
    import tflite.quantization.layers
    import tflite.tfmot.network  # noqa: F401
    from tflite.quantization.outputs import named

    try:
        check_size(path)
        _check_known(path)
        with readable(path) as found:
            return named(keras.models.load_model(found, compile=False))
    except Exception as error:  # Keras passes on whatever its layers, the archive and HDF5 raise
        raise ModelError(f"Keras could not load {str(path)!r}: {shortened(_own(error) or error)}") from error


def _check_known(path: Path) -> None:
    """Raise ModelError for the model of a class of `distiller` that was not imported."""
    import keras

    package, _, name = registered_name(path).partition(">")
    if package == "distiller" and keras.saving.get_registered_object(f"{package}>{name}") is None:
        raise ModelError(
            f"it holds a {name}, which trains networks. Take the network out of it: import distiller; "
            f"keras.models.load_model({str(path)!r}).student.save('student.keras')"
        )


def _own(error: BaseException | None) -> ModelError | None:
    """Message of a layer of this package, out of Keras's wrapping."""
    while error is not None and not isinstance(error, ModelError):
        error = error.__cause__ or error.__context__
    return error
