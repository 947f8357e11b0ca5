"""The whole comparison near convergence: students of CIFAR-100 first, then those of CIFAR-10 with all controls.

    python -m benchmarks.converged --data-dir DIR
    python -m benchmarks.converged --data-dir DIR --variant ResNet-8

The first students, of `cifar100_first`, are trained for one seed: some arms of `converged` begin with their weights.
Lines go to `results/cifar100_first.jsonl` and `results/converged.jsonl`. What is recorded is not trained again, and an
interrupted run resumes. On two cores a ResNet-8 takes about 25 minutes for its 60 epochs and a ResNet-20 seventy, from
stored teacher outputs.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import experiments
from benchmarks.results import lines
from benchmarks.run import run_folder, train_missing
from benchmarks.shell import Line, command, data_dir, processes, progress, seeds, tiny, variants, work

if TYPE_CHECKING:
    from distiller.recipes import RunRecipe

FIRST, NAME = "cifar100_first", "converged"


def with_first_students(recipe: "RunRecipe", folder: Path) -> "RunRecipe":
    """Recipe whose files of `warm_start` are in the folder of the first students' run."""
    arms = {
        name: arm
        if arm.warm_start is None
        else arm.model_copy(
            update={"warm_start": arm.warm_start.model_copy(update={"file": str(folder / arm.warm_start.file)})}
        )
        for name, arm in recipe.arms.items()
    }
    return recipe.model_copy(update={"arms": arms})


def first_variant(variant: str) -> str:
    """Variant of the first students with the network of a variant.

    >>> first_variant("ResNet-8, 4 % of the labels")
    'ResNet-8'
    """
    return variant.split(",")[0]


@command(
    variants(),
    seeds(),
    processes(),
    data_dir(),
    work(),
    tiny(),
    results=f"{NAME}.jsonl",
    backend=False,
    stamp=False,
)
def main(args: argparse.Namespace) -> Iterator[list[Line]]:
    """Train the students that have no line yet, the first ones of a network before its others."""
    chosen = args.variant or list(experiments.read(NAME).variants)
    common: dict[str, Any] = {"data_dir": args.data_dir, "processes": args.processes, "work": args.work}
    with progress("variants", len(chosen)) as task:
        for place, variant in enumerate(chosen, start=1):
            task.say(variant)
            recipe = experiments.read(NAME).recipe_of(variant, tiny=args.tiny, seeds=args.seeds)
            network = first_variant(variant)
            folder = run_folder(args.work, FIRST, network)
            if any(arm.warm_start for arm in recipe.arms.values()):
                before = experiments.read(FIRST).recipe_of(network, tiny=args.tiny, seeds=[0])
                found = args.results.with_name(f"{FIRST}.jsonl")
                lines.append(found, train_missing(before, folder, found, experiment=FIRST, variant=network, **common))
            out = run_folder(args.work, NAME, variant)
            recipe = with_first_students(recipe, folder)
            yield train_missing(recipe, out, args.results, experiment=NAME, variant=variant, **common)
            task.advance_to(place)


if __name__ == "__main__":
    sys.exit(main())
