"""Progress of long work: a bar on a terminal, plain lines in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from distiller.safe_console import SafeConsole
from distiller.terminal import printable


class Task:
    """One piece of work with a known number of steps."""

    def __init__(self, console: Console, title: str, total: int, bar: Progress | None):
        self._console, self._title, self._bar = console, printable(title), bar
        self._id = bar.add_task(printable(title), total=total) if bar else None

    def advance_to(self, step: int) -> None:
        """So many steps are done."""
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, completed=step)

    def say(self, message: str) -> None:
        """Something worth reading: beside the bar on a terminal, a line in a log."""
        message = printable(message)
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, description=f"{self._title} {message}")
        else:
            self._console.print(f"{time.strftime('%H:%M:%S')} {self._title} {message}", highlight=False, markup=False)


class Reporter:
    """Where a run speaks to the person who started it."""

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
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as bar:
            yield Task(self.console, title, total, bar)
