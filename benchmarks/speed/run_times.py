"""Wall time of whole runs of two kinds that differ in one setting, in turn.

The recipe is `ten_of_cifar100` with its distilled students alone. The time is that of all trainings and their
preparation: filling the cache, starting processes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.results import lines
from benchmarks.shell import data_dir, option, positive, rounds

RECIPE = "ten_of_cifar100"


class Kind(NamedTuple):
    """Kind of run: changes of the recipe, number of students that are trained at a time, and a Ray cluster for them."""

    changes: list[str]
    processes: int = 1
    ray: str | None = None


OPTIONS = (
    data_dir(),
    option("--seeds", type=positive, default=3, metavar="N", help="students of a run"),
    option("--epochs", type=positive, default=4, metavar="N", help="epochs of each student"),
    rounds(3),
    option(
        "--set", action="append", default=[], dest="changes", metavar="KEY=VALUE", help="change the recipe, as in a run"
    ),
)


def measure(args: argparse.Namespace, kinds: Mapping[str, Kind]) -> list[dict[str, Any]]:
    """One line per run: its kind, its processes, and the seconds of all its trainings together."""
    from distiller import recipes
    from distiller.runs.folder import RunFolder
    from distiller.runs.parallel import train_students
    from distiller.runs.stages import RunStages
    from distiller.utils.progress import Reporter

    found = []
    for number in range(args.rounds):
        for name in list(kinds) if number % 2 == 0 else reversed(list(kinds)):
            kind = kinds[name]
            changes = [f"seeds={list(range(args.seeds))}", f"training.epochs={args.epochs}", *args.changes]
            recipe = recipes.read_run(RECIPE, [*changes, *kind.changes])
            recipe = recipe.model_copy(update={"arms": {"distilled": recipe.arms["distilled"]}})
            reporter = Reporter()
            stages = RunStages(recipe, args.data_dir, reporter)
            with tempfile.TemporaryDirectory() as place:
                run = RunFolder.open(Path(place) / "run", recipe, resume=False, force=False)
                started = time.perf_counter()
                stages.prepare(run)
                if kind.processes > 1 or kind.ray:
                    train_students(recipe, run, args.data_dir, reporter, kind.processes, kind.ray)
                stages.train(run)
                seconds = time.perf_counter() - started
            line = {"kind": name, "processes": kind.processes, "seconds": seconds}
            found.append({**line, "recipe": recipe.model_dump(mode="json")})
    return found


def median(found: list[dict[str, Any]], kind: str) -> float:
    """Median of the seconds of a kind over the rounds."""
    return statistics.median(line["seconds"] for line in found if line["kind"] == kind)


def setting(found: list[dict[str, Any]]) -> tuple[str, str]:
    """Students and epochs, and rounds and machine, in words for before and after the figures."""
    recipe, rounds = found[0]["recipe"], len(found) // 2
    where = f"medians over {rounds} round{'s' if rounds > 1 else ''}. {lines.machine(found[0])}."
    return f"{len(recipe['seeds'])} students of {recipe['training']['epochs']} epochs each", where
