"""`distiller doctor`."""

import json as plain_json
from typing import TYPE_CHECKING, Annotated

import typer

from distiller.cli import android as phones
from distiller.cli.console import show
from distiller.cli.options import Json
from distiller.utils.terminal import print, printable

if TYPE_CHECKING:
    from tflite.android import Part

EPILOG = """[bold]Examples[/bold]

distiller doctor

distiller doctor --android --tool android_aarch64_benchmark_model
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", epilog=EPILOG)(doctor)


def doctor(
    android: Annotated[bool, typer.Option("--android", help="Also what measurements on a phone need.")] = False,
    serial: phones.Serial = None,
    tool: phones.Tool = None,
    json: Json = False,
) -> None:
    """Show what is installed, what is missing and how to get it. Exit code 0 where all is there, else 1."""
    import tflite
    from distiller.cli.installation import installation
    from distiller.errors import InputError

    if not android and (serial or tool):
        raise InputError("Expected --serial and --tool with --android. Received them without")
    parts = installation()
    if android:
        parts += tflite.android.readiness(serial=serial, tool=tool)
    ready = all(part.present or part.optional for part in parts)
    if json:
        print(plain_json.dumps({"ready": ready, "parts": [part.to_dict() for part in parts]}, indent=1))
    else:
        _show(parts)
        print("All is there." if ready else "Something is missing: see the lines that begin with a cross.")
    raise typer.Exit(0 if ready else 1)


def _show(parts: "list[Part]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("", "part", "found"):
        table.add_column(column, overflow="fold")
    for part in parts:
        mark = "✓" if part.present else "–" if part.optional else "✗"
        table.add_row(mark, printable(part.name), printable(part.found))
        if part.remedy and not part.present:
            table.add_row("", "", printable(f"→ {part.remedy}"))
    show(table)
