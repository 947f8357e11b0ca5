"""Files that are whole or not there, and what is left of those that were not finished."""

import hashlib
import math
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from distiller.utils import locks

_ENDING = ".part"
_SCRATCH = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{32}\.part$")
_DAY = 24 * 3600
# A process that writes is slower than this only where it hangs.
_PATIENCE = 300
# Between making a file and holding it less time passes than this.
_UNHELD = 2


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `path` when the block ends, and is gone where it fails.

    Raises:
        OSError: it cannot be written, as on a full disk; its `filename` is `path`.
    """
    # Not a name of `tempfile`, whose files only their owner may read.
    scratch = path.with_name(f"{path.name}.{_here()}-{os.getpid()}-{uuid.uuid4().hex}{_ENDING}")
    try:
        with scratch.open("xb") as file:
            locks.hold(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        if error.filename not in (None, str(scratch)) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        scratch.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file that is whole or not there; errors as of `appearing`."""
    with appearing(path) as file:
        file.write(content)


def unfinished(path: Path) -> bool:
    """Return whether somebody has begun to write a file that is to appear at `path`."""
    return any(path.parent.glob(f"{path.name}.*{_ENDING}"))


def awaited(path: Path) -> bool:
    """Return whether another process is writing a file that is to appear at `path`, as far as one can see."""
    return any(
        _writer(scratch) != os.getpid() and not _left(scratch) and _age(scratch) < _PATIENCE
        for scratch in path.parent.glob(f"{path.name}.*{_ENDING}")
    )


def sweep(folder: Path) -> None:
    """Remove what killed processes left behind: unfinished files of a process that is no more, or a day old."""
    for scratch in folder.glob(f"*{_ENDING}"):
        if _left(scratch) or _age(scratch) > _DAY:
            scratch.unlink(missing_ok=True)


def _here() -> str:
    """This machine, as it stands in the names of unfinished files."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _writer(scratch: Path) -> int | None:
    """The process of this machine that writes an unfinished file; None where it is another's."""
    name = _SCRATCH.search(scratch.name)
    return int(name["process"]) if name and name["machine"] == _here() else None


def _left(scratch: Path) -> bool:
    """Return whether the process that wrote a file is known to be no more."""
    process = _writer(scratch)
    held = locks.is_held(scratch)
    if process is None or held:
        return False
    # The number of a process that has ended may be another's by now, or still its own where nobody waited for its end.
    return not _runs(process) or (held is False and _age(scratch) > _UNHELD)


def _runs(process: int) -> bool:
    """Return whether a process of this machine has this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _age(scratch: Path) -> float:
    """Seconds since a file was written to; without end where it is there no more."""
    try:
        return time.time() - scratch.stat().st_mtime
    except FileNotFoundError:
        return math.inf
