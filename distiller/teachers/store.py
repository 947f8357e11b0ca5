"""Rows in a file that is whole or not there."""

import hashlib
import io
import itertools
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from distiller.errors import InputError

_DIGEST = hashlib.sha256
_ENDING = ".part"
_DAY = 24 * 3600


def write_rows(path: Path, rows: Iterable[np.ndarray], dtype: np.dtype, count: int, salt: bytes) -> None:
    """Write `count` rows of a structured dtype, given in blocks, as a `.npy` file with a SHA-256 digest behind it.

    The digest is of `salt`, which says what the rows are, and of the file. Several processes may write the same file
    at once, and may be killed: it appears whole, or not at all.
    """
    digest = _DIGEST(salt)
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(header, described)
    with appearing(path) as file:
        for data in itertools.chain([header.getvalue()], (block.tobytes() for block in rows)):
            file.write(data)
            digest.update(data)
        file.write(digest.digest())


def read_rows(path: Path, salt: bytes) -> np.ndarray:
    """The rows of a file, mapped and not loaded; the file is read once, to compare its digest.

    Raises:
        InputError: the file is cut short or damaged, or its rows are not what `salt` says.
    """
    digest = _DIGEST(salt)
    left = path.stat().st_size - digest.digest_size
    with path.open("rb") as file:
        while block := file.read(max(0, min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        if file.read() != digest.digest():
            raise InputError(
                f"The file {str(path)!r} is cut short or damaged. Delete it and build the cache again: only what is "
                "missing is computed"
            )
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `path` when the block ends, and is gone where it fails."""
    # Not a name of `tempfile`, whose files only their owner may read.
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_ENDING}")
    try:
        with scratch.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def unfinished(path: Path) -> bool:
    """Whether somebody has begun to write a file that is to appear at `path`, and may still be at it."""
    return any(path.parent.glob(f"{path.name}.*{_ENDING}"))


def sweep(folder: Path) -> None:
    """Remove what killed processes left behind: unfinished files that nobody has written to for a day."""
    for scratch in folder.glob(f"*{_ENDING}"):
        with suppress(FileNotFoundError):  # its process has just ended
            if time.time() - scratch.stat().st_mtime > _DAY:
                scratch.unlink()
