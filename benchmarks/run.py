"""Run an experiment and record one JSON line a student.

    python -m benchmarks.run cifar100_to_cifar10 --data-dir DIR

What is recorded already is not run again: an arm of which every student has its line is left out of a new run. An
interrupted experiment goes on where it stopped.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe

WORK = Path("runs/experiments")


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from distiller.backend import one_operation_at_a_time

    one_operation_at_a_time()
    from benchmarks import experiments, lines
    from distiller.errors import InputError

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Run an experiment and record one JSON line a student. What is recorded is not run again.",
        epilog=f"experiments: {', '.join(experiments.names())}",
    )
    parser.add_argument("experiment")
    parser.add_argument("--variant", action="append", help="only this one; may be repeated", metavar="NAME")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=(), help="these first; others can be added", metavar="SEED"
    )
    parser.add_argument("--processes", type=int, default=1, help="students trained at a time", metavar="N")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of the runs themselves")
    parser.add_argument("--results", type=Path, default=lines.RESULTS, help="folder of the recorded lines")
    parser.add_argument("--tiny", action="store_true", help="a few steps of everything, to try the experiment out")
    asked = parser.parse_args(arguments)
    if asked.tiny and asked.results == lines.RESULTS:
        parser.error("--tiny results are no results: give --results another folder")
    try:
        execute(asked)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def execute(asked: argparse.Namespace) -> None:
    """Run what has no lines yet, a variant after the other, and record each when it is done."""
    from benchmarks import experiments, lines
    from distiller import pipeline

    experiment = experiments.read(asked.experiment)
    results = asked.results / f"{asked.experiment}.jsonl"
    for variant in asked.variant or experiment.variants:
        recipe = experiment.asked(variant, tiny=asked.tiny, seeds=asked.seeds)
        recorded = {lines.key_of(line) for line in lines.read(results)}
        keys = {(arm, seed): lines.key(recipe, arm, seed) for arm in recipe.arms for seed in recipe.seeds}
        missing = {student: key for student, key in keys.items() if key not in recorded}
        if not missing:
            print(f"{asked.experiment}, {variant}: recorded already")
            continue
        out = folder(asked.work, asked.experiment, variant)
        arms, seeds = begun(out)
        arms |= started(recipe, {arm for arm, _ in missing})
        recipe = recipe.model_copy(
            update={
                "arms": {name: arm for name, arm in recipe.arms.items() if name in arms},
                "seeds": sorted({*recipe.seeds, *seeds}),
            }
        )
        resume = (out / "run.json").exists()
        report = pipeline.run(recipe, out, data_dir=asked.data_dir, resume=resume, processes=asked.processes)
        recorded = json.loads((out / "run.json").read_text())
        made = lines.lines_of(report, recipe, asked.experiment, variant, recorded)
        lines.append(results, [line for line in made if lines.key_of(line) in missing.values()])


def folder(work: Path, experiment: str, variant: str) -> Path:
    """Where a variant is run, one seed after another or all at once.

    >>> folder(Path("runs"), "demo", "5 labels a class").as_posix()
    'runs/demo/5-labels-a-class'
    """
    return work / experiment / "".join(c if c.isalnum() else "-" for c in variant)


def begun(out: Path) -> tuple[set[str], list[int]]:
    """The arms and seeds with which the run in a folder was started, if there is one."""
    path = out / "run.json"
    recipe = json.loads(path.read_text())["recipe"] if path.exists() else {"arms": {}, "seeds": []}
    return set(recipe["arms"]), recipe["seeds"]


def started(recipe: "RunRecipe", arms: set[str]) -> set[str]:
    """Some arms and those whose students they go on with."""
    before = {start for name in arms if (start := recipe.arms[name].start) is not None}
    return arms | started(recipe, before) if before else arms


if __name__ == "__main__":
    sys.exit(main())
