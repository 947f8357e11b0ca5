"""What stored answers of a teacher save in a run of several seeds: the same run with and without them, in turn.

    python -m benchmarks.cache_saving --data-dir DIR

The recipe is `ten_of_cifar100` with its distilled students alone. Times are of the trainings, with the making of the
answers, which the first student does for all. One JSON line a run is added to `results/cache_saving.jsonl`.
"""

import argparse
import datetime
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import lines

NAME = "cache_saving.jsonl"
RECIPE = "ten_of_cifar100"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cache_saving",
        description="Time the trainings of a run of several seeds with stored answers of the teacher and without.",
        epilog="example: python -m benchmarks.cache_saving --rounds 1 --epochs 2 --results runs/saving",
    )
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
        found = measured(asked)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    lines.append(asked.results / NAME, found)
    print(sentence(found))
    return 0


def measured(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """A line a run: its kind, "live" or "stored", and the seconds of all its trainings together."""
    from distiller import recipes
    from distiller.folder import RunFolder
    from distiller.progress import Reporter
    from distiller.provenance import provenance
    from distiller.stages import Stages

    here = {"run": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **provenance()}
    found = []
    for number in range(asked.rounds):
        for kind in ("live", "stored") if number % 2 == 0 else ("stored", "live"):
            changes = [f"seeds={list(range(asked.seeds))}", f"training.epochs={asked.epochs}", *asked.changes]
            recipe = recipes.read_run(RECIPE, [*changes, f"cache={'null' if kind == 'live' else '{}'}"])
            recipe = recipe.model_copy(update={"arms": {"distilled": recipe.arms["distilled"]}})
            stages = Stages(recipe, asked.data_dir, Reporter())
            with tempfile.TemporaryDirectory() as folder:
                run = RunFolder.open(Path(folder) / "run", recipe, resume=False, force=False)
                started = time.perf_counter()
                stages.train(run)
                seconds = time.perf_counter() - started
            found.append({"kind": kind, "seconds": seconds, "recipe": recipe.model_dump(mode="json"), **here})
    return found


def sentence(found: list[dict[str, Any]]) -> str:
    """Both figures of the last run in words: medians over rounds."""
    last = [line for line in found if line["run"] == found[-1]["run"]]
    live, stored = (statistics.median(n["seconds"] for n in last if n["kind"] == kind) for kind in ("live", "stored"))
    recipe, rounds = last[0]["recipe"], len(last) // 2
    return (
        f"{len(recipe['seeds'])} students of {recipe['training']['epochs']} epochs each: {live:.0f} s with a live "
        f"teacher, {stored:.0f} s with stored answers, {stored / live:.2f} times as long; medians over {rounds} "
        f"round{'s' if rounds > 1 else ''}. {last[0]['machine']['processor']}, {last[0]['machine']['cores']} cores."
    )


def table() -> str:
    """The last recorded run, as a sentence for the documents."""
    recorded = lines.read(lines.RESULTS / NAME)
    return f"- {sentence(recorded)}" if recorded else ""


if __name__ == "__main__":
    sys.exit(main())
