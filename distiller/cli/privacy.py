"""`distiller privacy`."""

from pathlib import Path
from typing import Annotated

import typer

from distiller.cli.console import show
from distiller.cli.options import DataDir, Json
from distiller.utils.terminal import print

EPILOG = """[bold]Examples[/bold]

distiller privacy runs/demo

distiller privacy runs/cifar10 --data-dir ~/tensorflow_datasets --count 10000 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("privacy", epilog=EPILOG)(privacy)


def privacy(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data_dir: DataDir = None,
    count: Annotated[int, typer.Option(min=10, help="Images at most, of members and of others.")] = 5000,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap, for the intervals.")] = 1000,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")] = 0.95,
    json: Json = False,
) -> None:
    """Privacy of a run: what its networks give away about their training images, by membership inference.

    Loss and confidence attacks on every student, its integer files and the teacher: AUC, and members found at 0.1 % and
    1 % false positives. It writes privacy.json, and the table and a figure on the run's page.
    """
    from rich.table import Table

    from distiller.utils.backend import load_backend

    load_backend()
    from distiller import report as pages
    from distiller.report import privacy as page
    from distiller.runs.privacy import audit_run

    found = audit_run(folder, data_dir=data_dir, count=count, resamples=resamples, confidence=confidence)
    written = pages.write(folder)
    if json:
        print(found.to_json())
        return
    told = page.table(found)
    table = Table(box=None, pad_edge=False)
    for heading, number in zip(told.table.headings, told.table.numbers, strict=True):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for _, cells in told.table.lines:
        table.add_row(*map(str, cells))
    show(table)
    for note in told.notes:
        print(note)
    print(f"Report: {written}")
