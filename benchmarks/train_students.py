"""Train the students of experiments in several processes, without converting them.

    KERAS_BACKEND=jax python -m benchmarks.train_students label_spaces --processes 12 --work DIR

For several variants at once, and for a machine with JAX and no TensorFlow. `benchmarks.run` with the same `--work`,
there or on another machine, resumes from these students: it converts, tests, measures and records them. `benchmarks.run
--processes` trains in parallel too, one variant after another.
"""

import argparse
import sys
from concurrent.futures import Executor, Future
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import experiments
from benchmarks.shell import command, data_dir, option, processes, progress, seeds, tiny, variants, work
from distiller.recipes.arms import chains
from distiller.utils.processes import pool

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe
    from distiller.runs.stages import RunStages


class Variant(NamedTuple):
    """Variant of an experiment, with the folders of its data and its runs."""

    experiment: str
    variant: str
    tiny: bool
    data_dir: Path | None
    work: Path
    seeds: tuple[int, ...] = ()  # the recipe's where there are none

    def recipe(self) -> "RunRecipe":
        """Validated recipe."""
        return experiments.read(self.experiment).recipe_of(self.variant, tiny=self.tiny, seeds=self.seeds)


def variants_of(args: argparse.Namespace) -> list[Variant]:
    """Variants of the experiments on the command line.

    Raises:
        InputError: no such experiment, or none of them has such a variant.
    """
    from distiller.errors import InputError
    from distiller.utils.suggestions import unknown

    every = [
        Variant(name, variant, args.tiny, args.data_dir, args.work, tuple(args.seeds))
        for name in args.experiment
        for variant in experiments.read(name).variants
    ]
    for one in every:
        one.recipe()
    known = {one.variant for one in every}
    for variant in args.variant or ():
        if variant not in known:
            raise InputError(unknown("variant", variant, known))
    return [one for one in every if not args.variant or one.variant in args.variant]


def train(wanted: list[Variant], workers: Executor) -> int:
    """Train the students that are not trained yet, in order; returns the number of failures."""
    failed, done = 0, 0
    prepared = [(variant, workers.submit(prepare, variant)) for variant in wanted]
    recipes = [variant.recipe() for variant in wanted]
    total = len(wanted) + sum(len(recipe.seeds) * len(chains(recipe.arms)) for recipe in recipes)
    students: list[tuple[str, Future[None]]] = []
    with progress("trainings", total) as task:
        # The students of a variant wait for its teacher and bridges, and not for those of the others.
        for (variant, preparation), recipe in zip(prepared, recipes, strict=True):
            failed += not _succeeded(f"{variant.variant}: teacher and bridges", preparation)
            done += 1
            task.advance_to(done)
            for seed in recipe.seeds:
                for chain in chains(recipe.arms):
                    title = f"{variant.experiment}, {variant.variant}, seed {seed}: {', '.join(chain)}"
                    students.append((title, workers.submit(_train, variant, chain, seed)))
        for title, student in students:
            failed += not _succeeded(title, student)
            done += 1
            task.advance_to(done)
    return failed


def _succeeded(title: str, work: Future[None]) -> bool:
    error = work.exception()
    print(
        f"{title}: {'trained' if error is None else repr(error)}", file=sys.stderr if error else sys.stdout, flush=True
    )
    return error is None


def prepare(variant: Variant) -> None:
    """Train the teacher of a variant, where the recipe says so, and fit its bridges."""
    _stages(variant)


def _train(variant: Variant, chain: list[str], seed: int) -> None:
    stages = _stages(variant)
    for name in chain:
        stages.train_student(name, seed)


@lru_cache(maxsize=1)
def _stages(variant: Variant) -> "RunStages":
    """Stages of a variant, with its teacher and bridges fitted; cached, since a process mostly keeps to one."""
    from benchmarks.run import run_folder
    from distiller.runs.folder import RunFolder
    from distiller.runs.stages import RunStages
    from distiller.utils.progress import Reporter

    recipe = variant.recipe()
    out = run_folder(variant.work, variant.experiment, variant.variant)
    stages = RunStages(recipe, variant.data_dir, Reporter())
    stages.prepare(RunFolder.open(out, recipe, resume=(out / "run.json").exists(), force=False))
    return stages


@command(
    option("experiment", nargs="+", metavar="EXPERIMENT", help=f"of {', '.join(experiments.names())}"),
    variants(),
    seeds(),
    processes(),
    data_dir(),
    work(),
    tiny(),
    backend=False,
)
def main(args: argparse.Namespace) -> int:
    """Train the students; the exit code is 1 where one of them failed."""
    wanted = variants_of(args)
    with pool(args.processes) as workers:
        return int(train(wanted, workers) > 0)


if __name__ == "__main__":
    sys.exit(main())
