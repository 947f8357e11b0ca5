"""Whose fault an error is that comes up while a file is open."""

import contextlib
from collections.abc import Iterator

from tflite.errors import ModelError


@contextlib.contextmanager
def blaming(path: str) -> Iterator[None]:
    """Turn every error of the block into one that names the file: another file would not have raised it."""
    try:
        yield
    except (ModelError, MemoryError):
        raise
    except Exception as error:
        said = str(error).strip().split("\n")[0] or type(error).__name__
        raise ModelError(f"{path!r} cannot be run: {said}") from error
