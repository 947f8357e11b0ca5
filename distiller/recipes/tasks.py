"""The tasks of recipes, and what of a recipe is for classification alone."""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from distiller.recipes.schema import RunRecipe, TrainRecipe
    from distiller.recipes.training import Training

Task = Literal["classification", "multi_label", "regression", "segmentation"]
CLASSIFICATION = "classification"


def check_train(recipe: "TrainRecipe", place: str = "") -> None:
    """Raise ValueError where a recipe of `distiller train` asks for what its task does not have."""
    _check_data(recipe.data, recipe.task, f"{place}data")
    if recipe.task != CLASSIFICATION:
        _check_training(recipe.training, recipe.task, f"{place}training")


def check_run(recipe: "RunRecipe") -> None:
    """Raise ValueError where a recipe of `distiller run` asks for what its task does not have."""
    task = recipe.task
    _check_data(recipe.data, task, "data")
    teacher = recipe.teacher
    if teacher.train and teacher.train.task != task:
        raise ValueError(f"teacher.train.task: expected {task}, as of the run. Received: {teacher.train.task}")
    if task == CLASSIFICATION:
        return
    for place, given, way_out in (
        ("labels", recipe.labels.fraction or recipe.labels.per_class, "Every image has its labels"),
        ("bridge", recipe.bridge, "Teacher and student have the same outputs"),
        ("cache", recipe.cache, "The teacher answers in each step"),
        ("teacher.load", teacher.load, "Packaged weights are classifiers: name a file, or train a teacher"),
        ("teacher.function", teacher.function, "Name a .keras file, or train a teacher"),
        ("teacher.outputs", teacher.outputs, "Name a .keras file, or train a teacher"),
        ("teacher.file", teacher.is_external and teacher.file, "Name a .keras file, or train a teacher"),
        ("teacher.frozen", teacher.frozen, "Leave it out"),
        ("teacher.image_size", teacher.image_size, "Teacher and student see images of data.image_size"),
        ("student.colours", recipe.student.colours, "Teacher and student see the same images"),
        ("export.teacher", recipe.export.teacher, "tflite.convert writes a file of it from Python"),
    ):
        if given:
            raise ValueError(f"{place}: expected none with the task {task}. {way_out}")
    _check_training(recipe.training, task, "training")
    for name, arm in recipe.arms.items():
        for key in ("start", "warm_start", "pseudo_labels", "quantize", "bridge", "bridges"):
            if getattr(arm, key):
                raise ValueError(f"arms.{name}.{key}: expected none with the task {task}, which has no such training")
        _check_training(recipe.plan(name), task, f"arms.{name}.training")


def _check_data(data: Any, task: str, place: str) -> None:
    for key, of in (
        ("labels", ("multi_label", "regression")),
        ("columns", ("multi_label", "regression")),
        ("derive", ("multi_label", "regression", "segmentation")),
        ("classes", (CLASSIFICATION, "segmentation")),
        ("groups", (CLASSIFICATION,)),
    ):
        if getattr(data, key) and task not in of:
            raise ValueError(f"{place}.{key}: expected the task {' or '.join(of)}. Received: {task}")


def _check_training(plan: "Training", task: str, place: str) -> None:
    if plan.mixing is not None or plan.label_smoothing:
        raise ValueError(f"{place}: expected no mixing and no label_smoothing with the task {task}: labels of classes")
    if plan.dot is not None:
        raise ValueError(f"{place}.dot: expected none with the task {task}")
    if plan.sizes:
        raise ValueError(f"{place}.sizes: expected none with the task {task}")
    if plan.early_stopping is not None and plan.early_stopping.metric != "val_loss":
        raise ValueError(f"{place}.early_stopping.metric: expected val_loss with the task {task}")
