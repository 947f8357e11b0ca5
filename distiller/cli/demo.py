"""`distiller demo`."""

from pathlib import Path

import typer

from distiller.cli.options import Force, Out, Resume, check_folder


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo", epilog="[bold]Example[/bold]\n\ndistiller demo --out runs/demo")(demo)


def demo(out: Out = Path("runs/demo"), resume: Resume = False, force: Force = False) -> None:
    """The whole way in a few minutes, on handwritten digits that need no download.

    A teacher knows ten digits. The student needs five of them and has five labels per class; the teacher tells it about
    the other images. Three seeds, equal steps with and without the teacher, integer TFLite files, one table.
    """
    from distiller import recipes
    from distiller.cli.run import execute

    check_folder(resume, force)
    execute(recipes.read_run("demo"), out, None, resume=resume, force=force)
