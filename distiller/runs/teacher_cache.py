"""The teachers' stored answers in a run: which students read them, and where they lie."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distiller import data, teachers
from distiller.data import Split
from distiller.objectives import Objective
from distiller.recipes import RunRecipe
from distiller.recipes.schema import Cache
from distiller.runs.bridges import learns_from_labels
from distiller.teachers.caching.caches import Caches
from distiller.trainer.distiller import Distiller
from distiller.utils.progress import Reporter


class StoredAnswers:
    """The caches of a run, one for all students that have the same bridge, images, views and layers.

    Args:
        recipe: what is asked.
        folder: of the caches.
        reporter: where progress is shown.
    """

    def __init__(self, recipe: RunRecipe, folder: Path, reporter: Reporter):
        self.recipe, self.folder, self.reporter = recipe, folder, reporter

    def options(self, arm: str, learner: Distiller, images: Split, seed: int, passes: int) -> dict[str, Any]:
        """What `data.Batches` needs to read them, made where they are not there; nothing where none are stored.

        Args:
            arm: of the recipe.
            learner: the student with its teachers.
            images: that it is taught with.
            seed: of the student.
            passes: over the images that the training takes.
        """
        section = self.recipe.cache
        if section is None or not stores(section, learner.objectives, mixing=bool(self.recipe.plan(arm).mixing)):
            return {}
        passes = min(passes, section.cycle or passes)
        caches = {first: self._built(arm, first, learner, images, seed, passes, section) for first in learner.teachers}
        taught = Caches(caches) if len(caches) > 1 else next(iter(caches.values()))
        return {"views": section.views, "cycle": section.cycle and passes, "taught": taught}

    def _built(
        self, arm: str, first: str, learner: Distiller, images: Split, seed: int, passes: int, section: Cache
    ) -> teachers.Cache:
        plan, bridge = self.recipe.plan(arm), self.recipe.bridges_of(arm)[first]
        # Of other labels the teacher behind a fitted bridge is another, and so are images that must have labels.
        bound = learns_from_labels(bridge) or not self.recipe.arms[arm].unlabelled
        layers = learner.pairing.layers[first]
        asked = [
            bridge.model_dump(mode="json") if bridge else None,
            self.recipe.labels_seed(seed) if bound else None,
            len(images),
            plan.crop,
            plan.flip,
            layers,
        ]
        place = self.folder / hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
        cache = teachers.Cache(place, learner.teachers[first], layers, dtype=section.dtype, top_k=section.top_k)
        views = data.Augmentation(plan.crop, plan.flip)
        with self.reporter.task(f"the teacher's answers for {arm}", passes * len(images)) as task:
            return cache.build(images, views, seed=section.views, passes=passes, progress=task.advance_to)


def rehearse(section: Cache, learner: Distiller, *, mixing: bool) -> None:
    """Raise InputError where what a student's teachers answer cannot be stored as the recipe asks."""
    if not stores(section, learner.objectives, mixing=mixing):
        return
    with TemporaryDirectory() as folder:
        for first, network in learner.teachers.items():
            layers = learner.pairing.layers[first]
            teachers.Cache(folder, network, layers, dtype=section.dtype, top_k=section.top_k)


def stores(section: Cache, objectives: Mapping[str, Objective], *, mixing: bool) -> bool:
    """Whether a student of these objectives can learn from stored answers alone, as the recipe allows it."""
    asked = any(objective.needs_teacher for objective in objectives.values())
    return (
        asked
        and not mixing
        and (section.layers or all(objective.teacher_layer is None for objective in objectives.values()))
    )
