"""Times of whole trainings of a run, of two kinds that differ in one thing, in turn.

The recipe is `ten_of_cifar100` with its distilled students alone. The time is of all trainings together with what they
need before them: the making of stored answers, the start of processes.
"""

import argparse
import datetime
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import lines

RECIPE = "ten_of_cifar100"


class Kind(NamedTuple):
    """A kind of run: what it changes of the recipe, and how many students it trains at a time."""

    changes: list[str]
    processes: int = 1


def main(
    parser: argparse.ArgumentParser,
    arguments: list[str] | None,
    name: str,
    kinds: Callable[[argparse.Namespace], Mapping[str, Kind]],
    sentence: Callable[[list[dict[str, Any]]], str],
) -> int:
    """A command that times two kinds of runs, adds a line a run to the results `name`, and says what it found."""
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    parser.add_argument("--seeds", type=int, default=3, help="students of a run (%(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="of each (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of both kinds (%(default)s)")
    parser.add_argument("--results", type=Path, default=lines.RESULTS, help="folder of the recorded lines")
    parser.add_argument("--set", action="append", default=[], dest="changes", help="change the recipe, as in a run")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import load_backend
    from distiller.errors import InputError

    load_backend()
    try:
        found = measured(asked, kinds(asked))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    lines.append(asked.results / name, found)
    print(sentence(found))
    return 0


def measured(asked: argparse.Namespace, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """A line a run: its kind, its processes, and the seconds of all its trainings together."""
    from distiller import recipes
    from distiller.folder import RunFolder
    from distiller.progress import Reporter
    from distiller.provenance import provenance
    from distiller.side_by_side import train_students
    from distiller.stages import Stages

    here = {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}
    found = []
    for number in range(asked.rounds):
        for name in list(kinds) if number % 2 == 0 else reversed(list(kinds)):
            kind = kinds[name]
            changes = [f"seeds={list(range(asked.seeds))}", f"training.epochs={asked.epochs}", *asked.changes]
            recipe = recipes.read_run(RECIPE, [*changes, *kind.changes])
            recipe = recipe.model_copy(update={"arms": {"distilled": recipe.arms["distilled"]}})
            reporter = Reporter()
            stages = Stages(recipe, asked.data_dir, reporter)
            with tempfile.TemporaryDirectory() as place:
                run = RunFolder.open(Path(place) / "run", recipe, resume=False, force=False)
                started = time.perf_counter()
                stages.prepare(run)
                if kind.processes > 1:
                    train_students(recipe, run, asked.data_dir, reporter, kind.processes)
                stages.train(run)
                seconds = time.perf_counter() - started
            told = {"kind": name, "processes": kind.processes, "seconds": seconds}
            found.append({**told, "recipe": recipe.model_dump(mode="json"), **here})
    return found


def last(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of the last command."""
    return [line for line in found if line["run"] == found[-1]["run"]]


def median(found: list[dict[str, Any]], kind: str) -> float:
    """The median of a kind's seconds over the rounds."""
    return statistics.median(line["seconds"] for line in found if line["kind"] == kind)


def setting(found: list[dict[str, Any]]) -> tuple[str, str]:
    """What was trained, and how often and where, in words for before and after the figures."""
    recipe, rounds = found[0]["recipe"], len(found) // 2
    where = f"medians over {rounds} round{'s' if rounds > 1 else ''}. {lines.machine(found[0])}."
    return f"{len(recipe['seeds'])} students of {recipe['training']['epochs']} epochs each", where


def table(name: str, sentence: Callable[[list[dict[str, Any]]], str]) -> str:
    """The last recorded command, as a sentence for the documents."""
    recorded = lines.read(lines.RESULTS / name)
    return f"- {sentence(recorded)}" if recorded else ""
