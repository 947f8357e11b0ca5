"""Teacher outputs that a run caches: the students that read them, and the folder of each cache."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from distiller import teachers
from distiller.data import Split
from distiller.errors import InputError
from distiller.objectives import Objective
from distiller.recipes import RunRecipe
from distiller.recipes.bridges import Bridge
from distiller.recipes.schema import Cache
from distiller.recipes.training import Training
from distiller.runs.bridges import learns_from_labels
from distiller.runs.hosts import joined
from distiller.teachers.caching.caches import Caches
from distiller.trainer.distiller import Distiller
from distiller.utils.progress import Reporter


@dataclass(frozen=True)
class CachedOutputs:
    """Decides which students share a teacher's cached outputs: its bridge, and the seed of the labels if it matters."""

    bridge: Bridge | None
    labels_seed: int | None


class TeacherCaches:
    """The caches of a run, one for all students that have the same bridge, images, views and layers.

    Args:
        section: `cache` of the recipe.
        folder: of the caches.
        reporter: where progress is shown.
    """

    def __init__(self, section: Cache, folder: Path, reporter: Reporter):
        self.section, self.folder, self.reporter = section, folder, reporter

    def options(
        self,
        distiller: Distiller,
        images: Split,
        plan: Training,
        outputs: Mapping[str, CachedOutputs],
        passes: int,
        *,
        title: str,
    ) -> dict[str, Any]:
        """Arguments of `data.Batches` that read the caches, which are built where missing; none where none serve.

        Args:
            distiller: the student with its teachers.
            images: of its training.
            plan: of its training.
            outputs: by objective.
            passes: over the images that the training takes.
            title: of the progress bar.
        """
        if not stores(self.section, distiller.objectives, mixing=bool(plan.mixing)):
            return {}
        passes = min(passes, self.section.cycle or passes)
        caches = {
            first: self._built(distiller, first, images, plan, outputs[first], passes, title)
            for first in distiller.teachers
        }
        taught = Caches(caches) if len(caches) > 1 else next(iter(caches.values()))
        return {"views": self.section.views, "cycle": self.section.cycle and passes, "taught": taught}

    def _built(
        self,
        distiller: Distiller,
        first: str,
        images: Split,
        plan: Training,
        outputs: CachedOutputs,
        passes: int,
        title: str,
    ) -> teachers.Cache:
        layers = distiller.pairing.layers[first]
        key = [
            outputs.bridge.model_dump(mode="json") if outputs.bridge else None,
            outputs.labels_seed,
            len(images),
            plan.crop,
            plan.flip,
            layers,
            # Named by no cache of a plan without them, whose folders are those of before.
            *([plan.augmentation] if plan.augmentation else []),
        ]
        section = self.section
        # One folder for whatever belongs to it: a cache of something else is an error there.
        of_the_run = self.folder / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
        place = Path(section.folder) if section.folder else of_the_run
        cache = teachers.Cache(place, distiller.teachers[first], layers, dtype=section.dtype, top_k=section.top_k)
        if joined():
            return read_alone(cache, passes)
        views = plan.views()
        with self.reporter.task(f"teacher outputs for {title}", passes * len(images)) as task:
            return cache.build(images, views, seed=section.views, passes=passes, progress=task.advance_to)


def read_alone(cache: teachers.Cache, passes: int) -> teachers.Cache:
    """A cache of so many passes as it is: several hosts share a training, and each would compute outputs of its own.

    Raises:
        InputError: it has fewer.
    """
    if cache.passes < passes:
        raise InputError(
            f"Several hosts read stored outputs and compute none. Expected {passes} passes in {str(cache.folder)!r}, "
            f"by `distiller answers` and cache.folder. Received: {cache.passes}"
        )
    return cache


def cached_outputs(recipe: RunRecipe, arm: str, seed: int) -> dict[str, CachedOutputs]:
    """By objective of an arm, the part of its cache's key that the recipe decides; `seed` is the student's."""
    # Of other labels the teacher behind a fitted bridge is another, and so are images that must have labels.
    labels_alone = not recipe.arms[arm].unlabelled
    return {
        name: CachedOutputs(bridge, recipe.labels_seed(seed) if labels_alone or learns_from_labels(bridge) else None)
        for name, bridge in recipe.bridges_of(arm).items()
    }


def rehearse(section: Cache, distiller: Distiller, *, mixing: bool) -> None:
    """Raise InputError where the outputs of a student's teachers cannot be cached as the recipe asks."""
    if not stores(section, distiller.objectives, mixing=mixing):
        return
    with TemporaryDirectory() as folder:
        for first, network in distiller.teachers.items():
            layers = distiller.pairing.layers[first]
            teachers.Cache(section.folder or folder, network, layers, dtype=section.dtype, top_k=section.top_k)


def stores(section: Cache, objectives: Mapping[str, Objective], *, mixing: bool) -> bool:
    """Say whether a student of these objectives can learn from cached outputs alone, as the recipe allows it."""
    asked = any(objective.needs_teacher for objective in objectives.values())
    return (
        asked
        and not mixing
        and (section.layers or all(objective.teacher_layer is None for objective in objectives.values()))
    )
