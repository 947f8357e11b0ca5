"""Whose fault an error is that comes up while a file is open."""

import contextlib
from collections.abc import Iterator

from tflite.errors import ModelError


@contextlib.contextmanager
def blaming(path: str, *, made_up: bool = False) -> Iterator[None]:
    """Turn every error of the block into one that names the file: another file would not have raised it.

    With `made_up` the block runs the file on inputs that nobody gave, and the error says so: others may do.
    """
    try:
        yield
    except (ModelError, MemoryError):
        raise
    except Exception as error:
        said = str(error).strip().split("\n")[0] or type(error).__name__
        if made_up:
            raise ModelError(
                f"{path!r} cannot be run on inputs of our making: {said}. Pass your own as `inputs` of "
                "tflite.benchmark or tflite.profile"
            ) from error
        raise ModelError(f"{path!r} cannot be run: {said}") from error
