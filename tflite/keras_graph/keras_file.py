"""Kind of a file that was given for a Keras model."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ENDINGS = (".h5", ".hdf5")


def why_not_keras(path: Path) -> str | None:
    """Reason why a file holds no Keras model, to follow its name, with the way out; None where it may hold one."""
    if path.is_dir():
        if (path / "keras_metadata.pb").is_file():
            return (
                "which is a SavedModel of Keras 2, which Keras 3 does not read. Keras 2 does, and writes what is read "
                f"here: import tf_keras; tf_keras.models.load_model({str(path)!r}).save('model.h5')"
            )
        if (path / "saved_model.pb").is_file():
            return (
                "which is a SavedModel made to be served: it holds operations and no layers. Save the model that it "
                "was made of: model.save('model.keras')"
            )
        return "which is a folder"
    if not path.is_file():
        return "which does not exist"
    if path.name.endswith(".weights.h5") or (is_hdf5(path) and not _has_model(path)):
        return (
            "which holds weights and no model. Make the model, then model.load_weights(path) and "
            "model.save('model.keras')"
        )
    if is_hdf5(path) or (path.suffix == ".keras" and zipfile.is_zipfile(path)):
        return None
    return "which is of another kind or truncated"


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, as Keras 2 saved models, under one of the endings by which Keras knows it."""
    if path.suffix not in _ENDINGS:
        return False
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def registered_name(path: Path) -> str:
    """The name under which the class of a `.keras` file's model is registered, empty where there is none.

    Raises:
        Exception: of whatever a damaged archive makes.
    """
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        config: dict[str, Any] = json.load(io.TextIOWrapper(archive.open("config.json"), "utf-8"))
    return str(config.get("registered_name") or "")


def _has_model(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path) as file:
            return "model_config" in file.attrs
    except OSError:  # a damaged one, of which Keras says more
        return True
