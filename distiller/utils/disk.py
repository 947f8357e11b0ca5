"""A full disk, told with the file that found no room and the way on."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distiller.errors import WorkError

_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


@contextmanager
def told_if_full(folder: Path, go_on: str = "go on with --resume") -> Iterator[None]:
    """Let work that ends because nothing more can be written say so, whichever part of it met the full disk.

    `folder` is the run's, and named where the system does not say which file. `go_on` says how
    the work is gone on with.

    Raises:
        WorkError: the disk or the quota is full, or a file as large as it may be.
    """
    try:
        yield
    except Exception as error:
        cause = _full(error)
        if cause is None:
            raise
        place = os.fsdecode(cause.filename) if isinstance(cause.filename, str | bytes) else str(folder)
        raise WorkError(
            f"{place!r} cannot be written: {cause.strerror}. What was done before is kept: make room, and {go_on}"
        ) from error


def _full(error: BaseException | None) -> OSError | None:
    """Error of the system about a full disk, perhaps wrapped in other errors; None where there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
