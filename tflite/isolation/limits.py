"""Resource limits of a child process."""

import contextlib
import math
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from tflite.errors import ModelError
from tflite.utils.arguments import finite, whole

_GRACE = 2.0  # seconds: the parent speaks first, and this ends a child whose parent is gone
_LOG_BYTES = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds on a child process, where the system has them.

    Args:
        seconds: of one piece of work, on the clock.
        memory_bytes: of heap and private memory. This is Linux's RLIMIT_DATA and not RLIMIT_AS, which also counts the
            libraries and what allocators reserve and never touch: 64 MiB a thread.

    Raises:
        ModelError: not above zero, not finite, or no number.
    """

    seconds: float = 60.0
    memory_bytes: int = 4 * 2**30

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory_bytes", whole("memory_limit", self.memory_bytes, 1))
        object.__setattr__(self, "seconds", finite("time_limit", self.seconds))
        if self.seconds <= 0:
            raise ModelError(
                f"Invalid value for `time_limit`. Expected more than 0. Received: time_limit={self.seconds}"
            )


def limit_process(memory_bytes: int) -> None:
    """Bound the memory of this process for good, and let it write neither core dumps nor large files."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    for what, bound in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _LOG_BYTES),
        (resource.RLIMIT_DATA, memory_bytes),
    ):
        with contextlib.suppress(OSError, ValueError):  # bounded below that already
            resource.setrlimit(what, (bound, bound))


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let the kernel end this process where the block takes longer, whatever it is stuck in and alone or not."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    _limit_processor(seconds + _GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_processor(seconds: float) -> None:
    """Bound the processor time from here on: as much as all processors have in that time."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds * (os.cpu_count() or 1)) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
