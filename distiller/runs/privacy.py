"""The audit of a finished run: its students, their TFLite files and its teacher."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from distiller import data, models
from distiller.data import UNLABELLED, Dataset, Split
from distiller.errors import InputError
from distiller.privacy.auditing import audit_answers
from distiller.privacy.results import NAME, Audited, RunAudit
from distiller.recipes.schema import Data, RunRecipe
from distiller.recipes.schema import TrainRecipe as OfTeacher
from distiller.runs.building import load_data
from distiller.runs.building import logits as answers_of
from distiller.runs.folder import RunFolder, write_json
from distiller.runs.views import as_student, load_views
from distiller.teachers.loading import load as load_network
from distiller.utils.progress import Reporter
from tflite.model_file.interpreter import Runner
from tflite.quantization.saved import keras_model

FLOAT = "float32"


@dataclass(frozen=True)
class _Subject:
    """A network to audit: how it answers, and its members by whose images they are."""

    network: str
    seed: int | None
    scheme: str | None
    open: Callable[[], Callable[[Split], np.ndarray]]
    members: dict[str, Split]
    others: Split


def audit_run(
    folder: Path,
    *,
    data_dir: Path | None = None,
    count: int = 5000,
    resamples: int = 1000,
    confidence: float = 0.95,
    reporter: Reporter | None = None,
) -> RunAudit:
    """Audit the networks of a run and write `privacy.json` into its folder.

    Members of a student are the training images that it saw; with few labels, or hard labels alone, those that only its
    teacher saw are audited too. The others are the images that the run's accuracies are measured on, which neither saw.
    The teacher's images are known where the recipe trains it or names packaged weights, on the same data.

    Args:
        folder: of a finished run.
        data_dir: as of `distiller run`.
        count: images at most, of members and of others; drawn by the run's first seed.
        resamples: of the bootstrap.
        confidence: of the intervals.
        reporter: of progress.

    Raises:
        InputError: no finished run, images that are not those of the run any more, or of no classes.
    """
    reporter, folder = reporter or Reporter(), Path(folder)
    recipe = _recipe(folder)
    dataset = as_student(load_views(recipe, data_dir), recipe)
    if dataset.train.labels.ndim != 1:
        raise InputError("Expected a run whose images have one class each. Received: one of another task")
    notes: list[str] = []
    taught = _teacher_data(recipe, data_dir, notes)
    subjects = list(_subjects(folder, recipe, dataset, taught, notes))
    total = sum(len(subject.members) for subject in subjects)
    found: list[Audited] = []
    with reporter.task("audit", total) as task:
        for subject in subjects:
            answer = subject.open()
            others = _some(subject.others, count, recipe.seeds[0])
            known = answer(others)
            for whose, members in subject.members.items():
                part = _some(members, count, recipe.seeds[0])
                result = audit_answers(
                    (answer(part), part.labels),
                    (known, others.labels),
                    resamples=resamples,
                    confidence=confidence,
                    seed=recipe.seeds[0],
                )
                found.append(Audited(subject.network, subject.seed, subject.scheme, whose, result))
                task.advance_to(len(found))
    if not found:
        raise InputError(f"Expected networks in {str(folder)!r}. Received: none of the recipe's. Finish the run")
    run = RunAudit(tuple(found), tuple(notes))
    write_json(folder / NAME, dataclasses.asdict(run))
    return run


def _recipe(folder: Path) -> RunRecipe:
    from distiller.report import content

    content.read(folder)  # refuses a folder without a finished run
    recipe = RunFolder(folder).run()["recipe"]
    if recipe.get("kind") != "run":
        raise InputError(f"Expected the folder of a run. Received: {str(folder)!r}, which {recipe.get('kind')} made")
    return RunRecipe.model_validate(recipe)


def _teacher_data(recipe: RunRecipe, data_dir: Path | None, notes: list[str]) -> Dataset | None:
    """The images that the teacher was trained on; None where they are not known."""
    section: Data | None = None
    if recipe.teacher.train:
        section = recipe.teacher.train.data
    elif recipe.teacher.load:
        card = models.card(recipe.teacher.load)
        if "recipe" in card and "pretrained" not in card:
            section = OfTeacher.model_validate(card["recipe"]).data
    if section is None:
        notes.append("The teacher's training images are not known: neither it nor what only it saw is audited")
        return None
    return load_data(section, data_dir)


def _subjects(
    folder: Path, recipe: RunRecipe, dataset: Dataset, taught: Dataset | None, notes: list[str]
) -> Iterator[_Subject]:
    teacher = folder / "teacher.keras"
    if taught is not None and teacher.exists():
        yield _Subject(
            "teacher", None, None, partial(_keras, teacher, "teacher"), {"teacher": taught.train}, taught.test
        )
    for name in recipe.arms:
        for seed in recipe.seeds:
            seen = _seen(recipe, dataset, name, seed)
            members = {"student": dataset.train.take(np.flatnonzero(seen))}
            alone = _teacher_alone(recipe, dataset, seen, taught)
            if alone is not None and len(alone):
                members["teacher"] = alone
            path = folder / f"{name}-{seed}.keras"
            if path.exists():
                yield _Subject(name, seed, None, partial(_keras, path, "student"), members, dataset.test)
            for scheme in recipe.schemes(name):
                file = folder / f"{name}-{seed}-{scheme}.tflite"
                if scheme != FLOAT and file.exists():
                    yield _Subject(name, seed, scheme, partial(_tflite, file), members, dataset.test)
    if recipe.data.measured_on == "validation":
        notes.append("The others are the validation images, which the run's settings were chosen by")


def _seen(recipe: RunRecipe, dataset: Dataset, name: str, seed: int) -> np.ndarray:
    """Mask of the training images that the student of an arm saw, with those of the arms that it goes on with."""
    seen = np.zeros(len(dataset.train), bool)
    labels = recipe.labels
    visible = dataset.train.labels
    if labels.per_class is not None or labels.fraction not in (None, 1.0):
        visible = data.hide_labels(
            dataset.train, recipe.labels_seed(seed), fraction=labels.fraction, per_class=labels.per_class
        ).labels
    arm: str | None = name
    while arm is not None:
        own = recipe.arms[arm]
        seen |= np.ones(len(seen), bool) if own.needs_teacher and own.unlabelled else visible != UNLABELLED
        arm = own.start
    return seen & (dataset.train.labels != UNLABELLED)


def _teacher_alone(recipe: RunRecipe, dataset: Dataset, seen: np.ndarray, taught: Dataset | None) -> Split | None:
    """Images of the student's classes that its teacher was trained on and the student was not."""
    if taught is None or taught.name != dataset.name or recipe.data.groups:
        return None
    # Images of one source have their numbers, or the names of their files.
    known = set(taught.train.known_names())
    of_teacher = np.array([each in known for each in dataset.train.known_names()])
    return dataset.train.take(np.flatnonzero(of_teacher & ~seen & (dataset.train.labels != UNLABELLED)))


def _some(split: Split, count: int, seed: int) -> Split:
    """At most so many samples of a split, drawn by a seed."""
    if len(split) <= count:
        return split
    return split.take(np.sort(np.random.default_rng(seed).choice(len(split), count, replace=False)))


def _keras(path: Path, role: str) -> Callable[[Split], np.ndarray]:
    # Quantization-aware students have layers of the package that trained them.
    network = load_network(path) if role == "teacher" else keras_model(path)

    def answer(split: Split) -> np.ndarray:
        return answers_of(models.adapted(network, split.images.shape[1:]), split)

    return answer


def _tflite(path: Path) -> Callable[[Split], np.ndarray]:
    run = Runner(path)
    return lambda split: run(np.asarray(split.images))
