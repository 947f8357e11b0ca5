"""Train the students of experiments side by side in several processes, up to their files.

    KERAS_BACKEND=jax python -m benchmarks.train_students label_spaces --processes 12 --work DIR

For several variants at once, and for a machine with JAX and no TensorFlow. `benchmarks.run` with the same `--work`,
there or on another machine, goes on from these students: it converts, tests, measures and records them. What it trains
itself, a variant after the other, can be side by side too: `--processes`.
"""

import argparse
import sys
from concurrent.futures import Executor, Future
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from distiller.processes import pool
from distiller.recipes.arms import chains

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe
    from distiller.stages import Stages


class Asked(NamedTuple):
    """A variant of an experiment, and where its data and its runs are."""

    experiment: str
    variant: str
    tiny: bool
    data_dir: Path | None
    work: Path
    seeds: tuple[int, ...] = ()  # the recipe's where there are none

    def recipe(self) -> "RunRecipe":
        """The checked recipe."""
        from benchmarks import experiments

        return experiments.read(self.experiment).asked(self.variant, tiny=self.tiny, seeds=self.seeds)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    from benchmarks import experiments
    from benchmarks.run import WORK
    from distiller.errors import InputError

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train_students",
        description="Train the students of experiments in several processes; benchmarks.run goes on from there.",
        epilog=f"experiments: {', '.join(experiments.names())}",
    )
    parser.add_argument("experiment", nargs="+")
    parser.add_argument("--variant", action="append", help="only this one; may be repeated", metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=(), help="only these", metavar="SEED")
    parser.add_argument("--processes", type=int, default=1, help="students trained at a time")
    parser.add_argument("--data-dir", type=Path, help="where tensorflow_datasets keeps its data")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of the runs themselves")
    parser.add_argument("--tiny", action="store_true", help="a few steps of everything, to try the experiment out")
    given = parser.parse_args(arguments)
    try:
        wanted = asked_for(given)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    with pool(given.processes) as workers:
        return int(train(wanted, workers) > 0)


def asked_for(given: argparse.Namespace) -> list[Asked]:
    """The variants of the experiments that were named.

    Raises:
        InputError: no such experiment, or none of them has such a variant.
    """
    from benchmarks import experiments
    from distiller.errors import InputError
    from distiller.nearest import unknown

    every = [
        Asked(name, variant, given.tiny, given.data_dir, given.work, tuple(given.seeds))
        for name in given.experiment
        for variant in experiments.read(name).variants
    ]
    for asked in every:
        asked.recipe()
    for variant in given.variant or ():
        if variant not in {asked.variant for asked in every}:
            raise InputError(unknown("variant", variant, {asked.variant for asked in every}))
    return [asked for asked in every if not given.variant or asked.variant in given.variant]


def train(wanted: list[Asked], workers: Executor) -> int:
    """Train what is not trained yet, in the order of what is wanted; returns how many works failed."""
    failed = 0
    prepared = [(asked, workers.submit(prepare, asked)) for asked in wanted]
    students: list[tuple[str, Future[None]]] = []
    for asked, preparation in prepared:
        failed += not _succeeded(f"{asked.variant}: teacher and bridges", preparation)
        recipe = asked.recipe()
        for seed in recipe.seeds:
            for chain in chains(recipe.arms):
                title = f"{asked.experiment}, {asked.variant}, seed {seed}: {', '.join(chain)}"
                students.append((title, workers.submit(_train, asked, chain, seed)))
    for title, student in students:
        failed += not _succeeded(title, student)
    return failed


def _succeeded(title: str, work: Future[None]) -> bool:
    error = work.exception()
    print(
        f"{title}: {'trained' if error is None else repr(error)}", file=sys.stderr if error else sys.stdout, flush=True
    )
    return error is None


def prepare(asked: Asked) -> None:
    """Train the teacher of a variant, where it is to be trained, and fit its bridges."""
    _stages(asked)


def _train(asked: Asked, chain: list[str], seed: int) -> None:
    stages = _stages(asked)
    for name in chain:
        stages.train_student(name, seed)


@lru_cache(maxsize=1)
def _stages(asked: Asked) -> "Stages":
    """The stages of a variant, its teacher and bridges fitted; a process mostly stays with one variant."""
    from benchmarks.run import folder
    from distiller.folder import RunFolder
    from distiller.progress import Reporter
    from distiller.stages import Stages

    recipe = asked.recipe()
    out = folder(asked.work, asked.experiment, asked.variant)
    stages = Stages(recipe, asked.data_dir, Reporter())
    stages.prepare(RunFolder.open(out, recipe, resume=(out / "run.json").exists(), force=False))
    return stages


if __name__ == "__main__":
    sys.exit(main())
