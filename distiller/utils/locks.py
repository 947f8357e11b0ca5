"""Locks between processes, which the system lets go of when their holder ends, however it ends."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import IO, Any

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


# Letters that are read of what a holder says of itself.
_LONGEST = 200


class LockedError(Exception):
    """Another process holds the lock; the message says which, as far as it told."""


def hold(file: IO[Any]) -> None:
    """Hold a file that is open to write until it is closed; where the file system has no locks nothing happens."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool | None:
    """Return whether a process holds a file; None where that cannot be known.

    Unlike a process number this is also right of a process in another container or on another machine, and of one
    that has ended and was not waited for.
    """
    if fcntl is None:
        return None
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks on this file system, or no right to read
        return None
    return False


def holder(path: Path) -> str | None:
    """Holder of a lock file of `alone`; None where nobody is known to hold it."""
    if not is_held(path):
        return None
    with suppress(FileNotFoundError):  # released meanwhile
        return path.read_text(encoding="utf-8", errors="replace")[:_LONGEST].strip() or "it has just begun"
    return None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; it is made, and removed at the end.

    Where the file system has no locks the block runs without.

    Raises:
        LockedError: another process holds it, or another part of this one.
        OSError: the file cannot be made.
    """
    with _opened(path) as file:
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is held: whoever makes it next has another file


@contextmanager
def in_turn(path: Path, poll: float = 0.2) -> Iterator[None]:
    """Hold the lock file `path` as `alone` does, once whoever holds it has let go of it.

    Args:
        path: of the lock.
        poll: seconds between two looks.
    """
    while True:
        with ExitStack() as stack:
            try:
                stack.enter_context(alone(path))
            except LockedError:
                time.sleep(poll)
                continue
            yield
            return


def _opened(path: Path) -> IO[str]:
    """The lock file, held."""
    while True:
        file = path.open("a+", encoding="utf-8", errors="replace")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise LockedError(holder(path) or "it is about to end") from None
        except OSError:  # no locks on this file system
            return file
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()  # its last holder has removed it meanwhile
