"""`distiller report`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.console import show_report, show_task
from distiller.utils.terminal import print


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", epilog="[bold]Example[/bold]\n\ndistiller report runs/demo --markdown")(report)


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Print the table and the verdict of a run, and write its report.html and figures again."""
    from distiller import report as pages
    from distiller.report.content import folder_of, task_of

    if task_of(folder) is not None:
        from distiller.report import tasks

        if markdown:
            print(tasks.markdown(tasks.read(folder)))
        else:
            show_task(folder_of(folder))
        return
    found = pages.read(folder)
    page = pages.write(folder)
    if markdown:
        print(pages.markdown(found))
        return
    show_report(found, page)
