"""The whole way of a recipe: from a teacher to measured TFLite students."""

from pathlib import Path
from typing import Any

from distiller import recipes
from distiller.building import load_data, new_network
from distiller.folder import RunFolder
from distiller.progress import Reporter
from distiller.stages import Stages, train_teacher
from distiller.summary import write_metrics


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
        InputError: the recipe, the data or the folder is wrong; nothing has been written then.
        WorkError: the training failed.
    """
    dataset = load_data(recipe.data, data_dir)
    new_network(recipe.model, recipe.training, dataset)
    folder = RunFolder.open(out, recipe, resume=resume, force=force)
    result = train_teacher(recipe, dataset, folder, reporter or Reporter())
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
) -> dict[str, Any]:
    """The whole way of a recipe into the folder `out`; returns the content of its `report.json`.

    Raises:
        InputError: the recipe, the data, the teacher or the folder is wrong; nothing has been written then.
        WorkError: a stage failed; the stages before it are kept, and `resume` goes on from there.
    """
    stages = Stages(recipe, data_dir, reporter or Reporter())
    stages.rehearse()
    return stages.into(RunFolder.open(out, recipe, resume=resume, force=force))
