"""Train the students of a recipe: bridges, batches and cached teacher outputs of each."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import tflite
from distiller import bridges, data, models, teachers
from distiller.data import Split
from distiller.errors import InputError
from distiller.networks.saving import save_network
from distiller.recipes import RunRecipe
from distiller.recipes import bridges as sections
from distiller.recipes.training import Ramp, Training, is_ramp
from distiller.runs import fit
from distiller.runs.before_training import heavier
from distiller.runs.bridges import RecipeBridges, bridge_key, is_bridge
from distiller.runs.building import new_network, only_labelled
from distiller.runs.folder import RunFolder
from distiller.runs.pseudo_labels import with_pseudo_labels
from distiller.runs.quantization import aware_copy, freezing
from distiller.runs.teacher_cache import TeacherCaches, cached_outputs, rehearse
from distiller.runs.views import student_shape
from distiller.runs.warm_start import begin_with
from distiller.trainer.checks import check_ids
from distiller.trainer.distiller import Distiller
from distiller.utils.progress import Reporter


class StudentTrainer:
    """Trains the students of a run, and the bridges that they need.

    Args:
        recipe: of the run.
        dataset: the student's images.
        teacher: in its own classes.
        run_bridges: the recipe's bridges.
        reporter: where progress is shown.
        stored: the teacher's outputs, where these alone are known of it; `teacher` is then a stand-in.
    """

    def __init__(
        self,
        recipe: RunRecipe,
        dataset: data.Dataset,
        teacher: keras.Model,
        run_bridges: RecipeBridges,
        reporter: Reporter,
        stored: teachers.StoredOutputs | None = None,
    ):
        self.recipe, self.dataset, self.teacher = recipe, dataset, teacher
        self.bridges, self.reporter, self.stored = run_bridges, reporter, stored
        self._pseudo_labelled: dict[tuple[str, int], Split] = {}

    @cached_property
    def _inference_teacher(self) -> keras.Model:
        return self.bridges.for_inference(self.teacher)

    def rehearse(self) -> None:
        """Build every student with its teacher once, untrained: what does not fit is an InputError."""
        teacher = self.bridges.for_inference(self.teacher, check=False)
        if self._has_student_classes(self.recipe.bridge, teacher):
            reference = self.bridges.rehearsed({"reference": self.recipe.bridge}, teacher)["reference"]
            reference.teacher(teacher, len(self.dataset.classes))
        warning = None
        for name, arm in self.recipe.arms.items():
            student = self._new_student(name)
            warning = warning or heavier(self.teacher, student, self.dataset.image_shape, len(self.dataset.classes))
            student = models.adapted(student, self.dataset.image_shape)
            if arm.pseudo_labels:
                self._check_pseudo_labels(name, teacher)
            if arm.objectives:
                wanted = self.recipe.bridges_of(name)
                distiller = self._new_distiller(name, teacher, student, self.bridges.rehearsed(wanted, teacher))
                images = self._images(name, self.recipe.seeds[0])
                if self.stored:
                    self.stored.of(images).match(distiller.teachers, distiller.pairing.layers)
                for key, objective in distiller.objectives.items():
                    if objective.teacher_layer is None and objective.needs_teacher and not is_bridge(wanted[key]):
                        self.bridges.check_alike(key)
                    if objective.needs_ids:
                        check_ids(key, objective, np.arange(len(images)))
                if self.recipe.cache:
                    rehearse(self.recipe.cache, distiller, mixing=bool(self.recipe.plan(name).mixing))
        self.few_labels(self.recipe.seeds[0])
        if warning:
            self.reporter.say(warning)

    def few_labels(self, seed: int) -> Split:
        """The training images with the labels that the student of `seed` may see."""
        labels = self.recipe.labels
        if labels.per_class is None and labels.fraction in (None, 1.0):
            return self.dataset.train
        return data.hide_labels(
            self.dataset.train, self.recipe.labels_seed(seed), fraction=labels.fraction, per_class=labels.per_class
        )

    def fit_bridges(self, folder: RunFolder) -> None:
        """Fit every bridge that learns, each once for all students that may share it."""
        for seed in self.recipe.bridge_seeds:
            for name, section in self.bridges.to_fit.items():
                folder.once(f"{name}-{seed}", partial(self._fit_bridge, name, section, seed))

    def fit_student(self, name: str, seed: int, folder: RunFolder, stage: Path) -> dict[str, Any]:
        """Train the student of an arm and seed and save it as `NAME-SEED.keras`; returns the result of its stage."""
        arm, plan = self.recipe.arms[name], self.recipe.plan(name)
        # Nothing that is made or read before the seed is set can change the numbers drawn after it.
        teacher = self._inference_teacher if arm.objectives else None
        bridge = self.bridges_of(name, seed, folder) if arm.objectives else {}
        images = self._images(name, seed)
        labelled = len(only_labelled(images))
        if arm.pseudo_labels:
            images = self._with_pseudo_labels(name, seed, images, folder)
        keras.utils.set_random_seed(seed)
        student = self._new_student(name, folder.path / f"{arm.start}-{seed}.keras" if arm.start else None)
        options: dict[str, Any] = {}
        model: keras.Model = models.adapted(student, self.dataset.image_shape)
        if teacher is not None:
            model = self._new_distiller(name, teacher, model, bridge)
            options["ids"] = any(objective.needs_ids for objective in model.objectives.values())
            passes = self._batches(plan, images, seed).passes(plan.epochs)
            if self.stored:
                options["taught"] = self.stored.of(images)
            if self.recipe.cache:
                caches = TeacherCaches(self.recipe.cache, folder.path / "cache", self.reporter)
                outputs = cached_outputs(self.recipe, name, seed)
                options |= caches.options(model, images, plan, outputs, passes, title=name)
        batches = self._batches(plan, images, seed, **options)
        held = freezing(arm.quantize, plan, batches.steps) if arm.quantize else []
        trained = self._fit(model, plan, batches, stage, f"{name}, seed {seed}", held)
        if arm.quantize:
            tflite.match_runtime(student)
        save_network(student, folder.path / f"{name}-{seed}.keras")
        return {
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "steps": trained.steps,
            "images": len(images),
            "labelled": labelled,
            "cached": "taught" in options,
        }

    def _images(self, name: str, seed: int) -> Split:
        """The training images of the student of an arm and seed."""
        arm, images = self.recipe.arms[name], self.few_labels(seed)
        return images if arm.needs_teacher and arm.unlabelled else only_labelled(images)

    def _with_pseudo_labels(self, name: str, seed: int, images: Split, folder: RunFolder) -> Split:
        """The images, those without a label with one of the arm's teacher; asked once for all students of it."""
        key = bridge_key(self.recipe.bridge_of(name)), self.recipe.labels_seed(seed)
        if key not in self._pseudo_labelled:
            teacher = self.reference(name, seed, folder)
            assert teacher is not None
            self._pseudo_labelled[key] = with_pseudo_labels(images, teacher)
        return self._pseudo_labelled[key]

    def _check_pseudo_labels(self, name: str, teacher: keras.Model) -> None:
        if self.stored or not self._has_student_classes(self.recipe.bridge_of(name), teacher):
            received = "outputs of a file" if self.stored else "one of other classes"
            way_out = "Name the teacher itself" if self.stored else "Give it a bridge such as fine_tune or probe"
            raise InputError(
                f"arms.{name}.pseudo_labels: expected a teacher that can be asked for the student's classes. "
                f"Received: {received}. {way_out}"
            )

    def _new_student(self, name: str, start: Path | None = None) -> keras.Model:
        """The student of an arm before its training; it continues the one in the file `start`, where given."""
        quantize = self.recipe.arms[name].quantize
        if start is None:
            shape = student_shape(self.dataset, self.recipe)
            student = new_network(self.recipe.student, self.recipe.plan(name), self.dataset, shape)
            warm = self.recipe.arms[name].warm_start
            if warm and (new := begin_with(student, warm.file)):
                self.reporter.say(f"{name} begins with {warm.file}, but for its last layer, {new[0]}")
        else:
            student = teachers.load(start)
        return aware_copy(student, quantize) if quantize else student

    def bridges_of(self, name: str, seed: int, folder: RunFolder) -> dict[str, bridges.Bridge]:
        """The bridge of each objective of an arm."""
        return self.bridges.of(self.recipe.bridges_of(name), self._stage_of_bridge(seed, folder))

    def reference(self, name: str, seed: int, folder: RunFolder) -> keras.Model | None:
        """The teacher behind an arm's bridge, in the student's classes; None where it has its own or cannot be run."""
        section = self.recipe.bridge_of(name)
        if self.stored:
            return None  # it can be asked about no other images
        if not self._has_student_classes(section, self.teacher):
            return None
        bridge = self.bridges.of({"reference": section}, self._stage_of_bridge(seed, folder))["reference"]
        return bridge.teacher(self._inference_teacher, len(self.dataset.classes))

    def _has_student_classes(self, section: sections.Bridge | None, teacher: keras.Model) -> bool:
        """Say whether a teacher behind this bridge predicts the student's classes."""
        if isinstance(section, sections.AuxiliaryHeadBridge):
            return False
        return is_bridge(section) or (teacher.output_shape[-1] == len(self.dataset.classes) and self.bridges.alike())

    def _stage_of_bridge(self, seed: int, folder: RunFolder) -> Callable[[str], Path]:
        return lambda name: folder.stage(f"{name}-{self.recipe.labels_seed(seed)}")

    def _fit_bridge(self, name: str, section: sections.Bridge, seed: int, stage: Path) -> dict[str, Any]:
        labelled = only_labelled(self.few_labels(seed))
        seed += getattr(section, "seed", 0)
        keras.utils.set_random_seed(seed)

        def train(network: keras.Model, fine_tune: sections.FineTuneBridge) -> dict[str, Any]:
            plan = fine_tune.training
            title = f"{name.replace('-', ' ').replace('_', ' ')}, seed {seed}"
            trained = self._fit(network, plan, self._batches(plan, labelled, seed), stage, title)
            return {
                "validation_accuracy": trained.last["val_accuracy"],
                "seconds": trained.seconds,
                "epochs": trained.epochs,
            }

        return self.bridges.fit(section, self.teacher, labelled, self.dataset.validation, seed, train, stage)

    def _new_distiller(
        self, name: str, teacher: keras.Model, student: keras.Model, bridge: dict[str, bridges.Bridge]
    ) -> Distiller:
        arm = self.recipe.arms[name]
        steps = fit.steps_an_epoch(self.recipe.plan(name), len(self.dataset.train))
        distiller = Distiller(
            teacher=teacher,
            student=student,
            objectives={key: with_schedules(objective, steps) for key, objective in arm.objectives.items()},
            weights={key: fit.schedule(weight, steps) for key, weight in arm.weights.items()},
            bridge=bridge,
        )
        for key, adapter in distiller.adapters.items():
            self.reporter.say(f"adapter of {key}: {adapter}")
        return distiller

    def _batches(self, plan: Training, images: Split, seed: int, **options: Any) -> data.Batches:
        return fit.views(
            plan,
            images,
            samples=len(self.dataset.train),
            seed=seed,
            classes=len(self.dataset.classes),
            **options,
        )

    def _fit(
        self,
        model: keras.Model,
        plan: Training,
        batches: data.Batches,
        stage: Path,
        title: str,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> fit.Trained:
        return fit.fit(
            model,
            plan,
            batches,
            self.dataset.validation,
            folder=stage,
            reporter=self.reporter,
            title=title,
            callbacks=callbacks,
        )


def with_schedules(objective: dict[str, Any], steps: int) -> dict[str, Any]:
    """The arguments of an objective, and of one inside of it, with ramps as schedules."""

    def scheduled(value: Any) -> Any:
        if is_ramp(value):
            return fit.schedule(Ramp.model_validate(value), steps)
        return with_schedules(value, steps) if isinstance(value, dict) else value

    return {key: scheduled(value) for key, value in objective.items()}
