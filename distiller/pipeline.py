"""The stages from a teacher to measured TFLite students, each resumable."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

import tflite
from distiller import bridges, data, models, recipes, report, teachers, training
from distiller.data import InOrder, Split
from distiller.distiller import Distiller
from distiller.errors import InputError
from distiller.folder import RunFolder, write_json
from distiller.progress import Reporter
from distiller.recipes.schema import Arm, Data, FineTuneBridge, Network, ProbeBridge, SubsetBridge, Training
from distiller.summary import summarize, write_metrics


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
    result = _teacher_stage(recipe, dataset, folder, reporter or Reporter())
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
    stages = _Stages(recipe, data_dir, reporter or Reporter())
    stages.rehearse()
    return stages.into(RunFolder.open(out, recipe, resume=resume, force=force))


def load_data(section: Data, data_dir: Path | None) -> data.Dataset:
    """The images that a recipe names."""
    dataset = data.load(section.name, data_dir=data_dir, validation=section.validation, image_size=section.image_size)
    return dataset.only(section.classes) if section.classes else dataset


def new_network(network: Network, plan: Training, dataset: data.Dataset) -> keras.Model:
    """An untrained network for the classes and images of `dataset`, in the precision of `plan`."""
    return models.build(
        network.name, len(dataset.classes), dataset.image_shape, dtype=plan.precision, **network.options
    )


def _teacher_stage(
    recipe: recipes.TrainRecipe, dataset: data.Dataset, folder: RunFolder, reporter: Reporter
) -> dict[str, Any]:
    def work(stage: Path) -> dict[str, Any]:
        keras.utils.set_random_seed(recipe.seed)
        model = new_network(recipe.model, recipe.training, dataset)
        trained = training.fit(
            model,
            recipe.training,
            dataset.train,
            dataset.validation,
            samples=len(dataset.train),
            seed=recipe.seed,
            folder=stage,
            reporter=reporter,
            title="teacher",
        )
        model.save(folder.path / "teacher.keras")
        return {
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "steps": trained.steps,
            "test_accuracy": accuracy(model, dataset.test),
            "classes": list(dataset.classes),
        }

    return folder.once("teacher", work)


class _Stages:
    """The stages of one recipe, in the order of their methods."""

    def __init__(self, recipe: recipes.RunRecipe, data_dir: Path | None, reporter: Reporter):
        self.recipe, self.reporter, self.data_dir = recipe, reporter, data_dir
        self.dataset = load_data(recipe.data, data_dir)
        self.folder: RunFolder

    def rehearse(self) -> None:
        """Build everything once, untrained: what does not fit shows before anything is written."""
        source = self.recipe.teacher.train
        teacher = new_network(source.model, source.training, self.teacher_data) if source else self.teacher
        bridge = self._bridge(teacher)
        if isinstance(bridge, bridges.Fitted):
            bridge = bridges.FineTune()
            bridge.prepare(teacher, len(self.dataset.classes))
        student = new_network(self.recipe.student, self.recipe.training, self.dataset)
        for arm in self.recipe.arms.values():
            if arm.objectives:
                Distiller(
                    teacher=teacher,
                    student=student,
                    objectives=arm.objectives,
                    weights=arm.weights,
                    bridge=bridge,
                )
        self._few_labels(self.recipe.seeds[0])

    def into(self, folder: RunFolder) -> dict[str, Any]:
        """Run every stage that is not done yet."""
        self.folder = folder
        source = self.recipe.teacher.train
        if source:
            _teacher_stage(source, self.teacher_data, folder, self.reporter)
        pairs = [(name, seed) for seed in self.recipe.seeds for name in self.recipe.arms]
        for seed in self.recipe.bridge_seeds:
            self._fit_bridge(seed)
        for name, seed in pairs:
            self._train_student(name, seed)
        for name, seed in pairs:
            self._export(name, seed)
        # Only now the test split is read, and nothing is chosen after it.
        for name, seed in pairs:
            self._test(name, seed)
        self._measure(pairs)
        return self._report(pairs)

    @cached_property
    def teacher_data(self) -> data.Dataset:
        """The images of a teacher that is trained first."""
        source = self.recipe.teacher.train
        assert source is not None
        return load_data(source.data, self.data_dir)

    @cached_property
    def teacher(self) -> keras.Model:
        """The teacher in its own classes."""
        source = self.recipe.teacher
        if source.load:
            return models.load(source.load, dtype=models.card(source.load)["recipe"]["training"]["precision"])
        return teachers.load(source.file or self.folder.path / "teacher.keras")

    def _teacher_classes(self) -> list[str]:
        source = self.recipe.teacher
        if source.load:
            return models.card(source.load)["classes"]
        if source.train:
            return list(self.teacher_data.classes)
        raise InputError("The bridge 'subset' finds classes by name, and a teacher's .keras file has none")

    def _bridge(self, teacher: keras.Model) -> bridges.Bridge | None:
        section = self.recipe.bridge
        match section:
            case None:
                return None
            case SubsetBridge():
                return bridges.Subset(self.dataset.classes, names=self._teacher_classes())
            case ProbeBridge():
                return bridges.Probe(section.strength)
            case FineTuneBridge():
                return bridges.FineTune()

    def _few_labels(self, seed: int) -> Split:
        """The training images with the labels that the student may see."""
        labels = self.recipe.labels
        if labels.per_class is None and labels.fraction in (None, 1.0):
            return self.dataset.train
        return data.hide_labels(
            self.dataset.train, self.recipe.labels_seed(seed), fraction=labels.fraction, per_class=labels.per_class
        )

    def _fit_bridge(self, seed: int) -> None:
        bridge = self._bridge(self.teacher)
        if not isinstance(bridge, bridges.Fitted):
            return

        def work(stage: Path) -> dict[str, Any]:
            keras.utils.set_random_seed(seed)
            labelled = _labelled(self._few_labels(seed))
            classes = len(self.dataset.classes)
            result: dict[str, Any] = {"labelled": len(labelled)}
            if isinstance(bridge, bridges.Probe):
                held = self.dataset.validation
                bridge.fit(self.teacher, (labelled.images, labelled.labels), (held.images, held.labels), classes)
                result["validation_accuracy"] = bridge.accuracy
            else:
                assert isinstance(bridge, bridges.FineTune)
                assert isinstance(self.recipe.bridge, FineTuneBridge)
                trained = self._fit(
                    bridge.prepare(self.teacher, classes),
                    self.recipe.bridge.training,
                    labelled,
                    seed,
                    stage,
                    f"fine-tuned teacher, seed {seed}",
                )
                result |= {
                    "validation_accuracy": trained.last["val_accuracy"],
                    "seconds": trained.seconds,
                    "epochs": trained.epochs,
                }
            assert bridge.network is not None
            bridge.network.save(stage / "network.keras")
            return result

        self.folder.once(f"bridge-{seed}", work)

    def _bridged(self, seed: int) -> tuple[keras.Model, bridges.Bridge | None]:
        """The teacher and the bridge of a seed; a fitted bridge is read from its stage."""
        bridge = self._bridge(self.teacher)
        if isinstance(bridge, bridges.Fitted):
            fitted = self.folder.stage(f"bridge-{self.recipe.labels_seed(seed)}")
            bridge.network = teachers.load(fitted / "network.keras")
        return self.teacher, bridge

    def _fit(
        self, model: keras.Model, plan: Training, train: Split, seed: int, stage: Path, title: str
    ) -> training.Trained:
        return training.fit(
            model,
            plan,
            train,
            self.dataset.validation,
            samples=len(self.dataset.train),
            seed=seed,
            folder=stage,
            reporter=self.reporter,
            title=title,
        )

    def _train_student(self, name: str, seed: int) -> None:
        arm = self.recipe.arms[name]

        def work(stage: Path) -> dict[str, Any]:
            keras.utils.set_random_seed(seed)
            student = new_network(self.recipe.student, self.recipe.training, self.dataset)
            images = self._few_labels(seed)
            if not (arm.objectives and arm.unlabelled):
                images = _labelled(images)
            trained = self._fit(
                self._learner(arm, student, seed),
                self.recipe.training,
                images,
                seed,
                stage,
                f"{name}, seed {seed}",
            )
            student.save(self._file(name, seed, ".keras"))
            return {
                "epochs": trained.epochs,
                "seconds": trained.seconds,
                "steps": trained.steps,
                "images": len(images),
                "labelled": len(_labelled(images)),
            }

        self.folder.once(f"{name}-{seed}", work)

    def _learner(self, arm: Arm, student: keras.Model, seed: int) -> keras.Model:
        if not arm.objectives:
            return student
        teacher, bridge = self._bridged(seed)
        learner = Distiller(
            teacher=teacher, student=student, objectives=arm.objectives, weights=arm.weights, bridge=bridge
        )
        for name, adapter in learner.adapters.items():
            self.reporter.say(f"adapter of {name}: {adapter}")
        return learner

    def _file(self, name: str, seed: int, ending: str) -> Path:
        return self.folder.path / f"{name}-{seed}{ending}"

    def _export(self, name: str, seed: int) -> None:
        def work(_: Path) -> dict[str, Any]:
            student = teachers.load(self._file(name, seed, ".keras"))
            images = self.dataset.train.images[: self.recipe.export.calibration]
            sizes = {}
            for scheme in self.recipe.export.schemes:
                self.reporter.say(f"convert {name}, seed {seed}, to {scheme}")
                path = self._file(name, seed, f"-{scheme}.tflite")
                made = tflite.convert(student, path, scheme=scheme, representative=images if scheme == "int8" else None)
                sizes[scheme] = made.bytes
            return {"bytes": sizes}

        self.folder.once(f"export-{name}-{seed}", work)

    def _test(self, name: str, seed: int) -> None:
        def work(_: Path) -> dict[str, Any]:
            self.reporter.say(f"test {name}, seed {seed}")
            test = self.dataset.test
            student = teachers.load(self._file(name, seed, ".keras"))
            network, bridge = self._bridged(seed)
            taught = (bridge or bridges.Bridge()).teacher(network, len(self.dataset.classes))
            answers, lessons = _logits(student, test), _logits(taught, test)
            files = {}
            for scheme in self.recipe.export.schemes:
                path = self._file(name, seed, f"-{scheme}.tflite")
                parity = tflite.compare(student, path, test.images)
                files[scheme] = {
                    "accuracy": tflite.evaluate(path, (test.images, test.labels)).accuracy,
                    "agreement": parity.agreement,
                    "mean_lsb": parity.mean_lsb,
                }
            return {
                "accuracy": _accuracy(answers, test),
                "teacher_accuracy": _accuracy(lessons, test),
                "agreement": float((answers.argmax(-1) == lessons.argmax(-1)).mean()),
                "tflite": files,
            }

        self.folder.once(f"test-{name}-{seed}", work)

    def _measure(self, pairs: list[tuple[str, int]]) -> None:
        plan = self.recipe.benchmark

        def work(_: Path) -> dict[str, Any]:
            results: dict[str, Any] = {}
            files = [(name, seed, scheme) for name, seed in pairs for scheme in self.recipe.export.schemes]
            with self.reporter.task("benchmark", len(files)) as task:
                for done, (name, seed, scheme) in enumerate(files, start=1):
                    path = self._file(name, seed, f"-{scheme}.tflite")
                    measured = tflite.benchmark(path, threads=plan.threads, runs=plan.runs)
                    results[path.name] = json.loads(measured.to_json())
                    task.advance_to(done)
            return results

        self.folder.once("benchmark", work)

    def _report(self, pairs: list[tuple[str, int]]) -> dict[str, Any]:
        content = summarize(self.recipe, self.dataset, self.folder, self.teacher)
        write_json(self.folder.path / "report.json", content)
        trained = ["teacher"] if self.recipe.teacher.train else []
        stages = [f"bridge-{seed}" for seed in self.recipe.bridge_seeds]
        trained += [stage for stage in stages if self.folder.stage(stage).exists()]
        write_metrics(self.folder, [*trained, *(f"{name}-{seed}" for name, seed in pairs)])
        report.write(self.folder.path)
        return content


def _labelled(split: Split) -> Split:
    return split.take(np.flatnonzero(split.labels != data.UNLABELLED))


def _logits(model: keras.Model, split: Split) -> np.ndarray:
    return model.predict(InOrder(split), verbose=0)


def _accuracy(logits: np.ndarray, split: Split) -> float:
    return float((logits.argmax(-1) == split.labels).mean())


def accuracy(model: keras.Model, split: Split) -> float:
    """The share of a labelled split that `model` gets right, a fraction."""
    return _accuracy(_logits(model, split), split)
