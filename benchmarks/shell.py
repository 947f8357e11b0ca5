"""Command line of every benchmark: shared options, recording of lines, progress and exit codes.

A benchmark is a function of its parsed arguments that returns the lines to record, one JSON object each:

    @command(rounds(11), steps(4), tiny(), results="growth.jsonl", show=table_of_run)
    def main(args: argparse.Namespace) -> list[Line]:
        ...

The decorator replaces it by a function of the command line's arguments that returns the exit code. `--help` shows the
docstring of the module, which has an example, and every option with its default.
"""

import argparse
import datetime
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import lines

if TYPE_CHECKING:
    from distiller.utils.progress import Task

WORK = Path("runs/experiments")
PRECISIONS = ("float32", "mixed_bfloat16")

Line = dict[str, Any]
# Lines are appended together once they are all measured, or part by part as a generator yields them; a command
# without results returns its exit code, or None for 0.
Measured = list[Line] | Iterator[list[Line]] | int | None


@dataclass(frozen=True)
class Option:
    """Flags and settings of `argparse.ArgumentParser.add_argument`."""

    flags: tuple[str, ...]
    settings: dict[str, Any]


def option(*flags: str, help: str, **settings: Any) -> Option:
    """Option or argument of one command; a default is shown in the help."""
    shown = " (default: %(default)s)" if settings.get("default") not in (None, (), False) else ""
    return Option(flags, {**settings, "help": help + shown})


