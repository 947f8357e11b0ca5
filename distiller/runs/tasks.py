"""The way of a recipe of several labels, numbers or masks: teacher, students, TFLite files, their metrics, report."""

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras

import tflite
from distiller import data, models
from distiller.data import Split
from distiller.networks.saving import save_network
from distiller.recipes import RunRecipe, TrainRecipe
from distiller.recipes.training import Training
from distiller.report import tasks as report
from distiller.runs import fit
from distiller.runs.folder import RunFolder, write_json
from distiller.runs.students import with_schedules
from distiller.runs.summary import write_metrics
from distiller.runs.task_networks import (
    HEADLINE,
    LOWER_IS_BETTER,
    build,
    check_network,
    check_objectives,
    check_outputs,
    constant,
    load_data,
    loss,
    measure_network,
    opened_network,
    told,
)
from distiller.trainer.distiller import Distiller
from distiller.utils.progress import Reporter
from distiller.utils.provenance import provenance
from distiller.utils.shown import as_text
from tflite.conversion.schemes import INTEGER


def check_names(recipe: RunRecipe | TrainRecipe) -> None:
    """Raise InputError where a recipe names a network or an objective that there is not, or none of its task."""
    if isinstance(recipe, TrainRecipe):
        check_network(recipe.model, recipe.task)
        return
    check_network(recipe.student, recipe.task)
    if recipe.teacher.train:
        check_network(recipe.teacher.train.model, recipe.task)
    for name, arm in recipe.arms.items():
        check_objectives(arm.objectives, recipe.task, f"arms.{name}")


def train_teacher(recipe: TrainRecipe, dataset: data.Dataset, folder: RunFolder, reporter: Reporter) -> dict[str, Any]:
    """The stage `teacher`: train a network on the labels, save it as `teacher.keras`, and test it once."""

    def work(stage: Path) -> dict[str, Any]:
        keras.utils.set_random_seed(recipe.seed)
        model = build(recipe.model, recipe.training, dataset, recipe.task)
        trained = _fit(model, recipe.training, dataset, recipe.task, recipe.seed, stage, reporter, "teacher")
        save_network(model, folder.path / "teacher.keras")
        found = measure_network(model, dataset.test, recipe.task)
        return {
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "steps": trained.steps,
            "task": recipe.task,
            "test": found,
            "classes": list(dataset.classes),
        }

    return folder.once("teacher", work)


