"""Run an experiment and record one JSON line per student.

    python -m benchmarks.run cifar100_to_cifar10 --data-dir DIR

Recorded students are not trained again: an arm whose students all have a line is left out of a new run. An interrupted
experiment resumes.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import experiments
from benchmarks.results import lines
from benchmarks.shell import WORK, Line, command, data_dir, option, processes, seeds, tiny, variants, work
from benchmarks.shell import ray as ray_option

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe


def train_missing(
    recipe: "RunRecipe",
    out: Path,
    results: Path,
    *,
    experiment: str,
    variant: str,
    data_dir: Path | None = None,
    processes: int = 1,
    ray: str | None = None,
    work: Path = WORK,
    usual: Path = WORK,
) -> list[Line]:
    """Lines of the students of a recipe that `results` does not have; they are trained in the folder `out`.

    A folder that holds a run goes on as it was started. Where the recipe names files in the folder `work`, a line names
    them in the `usual` one.
    """
    from distiller.runs import pipeline

    recorded = {lines.key_of(line) for line in lines.read(results)}
    asked = lines.elsewhere(recipe, work, usual)
    keys = {(arm, seed): lines.key(asked, arm, seed) for arm in recipe.arms for seed in recipe.seeds}
    missing = {student: key for student, key in keys.items() if key not in recorded}
    if not missing:
        print(f"{experiment}, {variant}: recorded already")
        return []
    arms, begun_seeds = arms_and_seeds(out)
    arms |= with_starts(recipe, {arm for arm, _ in missing})
    recipe = recipe.model_copy(
        update={
            "arms": {name: arm for name, arm in recipe.arms.items() if name in arms},
            "seeds": sorted({*recipe.seeds, *begun_seeds}),
        }
    )
    resume = (out / "run.json").exists()
    report = pipeline.run(recipe, out, data_dir=data_dir, resume=resume, processes=processes, ray=ray)
    run = json.loads((out / "run.json").read_text())
    run["recipe"] = lines.elsewhere(type(recipe).model_validate(run["recipe"]), work, usual).model_dump(mode="json")
    made = lines.lines_of(report, recipe, experiment, variant, run)
    return [line for line in made if lines.key_of(line) in missing.values()]


def run_folder(work: Path, experiment: str, variant: str) -> Path:
    """Folder of the run of a variant, with all of its seeds.

    >>> run_folder(Path("runs"), "demo", "5 labels a class").as_posix()
    'runs/demo/5-labels-a-class'
    """
    return work / experiment / "".join(c if c.isalnum() else "-" for c in variant)


def arms_and_seeds(out: Path) -> tuple[set[str], list[int]]:
    """Arms and seeds with which the run in a folder was started, if there is one."""
    path = out / "run.json"
    recipe = json.loads(path.read_text())["recipe"] if path.exists() else {"arms": {}, "seeds": []}
    return set(recipe["arms"]), recipe["seeds"]


def with_starts(recipe: "RunRecipe", arms: set[str]) -> set[str]:
    """Arms together with those from whose students they start."""
    before = {start for name in arms if (start := recipe.arms[name].start) is not None}
    return arms | with_starts(recipe, before) if before else arms


@command(
    option("experiment", metavar="EXPERIMENT", help=f"one of {', '.join(experiments.names())}"),
    variants(),
    seeds(),
    processes(),
    ray_option(),
    data_dir(),
    work(),
    tiny(),
    results="{experiment}.jsonl",
    backend=False,
    stamp=False,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """Train the students that have no line yet, one variant after another; the lines of a variant at a time."""
    experiment = experiments.read(args.experiment)
    for variant in args.variant or experiment.variants:
        recipe = experiment.recipe_of(variant, tiny=args.tiny, seeds=args.seeds)
        yield train_missing(
            recipe,
            run_folder(args.work, args.experiment, variant),
            args.results,
            experiment=args.experiment,
            variant=variant,
            data_dir=args.data_dir,
            processes=args.processes,
            ray=args.ray,
            work=args.work,
        )


if __name__ == "__main__":
    sys.exit(main())
