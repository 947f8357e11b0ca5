"""Rows in a file that is whole or not there."""

import hashlib
import io
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from distiller.errors import InputError
from distiller.utils.atomic_files import appearing

_DIGEST = hashlib.sha256


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


def digest_of(path: Path) -> str:
    """The digest that stands behind the rows of a file, in hexadecimal."""
    with path.open("rb") as file:
        file.seek(-_DIGEST().digest_size, os.SEEK_END)
        return file.read().hex()
