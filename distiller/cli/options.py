"""Options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="Where tensorflow_datasets keeps its data; its own default where not given.", show_default=False),
]
Out = Annotated[Path, typer.Option(help="Folder that the run is written to; new or empty.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the output folder, where there is one.")]
Force = Annotated[
    bool, typer.Option("--force", help="Delete the output folder, the run and all else in it, and start anew.")
]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        help="Students trained at a time, each on its share of the cores or of a GPU: with more memory, and "
        "with other results, for sums of fewer threads have another order.",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on the machines of a Ray cluster, at HOST:PORT or auto, or on this one by Ray: local. All of them "
        "see the folders under the same paths. --processes counts for each machine, or each of their GPUs.",
        show_default=False,
    ),
]
Change = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PLACE=VALUE", help="Change the recipe: --set training.epochs=3. May be repeated."),
]
TfliteFile = Annotated[Path, typer.Argument(help="A .tflite file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of the interpreter.")]


def check_folder(resume: bool, force: bool) -> None:
    """Raise InputError where both are asked for."""
    from distiller.errors import InputError

    if resume and force:
        raise InputError("Expected one of --resume and --force. Received both")


def check_with(context: typer.Context, other: str, there: bool, *names: str) -> None:
    """Raise InputError where options were given that do nothing without another one.

    Args:
        context: of the command.
        other: the option that they need, as it is typed.
        there: whether it was given.
        names: of their parameters.
    """
    from distiller.errors import InputError

    given = _given(context, names)
    if given and not there:
        raise InputError(f"Expected {other} with {' and '.join(given)}. Received: no {other}")


def check_without(context: typer.Context, others: str, there: bool, *names: str) -> None:
    """Raise InputError where options were given that do nothing beside others; the arguments are as of `check_with`."""
    from distiller.errors import InputError

    given = _given(context, names)
    if given and there:
        raise InputError(f"Expected {' and '.join(given)} without {others}. Received both")


def _given(context: typer.Context, names: Sequence[str]) -> list[str]:
    """Those of the options that stand on the command line, as they are typed."""
    typed = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    sources = {name: context.get_parameter_source(name) for name in names}
    return [typed[name] for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
