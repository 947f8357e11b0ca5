"""The stages of a run, each resumable."""

import dataclasses
import json
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import tflite
from distiller import data, models, recipes, report, teachers
from distiller.data import class_names
from distiller.networks.saving import save_network
from distiller.recipes.arms import in_order
from distiller.runs import fit, student_file, teacher_file
from distiller.runs.before_training import held_out
from distiller.runs.bridges import RecipeBridges, asked_bridges, bridge_key
from distiller.runs.building import (
    FROZEN_CHECK,
    accuracy,
    check_names,
    external_teacher,
    load_data,
    logits,
    new_network,
    share_right,
)
from distiller.runs.folder import RunFolder, write_json
from distiller.runs.profiling import explain
from distiller.runs.students import StudentTrainer
from distiller.runs.summary import HELD_OUT, TEACHER_FILE, TEACHER_TEST, summarize, write_metrics
from distiller.runs.views import as_student, load_views
from distiller.utils.progress import Reporter
from distiller.utils.shown import as_text
from tflite.conversion.schemes import INTEGER
from tflite.quantization.saved import keras_model


def train_teacher(
    recipe: recipes.TrainRecipe, dataset: data.Dataset, folder: RunFolder, reporter: Reporter
) -> dict[str, Any]:
    """The stage `teacher`: train a network on hard labels, save it as `teacher.keras`, and test it once."""

    def work(stage: Path) -> dict[str, Any]:
        keras.utils.set_random_seed(recipe.seed)
        model = new_network(recipe.model, recipe.training, dataset)
        batches = fit.views(
            recipe.training,
            dataset.train,
            samples=len(dataset.train),
            seed=recipe.seed,
            classes=len(dataset.classes),
        )
        trained = fit.fit(
            model,
            recipe.training,
            batches,
            dataset.validation,
            folder=stage,
            reporter=reporter,
            title="teacher",
        )
        save_network(model, folder.path / "teacher.keras")
        return {
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "steps": trained.steps,
            "test_accuracy": accuracy(model, dataset.test),
            "classes": list(dataset.classes),
        }

    return folder.once("teacher", work)


