"""Progress of long work: a bar on a terminal, plain lines in a log."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from distiller.utils.safe_console import SafeConsole
from distiller.utils.terminal import printable


class Task:
    """One piece of work with a known number of steps."""

    def __init__(self, console: Console, title: str, total: int, bar: Progress | None):
        self._console, self._title, self._bar = console, printable(title), bar
        shown = shortened(self._title, console.width - _BESIDE)
        self._id = bar.add_task(shown, total=total, said="") if bar else None

    def advance_to(self, step: int) -> None:
        """So many steps are done."""
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, completed=step)

    def say(self, message: str) -> None:
        """Something worth reading: below the bar on a terminal, a line in a log."""
        message = printable(message)
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, said=message)
        else:
            self._console.print(f"{time.strftime('%H:%M:%S')} {self._title} {message}", highlight=False, markup=False)


class Reporter:
    """Messages and progress bars of a run."""

    def __init__(self, console: Console | None = None):
        self.console = console or SafeConsole(stderr=True, soft_wrap=True)

    def say(self, message: str) -> None:
        """One line."""
        self.console.print(printable(message), highlight=False, markup=False)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        """A piece of work of `total` steps, shown until the block ends."""
        if not self.console.is_terminal:
            yield Task(self.console, title, total, None)
            return
        room = self.console.width - len(title) - _BESIDE
        columns = (
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=max(_SHORTEST, min(40, _SHORTEST + room))),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
        )
        # A bar's lines fit a terminal, where what is said may be longer and is wrapped by it.
        with _Bar(*columns, console=_wrapping(self.console)) as bar:
            yield Task(self.console, title, total, bar)


# The shortest bar, and what it, the count and the times take beside a title at the most.
_SHORTEST, _BESIDE = 10, 48


class _Bar(Progress):
    """A bar with what was said last on a line of its own, so that it pushes neither count nor time off the screen."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Called by rich."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if said := task.fields.get("said"):
                yield Text(f"  {said}", no_wrap=True, overflow="ellipsis")


def _wrapping(console: Console) -> Console:
    """The same console without soft wrapping, which lets lines run over a terminal's edge."""
    return SafeConsole(file=console.file, force_terminal=console.is_terminal, width=console.width)


def shortened(title: str, most: int) -> str:
    """A title of `most` characters, with its beginning and its end, where it is longer.

    >>> shortened("quantization_aware_with_a_long_name, seed 3", 24)
    'quantization_awa… seed 3'
    """
    most = max(most, 2 * _TAIL)
    return title if len(title) <= most else f"{title[: most - _TAIL - 1].rstrip()}…{title[-_TAIL:]}"


_TAIL = 7