class TaskStages:
    """Carries out the stages of a recipe of another task than classification, in the order of the methods."""

    def __init__(
        self, recipe: RunRecipe, data_dir: Path | None, reporter: Reporter, dataset: data.Dataset | None = None
    ):
        self.recipe, self.task, self.reporter = recipe, recipe.task, reporter
        check_names(recipe)
        if recipe.teacher.file:
            self._of_file(Path(recipe.teacher.file))  # opened before images are read, which takes longer
        self.dataset = dataset or load_data(recipe.data, recipe.task, data_dir)
        source = recipe.teacher.train
        self.teacher_data = load_data(source.data, source.task, data_dir) if source else None
        self.folder: RunFolder

    def rehearse(self) -> None:
        """Build everything once, untrained, so that misfits are raised before anything is written."""
        source = self.recipe.teacher.train
        if source and self.teacher_data:
            teacher = build(source.model, source.training, self.teacher_data, self.task)
        else:
            teacher = self._of_file(Path(self.recipe.teacher.file or ""))
        check_outputs(teacher, self.dataset, self.task, "teacher")
        for name in self.recipe.arms:
            student = self._new_student(name)
            if self.recipe.arms[name].objectives:
                # Compiled, since what does not fit a loss is known then.
                self._distiller(name, teacher, student).compile("sgd", loss=loss(self.task))

    def into(self, folder: RunFolder) -> dict[str, Any]:
        """Run every stage that is not done yet; returns the content of `report.json`."""
        self.folder = folder
        source = self.recipe.teacher.train
        if source and self.teacher_data:
            train_teacher(source, self.teacher_data, folder, self.reporter)
        looked = folder.once("teacher-held_out", self._look)
        self.reporter.say(
            f"The teacher has {told(looked['teacher'])} on {len(self.dataset.validation):,} held-out images (answers "
            f"that look at no image: {told(looked['baseline'])})"
        )
        pairs = [(name, seed) for seed in self.recipe.seeds for name in self.recipe.arms]
        for name, seed in pairs:
            folder.once(f"{name}-{seed}", partial(self._train, name, seed))
        for name, seed in pairs:
            folder.once(f"export-{name}-{seed}", partial(self._export, name, seed))
        # Only now the test split is read, and nothing is chosen after it.
        tested = folder.once("test-teacher", self._test_teacher)
        for name, seed in pairs:
            folder.once(f"test-{name}-{seed}", partial(self._test, name, seed))
        self._benchmark()
        content = as_text(self._content(pairs, looked, tested))
        write_json(folder.path / "report.json", content)
        write_metrics(folder, [*(["teacher"] if source else []), *(f"{name}-{seed}" for name, seed in pairs)])
        report.write(folder.path)
        return content

    @cached_property
    def teacher(self) -> keras.Model:
        """The teacher, trained or from its file."""
        return self._of_file(Path(self.recipe.teacher.file or self.folder.path / "teacher.keras"))

    def _of_file(self, path: Path) -> keras.Model:
        return opened_network(path, role="teacher")

    def _look(self, _: Path) -> dict[str, Any]:
        held = self.dataset.validation
        return {
            "teacher": measure_network(self.teacher, held, self.task),
            "baseline": constant(self.dataset.train, held.labels, len(self.dataset.classes), self.task),
        }

    def _new_student(self, name: str) -> keras.Model:
        return build(self.recipe.student, self.recipe.plan(name), self.dataset, self.task)

    def _distiller(self, name: str, teacher: keras.Model, student: keras.Model) -> Distiller:
        arm = self.recipe.arms[name]
        steps = fit.steps_an_epoch(self.recipe.plan(name), len(self.dataset.train))
        return Distiller(
            teacher=teacher,
            student=student,
            objectives={key: with_schedules(one, steps) for key, one in arm.objectives.items()},
            weights={key: fit.schedule(weight, steps) for key, weight in arm.weights.items()},
        )

    def _train(self, name: str, seed: int, stage: Path) -> dict[str, Any]:
        plan, arm = self.recipe.plan(name), self.recipe.arms[name]
        teacher = self.teacher if arm.objectives else None
        keras.utils.set_random_seed(seed)
        student = self._new_student(name)
        model = student if teacher is None else self._distiller(name, teacher, student)
        title = f"{name}, seed {seed}"
        trained = _fit(model, plan, self.dataset, self.task, seed, stage, self.reporter, title)
        save_network(student, self._file(name, seed, ".keras"))
        return {
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "steps": trained.steps,
            "validation": measure_network(student, self.dataset.validation, self.task),
        }

    def _file(self, name: str, seed: int, ending: str) -> Path:
        return self.folder.path / f"{name}-{seed}{ending}"

    def _student(self, name: str, seed: int) -> keras.Model:
        return opened_network(self._file(name, seed, ".keras"), role="student")

    def _export(self, name: str, seed: int, _: Path) -> dict[str, Any]:
        student, sizes = self._student(name, seed), {}
        images = self.dataset.train.some(self.recipe.export.calibration).images
        names = None if self.task == "regression" else list(self.dataset.classes)
        for scheme in self.recipe.export.schemes:
            self.reporter.say(f"convert {name}, seed {seed}, to {scheme}")
            path = self._file(name, seed, f"-{scheme}.tflite")
            shown = images if scheme in INTEGER else None
            sizes[scheme] = tflite.convert(student, path, scheme=scheme, representative=shown, labels=names).bytes
        return {"bytes": sizes}

    def _test_teacher(self, _: Path) -> dict[str, Any]:
        test = self.dataset.test
        return {
            "teacher": measure_network(self.teacher, test, self.task),
            "baseline": constant(self.dataset.train, test.labels, len(self.dataset.classes), self.task),
        }

    def _test(self, name: str, seed: int, _: Path) -> dict[str, Any]:
        self.reporter.say(f"test {name}, seed {seed}")
        test = self.dataset.test
        files = {
            scheme: self._test_file(self._file(name, seed, f"-{scheme}.tflite"), test)
            for scheme in self.recipe.export.schemes
        }
        return {"test": measure_network(self._student(name, seed), test, self.task), "tflite": files}

    def _test_file(self, path: Path, test: Split) -> dict[str, float]:
        threshold = 0.0 if self.task == "multi_label" else None  # students answer with logits
        found = tflite.evaluate(path, (test.images, test.labels), task=self.task, threshold=threshold)
        assert isinstance(found, tflite.TaskEvaluation)
        return found.metrics

    def _benchmark(self) -> None:
        plan = self.recipe.benchmark
        with self.reporter.task("benchmark", len(self.recipe.seeds)) as task:
            for done, seed in enumerate(self.recipe.seeds, start=1):
                schemes = self.recipe.export.schemes
                # The files of a seed are compared with each other: they take turns.
                paths = [self._file(name, seed, f"-{one}.tflite") for name in self.recipe.arms for one in schemes]

                def work(_: Path, paths: list[Path] = paths) -> dict[str, Any]:
                    found = tflite.benchmark(paths, threads=plan.threads, runs=plan.runs, min_seconds=plan.seconds)
                    return {one.path.name: {"median": one.median_ms, "p90": one.p90_ms} for one in found.results}

                self.folder.once(f"benchmark-seed-{seed}", work)
                task.advance_to(done)

    def _content(self, pairs: list[tuple[str, int]], looked: dict[str, Any], tested: dict[str, Any]) -> dict[str, Any]:
        recipe, dataset, source = self.recipe, self.dataset, self.recipe.teacher.train
        return {
            "task": self.task,
            "metric": HEADLINE[self.task],
            "lower_is_better": HEADLINE[self.task] in LOWER_IS_BETTER,
            "recipe": recipe.name,
            "summary": recipe.summary,
            "data": {
                "name": dataset.name,
                "outputs": list(dataset.classes),
                "train": len(dataset.train),
                "validation": len(dataset.validation),
                "test": len(dataset.test),
                "measured_on": recipe.data.measured_on,
            },
            "teacher": {
                "name": source.model.name if source else recipe.teacher.file,
                "parameters": models.parameters(self.teacher),
                "validation": looked["teacher"],
                "test": tested["teacher"],
            },
            "baseline": {"validation": looked["baseline"], "test": tested["baseline"]},
            "students": [self._of_student(name, seed) for name, seed in pairs],
            "command": self.folder.run().get("command", ""),
            **provenance(),
        }

    def _of_student(self, name: str, seed: int) -> dict[str, Any]:
        trained, tested = self.folder.result(f"{name}-{seed}"), self.folder.result(f"test-{name}-{seed}")
        sizes = self.folder.result(f"export-{name}-{seed}")["bytes"]
        latencies = self.folder.result(f"benchmark-seed-{seed}")
        files = [
            {
                "scheme": scheme,
                "file": self._file(name, seed, f"-{scheme}.tflite").name,
                "bytes": sizes[scheme],
                "test": tested["tflite"][scheme],
                "latency_ms": latencies[self._file(name, seed, f"-{scheme}.tflite").name],
            }
            for scheme in self.recipe.export.schemes
        ]
        return {
            "name": name,
            "seed": seed,
            "validation": trained["validation"],
            "test": tested["test"],
            "parameters": models.parameters(self._student(name, seed)),
            "seconds": trained["seconds"],
            "tflite": files,
        }


def _fit(
    model: keras.Model,
    plan: Training,
    dataset: data.Dataset,
    task: str,
    seed: int,
    stage: Path,
    reporter: Reporter,
    title: str,
) -> fit.Trained:
    batches = fit.views(plan, dataset.train, samples=len(dataset.train), seed=seed)
    return fit.fit(
        model,
        plan,
        batches,
        dataset.validation,
        folder=stage,
        reporter=reporter,
        title=title,
        loss=loss(task),
        metrics=[],
    )
