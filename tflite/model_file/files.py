"""Reading model files and writing them whole or not at all."""

import os
import tempfile
from pathlib import Path

from tflite.errors import ModelError

# Bytes 4 to 8 of every TFLite file.
_IDENTIFIER = b"TFL3"
# Endings of what a TFLite file is not.
_OTHER_FORMATS = frozenset(
    (".onnx", ".pb", ".pt", ".pth", ".pte", ".keras", ".h5", ".hdf5", ".mlmodel", ".mlpackage", ".safetensors", ".zip")
)


def read_model(path: str | Path) -> bytes:
    """The content of a TFLite file.

    Raises:
        ModelError: there is no such file, it cannot be read, or it is of another kind.
    """
    path = Path(path)
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise ModelError(f"Expected a TFLite file. Received: {str(path)!r}, which {state}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Could not read {str(path)!r}: {error.strerror}") from error
    if content[4:8] != _IDENTIFIER:
        raise ModelError(
            f"Expected a TFLite file. Received: {str(path)!r} of {len(content)} bytes, which is of another kind"
        )
    return content


def check_tflite_path(path: str | Path) -> Path:
    """The path, where a TFLite file could be written to it and its ending names no other format.

    Raises:
        ModelError: see `check_writable`; or such an ending.
    """
    path = Path(path)
    if path.suffix.lower() in _OTHER_FORMATS:
        raise ModelError(
            f"Expected the path of a .tflite file to write. Received: {str(path)!r}, whose ending is that of another "
            "format"
        )
    return check_writable(path)


def check_writable(path: str | Path) -> Path:
    """The path, where a file could be written to it.

    Raises:
        ModelError: it is a folder, its folder does not exist, or that may not be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise ModelError(f"Expected the path of a file to write. Received: {str(path)!r}, which is a folder")
    if not path.parent.is_dir():
        raise ModelError(f"Could not write {str(path)!r}: the folder {str(path.parent)!r} does not exist")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ModelError(f"Could not write {str(path)!r}: the folder {str(path.parent)!r} is not writable")
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file through a temporary one beside it, so that no reader ever sees a part of it.

    Raises:
        ModelError: the path is not writable.
    """
    # Written here, as `tflite` stands alone and libraries for it (atomicwrites) are no longer kept.
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        # A temporary file is its owner's alone; a model is an ordinary file.
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise ModelError(f"Could not write {str(path)!r}: {error.strerror or error}") from error
