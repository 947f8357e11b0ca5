"""The entry point: which commands there are, and how errors end."""

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from distiller import __version__
from distiller.cli import (
    answers,
    benchmark,
    bundle,
    compare,
    convert,
    demo,
    diagnose,
    distill,
    doctor,
    evaluate,
    inspect,
    privacy,
    quantize,
    report,
    run,
    serve,
    tables,
    train,
)
from distiller.errors import InputError
from distiller.utils.shown import shown
from distiller.utils.terminal import print, printable

# The commands that have --resume, and what is said where one of them is interrupted.
_RESUMED = ("demo", "run", "train", "distill")
_ADVICE = dict.fromkeys(_RESUMED, ". A run goes on from where it stopped with --resume")
_ADVICE["answers"] = ". The same call goes on with the file that it was at"

app = typer.Typer(
    name="distiller",
    help="Knowledge distillation for models that run on phones: from a teacher to a measured TFLite student.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    run,
    train,
    distill,
    quantize,
    convert,
    compare,
    inspect,
    evaluate,
    diagnose,
    answers,
    benchmark,
    bundle,
    serve,
    report,
    privacy,
    doctor,
):
    command.register(app)
tables.register(app)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"distiller {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", is_eager=True, callback=_tell_version
    ),
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the work failed, 2 the call or its input is wrong."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    arguments = _debug_first(sys.argv[1:])
    debug = arguments[:1] == ["--debug"]
    try:
        with _safe_warnings():
            app(arguments)
    except SystemExit as end:
        if end.code == 130:  # Typer's, after an interruption
            _fail(f"Interrupted{_ADVICE.get(_command(), '')}", 130)
        raise
    except Exception as error:
        if debug:
            print(traceback.format_exc(), end="", file=sys.stderr)
        if _is_input(error):
            _fail(_message(error), 2)
        ours = type(error).__module__.partition(".")[0] in ("distiller", "tflite")
        hint = "" if debug or ours else f". `distiller --debug {_command()} …` shows where"
        _fail(f"{_message(error).rstrip('.')}{hint}" if hint else _message(error), 1)


@contextmanager
def _safe_warnings() -> Iterator[None]:
    """Let no name of a layer or a file in Python's warnings reach the terminal as it is."""
    plain = warnings.formatwarning
    warnings.formatwarning = lambda *arguments, **options: printable(plain(*arguments, **options))
    try:
        yield
    finally:
        warnings.formatwarning = plain


def _debug_first(arguments: list[str]) -> list[str]:
    """The arguments of a call with --debug before the command, where it may also stand after it.

    >>> _debug_first(["run", "demo", "--debug"]), _debug_first(["run", "--", "--debug"])
    (['--debug', 'run', 'demo'], ['run', '--', '--debug'])
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    others = [word for word in arguments[:end] if word != "--debug"]
    return [*(["--debug"] if len(others) < end else []), *others, *arguments[end:]]


def _command() -> str:
    """The command that was called: the first word that is no option."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def _is_input(error: Exception) -> bool:
    from tflite.errors import ModelError

    return isinstance(error, InputError | ModelError) or _is_name(error)


def _is_name(error: Exception) -> bool:
    """Return whether the system says of a name that there can be no such file."""
    return isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and _is_name(error):
        return f"There can be no file of that name: {error.strerror}. Received: {shown(error.filename)}"
    kind = "" if _is_input(error) or isinstance(error, RuntimeError) else f"{type(error).__name__}: "
    return f"{kind}{error}" if str(error) else type(error).__name__


def _fail(message: str, code: int) -> None:
    print(f"distiller: {message}", file=sys.stderr)
    raise SystemExit(code)
