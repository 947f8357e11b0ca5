"""Digests of what a run is made from besides its recipe, to tell whether files and images have changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distiller import models
from distiller.data import Dataset, is_name
from distiller.networks import fingerprint
from distiller.recipes.schema import RunRecipe, TrainRecipe
from distiller.utils.user_code import names_code

# The keys of a recipe below which a network is named.
_NETWORKS = ("model", "student")


def digests(recipe: RunRecipe | TrainRecipe, dataset: Dataset, teacher: Dataset | None = None) -> dict[str, str]:
    """A digest of the images with their labels, and of every file that the recipe names, by its path.

    `teacher` are the images of a teacher that is trained first.
    """
    found = {"images": _digest(dataset)}
    if teacher is not None:
        found["images of the teacher"] = _digest(teacher)
    for path in _files(recipe.model_dump(mode="json")):
        with Path(path).open("rb") as file:
            found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def used(recipe: RunRecipe | TrainRecipe, data_dir: Path | None) -> list[str | Path]:
    """The files and folders that a run reads, where they are there."""
    sections = [recipe.data]
    if isinstance(recipe, RunRecipe) and recipe.teacher.train:
        sections.append(recipe.teacher.train.data)
    images = [section.name for section in sections if not is_name(section.name)]
    return [*_files(recipe.model_dump(mode="json")), *images, *([data_dir] if data_dir is not None else [])]


def _digest(dataset: Dataset) -> str:
    splits = dataset.train, dataset.validation, dataset.test
    parts = [fingerprint.images(array) for split in splits for array in (split.images, split.labels)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _files(part: Any) -> Iterator[str]:
    """Paths that a recipe names: where a section says `file`, and where it names a network or an objective by one."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("file", "outputs") and isinstance(value, str):
                yield value
            elif key == "function" and isinstance(value, str):
                yield from models.files_of(value)
            elif key in _NETWORKS and isinstance(value, dict) and isinstance(value.get("name"), str):
                yield from models.files_of(value["name"])
            elif key == "name" and isinstance(value, str) and names_code(value):  # an objective
                yield from models.files_of(value)
            else:
                yield from _files(value)
    elif isinstance(part, list):
        for item in part:
            yield from _files(item)
