"""Progress of long work with its rate and the time that it will still take."""

import time
from collections.abc import Callable

from distiller.utils.progress import Task

# Seconds between two lines; a bar on a terminal moves all the time.
_EVERY = 10


class Pace:
    """The rate at which things are done, told now and then.

    Args:
        task: where it is shown.
        total: things in all.
        things: their name, plural.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(self, task: Task, total: int, things: str, clock: Callable[[], float] = time.monotonic):
        self._task, self._total, self._things, self._clock = task, total, things, clock
        self._begun = self._told = clock()
        self._found = self._done = 0

    def found(self, done: int) -> None:
        """So many were there before: they cost no time, and do not count for the rate."""
        self._found = self._done = done
        self._begun = self._clock()
        self._task.advance_to(done)

    def advance_to(self, done: int) -> None:
        """So many are done."""
        if done <= self._done:
            return
        self._done = done
        self._task.advance_to(done)
        now = self._clock()
        if now - self._told >= _EVERY or done == self._total:
            self._told = now
            self._task.say(self.sentence())

    def sentence(self) -> str:
        """The state in a few words: `4,096 of 10,000 images, 512 a second, 12 s left`."""
        rate = (self._done - self._found) / max(self._clock() - self._begun, 1e-9)
        left = self._total - self._done
        ends = f", {_in_words(left / rate)} left" if left and rate else ""
        return f"{self._done:,} of {self._total:,} {self._things}, {rate:,.{0 if rate >= 10 else 1}f} a second{ends}"


def _in_words(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> [_in_words(seconds) for seconds in (7, 119, 4000, 400000)]
    ['7 s', '2 min', '1.1 h', '4.6 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} days"
