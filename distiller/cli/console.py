"""Tables of the commands on a terminal."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distiller.utils.terminal import print

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from distiller.report import Report


def plain(width: int = 140) -> "Console":
    """A console that shows text as it is, brackets in the names of files and layers included.

    `width` is that of what is piped or redirected; a terminal has its own.
    """
    from distiller.utils.safe_console import SafeConsole

    return SafeConsole(width=None if sys.stdout.isatty() else width, markup=False, emoji=False, highlight=False)


def show(table: "Table") -> None:
    """Print a table."""
    plain().print(table)


def show_report(found: "Report", page: Path) -> None:
    """Print the table and the verdict of a run, and where its page is."""
    from distiller import report

    console = plain()
    console.print(report.rich_table(found, console.width))
    print(report.verdict(found))
    print(f"Report: {page}")


def show_task(folder: Path) -> None:
    """Print the table and the verdict of a run of another task than classification, and write its page."""
    from rich.table import Table

    from distiller.report import tasks

    found = tasks.read(folder)
    table = Table(caption="\n".join(tasks.notes(found)), caption_justify="left")
    for place, heading in enumerate(tasks.headings(found)):
        table.add_column(heading, justify="left" if place < 2 else "right", overflow="fold")
    for row in tasks.rows(found):
        table.add_row(*row)
    show(table)
    print(tasks.verdict(found))
    print(f"Report: {tasks.write(folder)}")
