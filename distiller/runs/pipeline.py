"""The whole way of a recipe: from a teacher to measured TFLite students."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from distiller import data, models, recipes
from distiller.errors import InputError
from distiller.recipes.tasks import CLASSIFICATION
from distiller.runs import task_networks, tasks
from distiller.runs.building import load_data, new_network
from distiller.runs.digests import digests, used
from distiller.runs.folder import RunFolder
from distiller.runs.hosts import Hosts
from distiller.runs.parallel import train_students
from distiller.runs.stages import RunStages, train_teacher
from distiller.runs.summary import write_metrics
from distiller.utils import ray_cluster
from distiller.utils.disk import told_if_full
from distiller.utils.progress import Reporter


def train(
    recipe: recipes.TrainRecipe,
    out: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Train a network as a recipe says; writes `run.json`, `teacher.keras` and the stage `teacher` to `out`.

    Returns the metrics of every epoch, the seconds, and the accuracy on the test split, which is read once.

    Raises:
        InputError: the recipe, the data or the folder is wrong, or another process is at a run in it; nothing has been
            written then.
        WorkError: the training failed.
    """
    dataset = _teacher_data(recipe, data_dir)
    inputs = digests(recipe, dataset)
    with RunFolder(out).alone(), told_if_full(out):
        folder = RunFolder.open(out, recipe, resume=resume, force=force, inputs=inputs, used=used(recipe, data_dir))
        train_it = train_teacher if recipe.task == CLASSIFICATION else tasks.train_teacher
        result = train_it(recipe, dataset, folder, reporter or Reporter())
        write_metrics(folder, ["teacher"])
    return result


def run(
    recipe: recipes.RunRecipe,
    out: Path,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
    processes: int = 1,
    ray: str | None = None,
    dataset: data.Dataset | None = None,
) -> dict[str, Any]:
    """The whole way of a recipe into the folder `out`; returns the content of its `report.json`.

    With more than one of `processes`, so many students are trained at a time: in a script, below
    `if __name__ == "__main__":`, which Python's `multiprocessing` asks for. With `ray`, "local" or the address of a
    cluster, they are trained by its machines, so many on each of them or of their GPUs, which all see the folder, the
    data and the files that the recipe names under the same paths. `dataset` are the recipe's images, where
    they have been read already.

    Raises:
        InputError: the recipe, the data, the teacher or the folder is wrong, or another process is at a run in it;
            nothing has been written then.
        WorkError: a stage failed; the stages before it are kept, and `resume` goes on from there.
    """
    if processes < 1:
        raise InputError(f"Expected 1 or more for `processes`. Received: {processes}")
    if ray is not None:
        ray_cluster.check(ray)
    reporter = reporter or Reporter()
    stages: RunStages | tasks.TaskStages
    if recipe.task == CLASSIFICATION:
        stages = RunStages(recipe, data_dir, reporter, dataset)
    else:
        if processes > 1 or ray is not None:
            raise InputError(f"Expected one process and no Ray with the task {recipe.task}: its students train in turn")
        stages = tasks.TaskStages(recipe, data_dir, reporter, dataset)
    stages.rehearse()
    inputs = digests(recipe, stages.dataset, stages.teacher_data if recipe.teacher.train else None)
    with RunFolder(out).alone(), told_if_full(out):
        folder = RunFolder.open(out, recipe, resume=resume, force=force, inputs=inputs, used=used(recipe, data_dir))
        if isinstance(stages, RunStages) and (processes > 1 or ray is not None):
            stages.prepare(folder)
            train_students(recipe, folder, data_dir, reporter, processes, ray)
        return stages.into(folder)


def train_on_hosts(
    recipe: recipes.RunRecipe,
    out: Path,
    hosts: Hosts,
    *,
    data_dir: Path | None = None,
    resume: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> None:
    """Train teacher and students of a recipe on several hosts, on JAX; every host calls this at the same time.

    The first writes the run, without files for phones, tests and report: `run` with `resume` makes those. Every host
    sees the folder, the data and the files that the recipe names.

    Raises:
        InputError: as of `run`; or a host has another backend than JAX or several devices, or the batches cannot be
            divided, or stored outputs are not there.
        WorkError: as of `run`; training goes on with `resume`, on any number of hosts.
    """
    if recipe.task != CLASSIFICATION:
        raise InputError(f"Expected one process and no hosts with the task {recipe.task}: its students train in turn")
    reporter = reporter or Reporter()
    hosts.join()
    stages = RunStages(recipe, data_dir, reporter)
    stages.rehearse()
    with ExitStack() as held:
        if hosts.is_first:
            held.enter_context(RunFolder(out).alone())
            held.enter_context(told_if_full(out))
            inputs = digests(recipe, stages.dataset, stages.teacher_data if recipe.teacher.train else None)
            RunFolder.open(out, recipe, resume=resume, force=force, inputs=inputs, used=used(recipe, data_dir))
        with hosts.folder(out) as folder:
            stages.train(RunFolder(folder))


def _teacher_data(recipe: recipes.TrainRecipe, data_dir: Path | None) -> data.Dataset:
    """The images of a network that is to be trained, which is built once, so that misfits are raised."""
    if recipe.task != CLASSIFICATION:
        tasks.check_names(recipe)
        found = task_networks.load_data(recipe.data, recipe.task, data_dir)
        task_networks.build(recipe.model, recipe.training, found, recipe.task)
        return found
    models.check(recipe.model.name, recipe.model.options)
    dataset = load_data(recipe.data, data_dir)
    new_network(recipe.model, recipe.training, dataset)
    return dataset
