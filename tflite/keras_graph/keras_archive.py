"""The memory that a Keras file asks for, seen before it is loaded."""

import io
import zipfile
from pathlib import Path
from typing import IO

from tflite.errors import ModelError

# Keras writes weights as they are: what stands for many times the file's own bytes was made to fill the memory.
_RATIO = 50
_ALWAYS = 2**27


def check_size(path: Path) -> None:
    """See that a `.keras` or HDF5 file does not unpack to far more than it is.

    Looks at the archive's directory, at the shapes of the weights, and at an archive in the archive.

    Raises:
        ModelError: it does; the message says how much.
        Exception: of whatever a damaged archive makes.
    """
    most = max(_ALWAYS, _RATIO * path.stat().st_size)

    def check(claimed: int) -> None:
        if claimed > most:
            raise ModelError(
                f"Expected a file that takes about as much memory as it has bytes. Received: {str(path)!r} of "
                f"{path.stat().st_size:,} bytes, which unpack to {claimed:,}"
            )

    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            check(_declared(file))
        return
    with zipfile.ZipFile(path) as archive:
        check(_unpacked(archive))
        for info in archive.infolist():
            if info.filename.endswith((".h5", ".npz")):
                with archive.open(info) as member:
                    # Seeking in what is compressed starts from its beginning each time.
                    stored = info.compress_type == zipfile.ZIP_STORED
                    content: IO[bytes] = member if stored else io.BytesIO(member.read())
                    check(_declared(content) if info.filename.endswith(".h5") else _unpacked(zipfile.ZipFile(content)))


def _unpacked(archive: zipfile.ZipFile) -> int:
    return sum(info.file_size for info in archive.infolist())


def _declared(file: IO[bytes]) -> int:
    """Bytes of all data sets of an HDF5 file, which may be compressed, or filled with one number."""
    import h5py

    sizes: list[int] = []

    def note(_: str, each: object) -> None:
        if isinstance(each, h5py.Dataset):
            sizes.append(each.nbytes)

    with h5py.File(file) as weights:
        weights.visititems(note)
    return sum(sizes)