class RunStages:
    """Carries out the stages of one recipe, in the order of the methods."""

    def __init__(
        self,
        recipe: recipes.RunRecipe,
        data_dir: Path | None,
        reporter: Reporter,
        dataset: data.Dataset | None = None,
    ):
        self.recipe, self.reporter, self.data_dir = recipe, reporter, data_dir
        # First the checks that need no images, whose reading may take minutes.
        check_names(recipe)
        if recipe.teacher.file and not recipe.teacher.is_external:
            self._teacher_of_file  # noqa: B018  opened
        self.stored  # noqa: B018  opened
        self.dataset = dataset or load_views(recipe, data_dir)
        # The files of students hold them, and are made after the training.
        class_names.check(self.dataset.classes, recipe.data.name)
        self.folder: RunFolder
        self._teacher_logits: dict[tuple[int, str], np.ndarray | None] = {}

    def rehearse(self) -> None:
        """Build everything once, untrained, so that misfits are raised before anything is written."""
        source = self.recipe.teacher.train
        teacher = (
            self.teacher
            if source is None
            else self._for_views(new_network(source.model, source.training, self.teacher_data))
        )
        self._student_trainer(teacher).rehearse()

    def into(self, folder: RunFolder) -> dict[str, Any]:
        """Run every stage that is not done yet; returns the content of `report.json`."""
        self.train(folder)
        pairs = [(name, seed) for seed in self.recipe.seeds for name in self.recipe.arms]
        for name, seed in pairs:
            self._export(name, seed)
        if self.recipe.export.teacher:
            folder.once(TEACHER_FILE, self._export_teacher)
        # Only now the test split is read, and nothing is chosen after it.
        for name, seed in pairs:
            self._test(name, seed)
        if self._teacher_file:
            folder.once(TEACHER_TEST, partial(self._test_teacher, self._teacher_file))
        self._measure(pairs)
        return self._report(pairs)

    def train(self, folder: RunFolder) -> None:
        """The stages before the files: teacher, bridges, students."""
        self.prepare(folder)
        for seed in self.recipe.seeds:
            for name in self.in_order:
                self.train_student(name, seed)

    def prepare(self, folder: RunFolder) -> None:
        """The stages before the students: teacher and bridges."""
        self.folder = folder
        source = self.recipe.teacher.train
        if source:
            train_teacher(source, self.teacher_data, folder, self.reporter)
        self.trainer = self._student_trainer(self.teacher)
        self.trainer.fit_bridges(folder)
        folder.once(HELD_OUT, self._look)

    def _look(self, _: Path) -> dict[str, Any]:
        """Accuracy of the first seed's teachers on held-out images, by arm: shown before students are trained."""
        found: dict[str, Any] = {}
        known: dict[str, dict[str, Any] | None] = {}
        for name, arm in self.recipe.arms.items():
            key = bridge_key(self.recipe.bridge_of(name))
            if arm.needs_teacher and key not in known:
                teacher = self.trainer.reference(name, self.recipe.seeds[0], self.folder)
                known[key] = None
                if teacher is not None:
                    looked = held_out(teacher, self.dataset.validation, self.dataset.classes)
                    self.reporter.say(looked.sentence)
                    known[key] = dataclasses.asdict(looked)
            found[name] = known.get(key)
        return {"teachers": found}

    @property
    def in_order(self) -> list[str]:
        """The arms, each after the one whose student it goes on with."""
        return in_order(self.recipe.arms)

    def train_student(self, name: str, seed: int) -> None:
        """The stage of one student; after `prepare`."""
        self.folder.once(f"{name}-{seed}", partial(self.trainer.fit_student, name, seed, self.folder))

    def _student_trainer(self, teacher: keras.Model) -> StudentTrainer:
        held = self.dataset.validation.some(FROZEN_CHECK).images
        bridges = RecipeBridges(
            asked_bridges(self.recipe),
            self.dataset.classes,
            self._teacher_classes,
            frozen=self.recipe.teacher.frozen,
            checked_on=held,
        )
        return StudentTrainer(self.recipe, self.dataset, teacher, bridges, self.reporter, stored=self.stored)

    @cached_property
    def teacher_data(self) -> data.Dataset:
        """The images of a teacher that is trained first."""
        source = self.recipe.teacher.train
        assert source is not None
        return load_data(source.data, self.data_dir)

    @cached_property
    def teacher(self) -> keras.Model:
        """The teacher in its own classes, for the images of the views."""
        source = self.recipe.teacher
        if source.load:
            found = models.load(source.load, dtype=models.card(source.load)["recipe"]["training"]["precision"])
            return self._for_views(found)
        if source.is_external:
            return external_teacher(source, self.dataset)
        if self.stored:
            return self.stored.network(self.dataset.image_shape)
        return self._for_views(self._teacher_of_file)

    @cached_property
    def _teacher_of_file(self) -> keras.Model:
        path = self.recipe.teacher.file or self.folder.path / "teacher.keras"
        return teachers.load(path, say=self.reporter.say)

    def _for_views(self, teacher: keras.Model) -> keras.Model:
        """The teacher for images of the size of the views, where that is not its own."""
        if isinstance(teacher.input_shape, tuple) and len(teacher.input_shape) == 4 and self._is_adapted:
            return models.adapted(teacher, self.dataset.image_shape)
        return teacher

    @property
    def _is_adapted(self) -> bool:
        return self.recipe.teacher.image_size is not None

    @cached_property
    def student_data(self) -> data.Dataset:
        """The images as the student gets them, for its files and tests."""
        return as_student(self.dataset, self.recipe)

    @cached_property
    def stored(self) -> teachers.StoredOutputs | None:
        """The teacher's outputs, where the recipe names a file of them."""
        source = self.recipe.teacher
        return teachers.StoredOutputs(source.outputs, probabilities=source.probabilities) if source.outputs else None

    def _teacher_classes(self) -> list[str] | None:
        source = self.recipe.teacher
        if source.load:
            return models.card(source.load)["classes"]
        if source.train:
            return list(self.teacher_data.classes)
        if self.stored:
            return self.stored.classes
        if source.external.classes:
            return source.external.classes
        return None

    def _student(self, name: str, seed: int) -> keras.Model:
        path = self._file(name, seed, ".keras")
        return keras_model(path) if self.recipe.arms[name].quantize else teachers.load(path)

    def _file(self, name: str, seed: int, ending: str) -> Path:
        return self.folder.path / f"{name}-{seed}{ending}"

    def _export(self, name: str, seed: int) -> None:
        def work(_: Path) -> dict[str, Any]:
            student = self._student(name, seed)
            aware = self.recipe.arms[name].quantize
            images = None if aware else self.student_data.train.some(self.recipe.export.calibration)
            sizes = {}
            for scheme in self.recipe.schemes(name):
                self.reporter.say(f"convert {name}, seed {seed}, to {scheme}")
                path = self._file(name, seed, f"-{scheme}.tflite")
                sizes[scheme] = student_file.write(student, path, scheme, images, self.dataset.classes).bytes
            return {"bytes": sizes}

        self.folder.once(f"export-{name}-{seed}", work)

    def _export_teacher(self, _: Path) -> dict[str, Any]:
        if self.stored:
            return {"refused": "There is no file of the teacher, of which outputs alone are known."}
        if self._bridged_teacher is None:
            return {"refused": "There is no file of the teacher, which has other classes than its students."}
        if self.recipe.teacher.is_external:
            return {"refused": "There is no file made of the teacher, which is none of Keras's."}
        self.reporter.say("convert the teacher")
        plan = self.recipe.export
        schemes = list(plan.schemes)
        made = teacher_file.write(self._bridged_teacher, self.dataset, self.folder.path, schemes, plan.calibration)
        if "refused" in made:
            self.reporter.say(made["refused"])
        return made

    def _test_teacher(self, file: Path, _: Path) -> dict[str, Any]:
        assert self._bridged_teacher is not None
        return teacher_file.test(self._bridged_teacher, self.dataset, file)

    @cached_property
    def _bridged_teacher(self) -> keras.Model | None:
        """The first seed's teacher in the student's classes, behind the recipe's bridge; None where it has others."""
        for name, arm in self.recipe.arms.items():
            if arm.objectives and not arm.bridge:
                return self.trainer.reference(name, self.recipe.seeds[0], self.folder)
        return None

    @property
    def _teacher_file(self) -> Path | None:
        """The file of the teacher, where there is one."""
        if not self.recipe.export.teacher:
            return None
        file = self.folder.result(TEACHER_FILE).get("file")
        return file and self.folder.path / file

    def _test(self, name: str, seed: int) -> None:
        def work(_: Path) -> dict[str, Any]:
            self.reporter.say(f"test {name}, seed {seed}")
            test = self.student_data.test
            student = self._student(name, seed)
            of_student, of_teacher = logits(student, test), self._logits_of_teacher(name, seed)
            files = {}
            for scheme in self.recipe.schemes(name):
                files[scheme] = student_file.check(student, self._file(name, seed, f"-{scheme}.tflite"), test)
            return {
                "accuracy": share_right(of_student, test),
                "teacher_accuracy": None if of_teacher is None else share_right(of_teacher, test),
                "agreement": None if of_teacher is None else _agreement(of_student, of_teacher),
                "tflite": files,
            }

        self.folder.once(f"test-{name}-{seed}", work)

    def _logits_of_teacher(self, name: str, seed: int) -> np.ndarray | None:
        """The logits of an arm's teacher for the test images; None where it keeps classes of its own."""
        chosen = self.recipe.labels_seed(seed), bridge_key(self.recipe.bridge_of(name))
        if chosen not in self._teacher_logits:
            teacher = self.trainer.reference(name, seed, self.folder)
            self._teacher_logits[chosen] = None if teacher is None else logits(teacher, self.dataset.test)
        return self._teacher_logits[chosen]

    def _measure(self, pairs: list[tuple[str, int]]) -> None:
        plan = self.recipe.benchmark
        with self.reporter.task("benchmark", len(self.recipe.seeds)) as task:
            for done, seed in enumerate(self.recipe.seeds, start=1):
                # The files of a seed are compared with each other: they take turns.
                names = [name for name, of in pairs if of == seed]
                paths = [self._file(n, seed, f"-{s}.tflite") for n in names for s in self.recipe.schemes(n)]
                if self._teacher_file and seed == self.recipe.seeds[0]:
                    paths.append(self._teacher_file)

                def work(_: Path, paths: list[Path] = paths, seed: int = seed) -> dict[str, Any]:
                    measured = tflite.benchmark(paths, threads=plan.threads, runs=plan.runs, min_seconds=plan.seconds)
                    found = explain(measured.results, self._twins(seed))
                    return {each.path.name: json.loads(each.to_json()) for each in found}

                self.folder.once(f"benchmark-seed-{seed}", work)
                task.advance_to(done)

    def _twins(self, seed: int) -> dict[Path, Path]:
        """Integer file → the file of the same network in floating point; of an aware student that it goes on from."""
        found: dict[Path, Path] = {}
        for name in self.recipe.arms:
            start = self.recipe.arms[name].start if self.recipe.arms[name].quantize else name
            if start is not None and "float32" in self.recipe.schemes(start):
                twin = self._file(start, seed, "-float32.tflite")
                schemes = [scheme for scheme in self.recipe.schemes(name) if scheme in INTEGER]
                found |= {self._file(name, seed, f"-{scheme}.tflite"): twin for scheme in schemes}
        return found

    def _report(self, pairs: list[tuple[str, int]]) -> dict[str, Any]:
        content = as_text(summarize(self.recipe, self.student_data, self.folder, self.teacher))
        write_json(self.folder.path / "report.json", content)
        trained = ["teacher"] if self.recipe.teacher.train else []
        for seed in self.recipe.bridge_seeds:
            stages = [f"{name}-{seed}" for name in self.trainer.bridges.to_fit]
            trained += [stage for stage in stages if "epochs" in self.folder.result(stage)]
        write_metrics(self.folder, [*trained, *(f"{name}-{seed}" for name, seed in pairs)])
        report.write(self.folder.path)
        return content


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Share of samples with the same predicted class in logits (samples, classes)."""
    return float((first.argmax(-1) == second.argmax(-1)).mean())
