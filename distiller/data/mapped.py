"""Images that are decoded once into a file and mapped into memory from there: folders larger than memory."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from distiller.errors import WorkError
from distiller.utils.atomic_files import awaited, sweep
from distiller.utils.checked_rows import read_rows, write_rows
from distiller.utils.progress import Reporter

# A change of what is in the files makes new ones.
_FORMAT = 1
# Images that take more of the memory that is free are mapped.
_SHARE = 0.5
# Seconds between two looks at what another process is at.
_POLL = 0.2
# So many bytes of chosen images are an array, whatever they were chosen from.
_FEW = 2**26


class Rows:
    """Some of the images of a mapped file, in an order of their own, that are read where they are asked for.

    It has the `shape`, `dtype` and length of an array; an index, a slice, a mask or an array of indices gives an array.

    >>> rows = Rows(np.arange(12).reshape(6, 2), np.array([4, 0, 2]))
    >>> rows.shape, rows[1:].tolist(), rows[np.array([0])].tolist()
    ((3, 2), [[0, 1], [4, 5]], [[8, 9]])
    """

    def __init__(self, images: np.ndarray, indices: np.ndarray):
        self._images, self._indices = images, np.asarray(indices)
        self.shape = (len(self._indices), *images.shape[1:])
        self.dtype, self.ndim = images.dtype, images.ndim
        self.nbytes = len(self._indices) * int(np.prod(images.shape[1:])) * images.dtype.itemsize

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self._images[self._indices[index]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self[:]
        return found if dtype is None else found.astype(dtype)

    def take(self, indices: np.ndarray) -> "Rows":
        """Those at `indices`."""
        return Rows(self._images, self._indices[indices])


def chosen(images: Any, indices: np.ndarray) -> Any:
    """Images at `indices` or of a mask: an array, but `Rows` where many of a mapped file would be copied.

    Neighbours in a mapped file stay mapped.
    """
    if not isinstance(images, np.memmap | Rows):
        return images[indices]
    indices = np.asarray(indices)
    indices = np.flatnonzero(indices) if indices.dtype == bool else indices
    if isinstance(images, np.memmap) and len(indices) and (np.diff(indices) == 1).all():
        return images[indices[0] : indices[-1] + 1]
    rows = images.take(indices) if isinstance(images, Rows) else Rows(images, indices)
    return rows[:] if rows.nbytes <= _FEW else rows


def is_large(count: int, shape: tuple[int, ...]) -> bool:
    """Return whether so many images, bytes of `shape`, take more than half of the memory that is free."""
    return count * int(np.prod(shape)) > _SHARE * free_memory()


def free_memory() -> float:
    """Bytes that this process may still take, as far as the system says; without end where it says nothing."""
    found = [float("inf")]
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))))
    with suppress(OSError, ValueError):  # of a container
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        found.append(limit - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    with suppress(ImportError, OSError, ValueError, StopIteration):
        import resource  # which Windows lacks

        soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
        lines = Path("/proc/self/status").read_text().splitlines()
        taken = 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmData")))
        if soft != resource.RLIM_INFINITY:
            found.append(max(0, soft - taken))
    return min(found)


def usual_folder() -> Path:
    """Folder of decoded images where none is named: in XDG_CACHE_HOME, else in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "distillite" / "images"


def stored(
    name: str,
    key: Any,
    shape: tuple[int, int, int],
    count: int,
    make: Callable[[], Iterable[np.ndarray]],
    folder: Path | None,
) -> np.memmap:
    """Images of a file that is made once and mapped into memory, uint8 (count, *shape), read-only.

    Several processes may ask at once: one makes the file, and the others wait for it.

    Args:
        name: of the images, for the file and the messages.
        key: all that the images follow from, as JSON: another key is another file.
        shape: height, width and channels.
        count: of images.
        make: gives the images, block after block.
        folder: of the file; `usual_folder()` where None.

    Raises:
        WorkError: the file cannot be written, or has no room.
        InputError: the file is damaged.
    """
    folder = usual_folder() if folder is None else folder
    salt = json.dumps([_FORMAT, key, list(shape), count], sort_keys=True).encode(errors="surrogateescape")
    path = folder / f"{name}-{sha256(salt).hexdigest()[:16]}.npy"
    dtype = np.dtype([("pixels", "u1", shape)])
    need = count * dtype.itemsize
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        while not path.exists() and awaited(path):
            time.sleep(_POLL)
        if not path.exists():
            free = shutil.disk_usage(folder).free
            if free < need:
                raise WorkError(
                    f"The images of {name!r} take {in_bytes(need)} when they are decoded, and {str(folder)!r} has room "
                    f"for {in_bytes(free)}. Name another folder as cache_dir, or a smaller image_size"
                )
            Reporter().say(
                f"The images of {name!r} take {in_bytes(need)}: they are decoded once into {str(path)!r} and read from "
                "there, also by the next run. Delete the file when it is of no more use"
            )
            blocks = (np.ascontiguousarray(block).reshape(len(block), -1) for block in make())
            write_rows(path, blocks, dtype, count, salt)
    except OSError as error:
        raise WorkError(
            f"The decoded images cannot be written to {str(path)!r}: {error.strerror or error}. They take "
            f"{in_bytes(need)}. Name another folder as cache_dir"
        ) from error
    read_rows(path, salt)  # which sees that it is whole
    found = np.load(path, mmap_mode="r", allow_pickle=False)["pixels"]
    return found


def in_bytes(number: float) -> str:
    """A number of bytes in a unit that one can read.

    >>> in_bytes(1_234_567)
    '1.2 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