def at_least(least: int) -> Callable[[str], int]:
    """Integer with a lower bound, as a `type` of argparse.

    >>> at_least(1)("3")
    3
    """

    def integer(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, received {text}")
        return number

    return integer


positive = at_least(1)


def rounds(default: int) -> Option:
    """`--rounds`: how often everything is measured."""
    return option("--rounds", type=positive, default=default, metavar="N", help="measurements of each workload")


def steps(default: int) -> Option:
    """`--steps`: steps per measurement."""
    return option("--steps", type=positive, default=default, metavar="N", help="steps per measurement")


def batch(default: int) -> Option:
    """`--batch`: images per step."""
    return option("--batch", type=positive, default=default, metavar="N", help="images per step")


def precision(default: str) -> Option:
    """`--precision`: Keras dtype policy of the networks."""
    return option("--precision", choices=PRECISIONS, default=default, help="Keras dtype policy of the networks")


def tiny() -> Option:
    """`--tiny`: a trial run, which is not recorded among the results."""
    return option("--tiny", action="store_true", help="a few steps at a small size, to try the command out")


def data_dir() -> Option:
    """`--data-dir`: folder of tensorflow_datasets."""
    return option("--data-dir", type=Path, metavar="DIR", help="data folder of tensorflow_datasets")


def work(default: Path = WORK) -> Option:
    """`--work`: folder of the runs."""
    return option("--work", type=Path, default=default, metavar="DIR", help="folder of the runs themselves")


def seeds(default: tuple[int, ...] = ()) -> Option:
    """`--seeds`: seeds of the students."""
    words = "train these seeds" + ("" if default else "; those of the recipe by default")
    return option("--seeds", type=int, nargs="+", default=default, metavar="SEED", help=words)


def variants() -> Option:
    """`--variant`: variants of an experiment."""
    return option("--variant", action="append", metavar="NAME", help="only this variant; may be repeated")


def processes(default: int = 1) -> Option:
    """`--processes`: students trained at a time."""
    return option("--processes", type=positive, default=default, metavar="N", help="students trained at a time")


def ray() -> Option:
    """`--ray`: a cluster that trains the students."""
    words = "train on the machines of a Ray cluster, at HOST:PORT or auto, or on this one by Ray: local"
    return option("--ray", metavar="ADDRESS", help=words)


def progress(title: str, total: int) -> "AbstractContextManager[Task]":
    """Progress of `total` pieces of work: a bar on a terminal, plain lines in a log, both on standard error."""
    from distiller.utils.progress import Reporter

    return Reporter().task(title, total)


def _tiny(args: argparse.Namespace) -> str:
    return "a --tiny run" if getattr(args, "tiny", False) else ""


@dataclass(frozen=True)
class Command:
    """Callable with the arguments of a command line, those of the process by default; returns the exit code.

    The exit code is 0, 1 where `passed` says no or a measurement failed, and 2 where what was asked for does not exist
    or does not fit.

    Attributes:
        measure: returns the lines to record.
        options: of this command, in the order of its help.
        results: file name of the lines, which may name an argument as in "{experiment}.jsonl"; None records nothing.
        show: text, mostly a Markdown table, that is printed for the recorded lines.
        passed: verdict on the recorded lines.
        trial: name of a run that must not be recorded among the results; empty for one that may.
        backend: load TensorFlow and Keras quietly before measuring.
        stamp: add the start of the command, versions, machine and commit to every line.
    """

    measure: Callable[[argparse.Namespace], Measured]
    options: tuple[Option, ...] = ()
    results: str | None = None
    show: Callable[[list[Line]], str] | None = None
    passed: Callable[[list[Line]], bool] | None = None
    trial: Callable[[argparse.Namespace], str] = _tiny
    backend: bool = True
    stamp: bool = True

    def parser(self) -> argparse.ArgumentParser:
        """Parser with the options of the command and, where it records lines, `--results`."""
        module = sys.modules[self.measure.__module__]
        parser = argparse.ArgumentParser(
            prog=f"python -m {module.__spec__.name if module.__spec__ else module.__name__}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for one in self.options:
            parser.add_argument(*one.flags, **one.settings)
        if self.results is not None:
            words = "folder for the recorded lines, or a file that ends in .jsonl (default: benchmarks/results)"
            parser.add_argument("--results", "--out", type=Path, default=lines.RESULTS, metavar="PATH", help=words)
        return parser

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Parsed arguments, with the file of the lines in `results`.

        Raises:
            SystemExit: they are wrong, or a trial would be recorded among the results.
        """
        parser = self.parser()
        args = parser.parse_args(arguments)
        if self.results is not None:
            name = self.results.format(**vars(args))
            args.results = args.results if args.results.suffix == ".jsonl" else args.results / name
            if args.results == lines.RESULTS / name and (reason := self.trial(args)):
                parser.error(f"{reason} is no result: give --results another folder or file")
        return args

    def __call__(self, arguments: list[str] | None = None) -> int:
        """Parse the arguments, measure, record and print."""
        args = self.parse(arguments)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from distiller.errors import InputError, WorkError
        from distiller.utils import backend

        backend.one_operation_at_a_time()
        if self.backend:
            backend.load_backend()
        try:
            return self._measured(args)
        except (InputError, WorkError) as error:
            print(error, file=sys.stderr)
            return 2 if isinstance(error, InputError) else 1

    def _measured(self, args: argparse.Namespace) -> int:
        here = _stamp() if self.results is not None and self.stamp else {}
        measured = self.measure(args)
        if measured is None or isinstance(measured, int):
            return measured or 0
        recorded: list[Line] = []
        for part in [measured] if isinstance(measured, list) else measured:
            # What a line says of itself counts, as the number of processes that it was measured with.
            stamped = [{**line, **here, **line} for line in part]
            lines.append(args.results, stamped)
            recorded += stamped
            if self.show:
                _print(self.show(stamped))
        return int(self.passed is not None and not self.passed(recorded))


def command(*options: Option, **settings: Any) -> Callable[[Callable[[argparse.Namespace], Measured]], Command]:
    """Make a function of parsed arguments a command; `settings` are the other attributes of `Command`."""
    return lambda measure: Command(measure, options, **settings)


def _stamp() -> Line:
    from distiller.utils.provenance import provenance

    return {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}


def _print(text: str) -> None:
    """Markdown, drawn where there is a terminal and as it is written elsewhere."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(soft_wrap=True)
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        print(text, flush=True)
