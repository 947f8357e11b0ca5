"""The students of a run trained side by side, in several processes or on the machines of a Ray cluster.

A step of a small student is too short to be divided among the cores of a machine, and fills a GPU even less. Several
students at once, each with its share, take less time together.
"""

from collections.abc import Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path

from distiller.errors import InputError, WorkError
from distiller.recipes import RunRecipe
from distiller.recipes.arms import chains
from distiller.runs.folder import RunFolder
from distiller.runs.on_ray import each_done
from distiller.runs.stages import RunStages
from distiller.utils.backend import load_backend
from distiller.utils.locks import in_turn
from distiller.utils.processes import pool
from distiller.utils.progress import Reporter
from distiller.utils.ray_cluster import connected
from distiller.utils.safe_console import SafeConsole

# The names of arms that go on with each other's student, and their seed.
Chain = tuple[list[str], int]


def train_students(
    recipe: RunRecipe,
    folder: RunFolder,
    data_dir: Path | None,
    reporter: Reporter,
    processes: int,
    ray: str | None = None,
) -> None:
    """Train the students that a run still lacks, its teacher and bridges done; a single one is left to the caller.

    Args:
        recipe: of the run, as its `run.json` has it.
        folder: of the run.
        data_dir: where tensorflow_datasets keeps its data.
        reporter: where progress is shown; the epochs are lines on the error output.
        processes: students at a time; with Ray on each machine, or on each of its GPUs.
        ray: address of a Ray cluster, as of `distiller.utils.ray_cluster.connected`, on which even one is trained.

    Raises:
        InputError, WorkError: a training failed; those that had begun beside it are finished, the others are not begun.
            With Ray those beside it end too, and go on from their last epoch.
    """
    together = [(chain, seed) for seed in recipe.seeds for chain in chains(recipe.arms)]
    missing = [(chain, seed) for chain, seed in together if not _trained(folder, chain, seed)]
    if not missing or (ray is None and len(missing) < 2):
        return
    if ray is None:
        trained = _in_processes(folder.path, data_dir, missing, processes)
    else:
        trained = _on_ray(folder.path, data_dir, missing, processes, ray)
    for done, title in enumerate(trained, start=1):
        reporter.say(f"{title} trained, {done} of {len(missing)}")


def _in_processes(folder: Path, data_dir: Path | None, missing: list[Chain], processes: int) -> Iterator[str]:
    with pool(min(processes, len(missing)), load_backend) as workers:
        futures = [workers.submit(_train, folder, data_dir, chain, seed) for chain, seed in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkError(
                "A process that trained a student was killed, perhaps for its memory. "
                f"Go on with --resume and fewer than {processes} processes"
            ) from error


def _on_ray(folder: Path, data_dir: Path | None, missing: list[Chain], processes: int, address: str) -> Iterator[str]:
    with connected(address):
        yield from each_done(_train_in_turn, [(folder, data_dir, chain, seed) for chain, seed in missing], processes)


def _train_in_turn(folder: Path, data_dir: Path | None, chain: list[str], seed: int) -> str:
    """The same after another process that may still be at it: its call was killed, and it does not know yet."""
    with in_turn(folder / "stages" / f"{chain[-1]}-{seed}.lock"):
        return _train(folder, data_dir, chain, seed)


def _trained(folder: RunFolder, chain: list[str], seed: int) -> bool:
    return all((folder.stage(f"{name}-{seed}") / "result.json").exists() for name in chain)


def _train(folder: Path, data_dir: Path | None, chain: list[str], seed: int) -> str:
    """Train what belongs together, in a process of its own; returns what it was."""
    title = f"{', '.join(chain)}, seed {seed}:"
    try:
        stages = _stages(folder, data_dir)
        for name in chain:
            stages.train_student(name, seed)
    except (InputError, WorkError):
        raise
    except Exception as error:
        # As it is, another process might not be able to read it.
        raise WorkError(f"{title} {type(error).__name__}: {error}") from error
    return title


@lru_cache(maxsize=1)
def _stages(path: Path, data_dir: Path | None) -> RunStages:
    """The stages of a run whose teacher and bridges are done."""
    folder = RunFolder(path)
    recipe = RunRecipe.model_validate(folder.run()["recipe"])
    # The bars of several processes would write over each other.
    stages = RunStages(recipe, data_dir, Reporter(SafeConsole(stderr=True, soft_wrap=True, force_terminal=False)))
    stages.prepare(folder)
    return stages
