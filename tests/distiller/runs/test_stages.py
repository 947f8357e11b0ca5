"""What the stages of a run hand on: which networks, images, labels and files, with stand-ins for what takes time."""

import csv
import json
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.given import record

import tflite
from distiller import data, models, recipes, teachers
from distiller.runs.folder import RunFolder
from distiller.runs.stages import RunStages
from distiller.utils.progress import Reporter

CLASSES = ["3", "5", "6", "8", "9"]
ARMS = ["hard_labels", "aware", "adapted", "soft"]
RECIPE = """
kind: run
summary: stages
data: {name: digits, classes: ["3", "5", "6", "8", "9"], validation: 0.1}
labels: {per_class: 4}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits, validation: 0.2}
    model: {name: wide, options: {widths: [8], stem: 4}}
    training: {epochs: 1, batch_size: 64}
    seed: 5
  frozen: true
bridge: {name: subset}
student: {name: wide, options: {widths: [4], stem: 4}}
training: {epochs: 1, batch_size: 100}
seeds: [1, 2]
arms:
  hard_labels: {}
  aware: {start: soft, quantize: {}}
  adapted: {objectives: {soft: {name: hinton}}, bridge: {name: fine_tune, training: {epochs: 3}}}
  soft: {objectives: {soft: {name: hinton}}}
export: {schemes: [float32, int8], calibration: 30, teacher: true}
benchmark: {threads: 2, runs: 7, seconds: 0}
"""


class Tools:
    """In place of the converter, the interpreter and the benchmark: notes what they are asked, in order."""

    def __init__(self, patch):
        self.converted, self.evaluated, self.compared = {}, {}, {}
        self.benchmarks, self.twins, self.frozen, self.matched = [], [], [], []
        for name in ("convert", "evaluate", "compare", "benchmark"):
            patch.setattr(tflite, name, getattr(self, name))
        patch.setattr(teachers, "frozen", self.freeze)
        patch.setattr(tflite, "match_runtime", self.matched.append)
        patch.setattr(sys.modules[RunStages.__module__], "explain", self.explain)

    def freeze(self, network, *, images):
        self.frozen.append(images)
        return network

    def convert(self, model, path, **options):
        assert not self.evaluated, "the test split is read before the last file is made"
        self.converted[path.name] = (model, options)
        path.write_bytes(b"a file")
        return SimpleNamespace(bytes=6)

    def evaluate(self, path, split, task):
        assert task == "classification"
        self.evaluated[path.name] = split
        return SimpleNamespace(accuracy=0.25)

    def compare(self, model, path, images):
        self.compared[path.name] = (model, images)
        return SimpleNamespace(agreement=0.75, mean_lsb=0.5)

    def benchmark(self, paths, **options):
        self.benchmarks.append(([path.name for path in paths], options))
        return SimpleNamespace(results=[])

    def explain(self, results, twins):
        self.twins.append({file.name: twin.name for file, twin in twins.items()})
        return results


def solve(given):
    """In place of a training: the last layer by least squares, so that answers differ and some are right."""
    network, split = getattr(given.model, "student", given.model), given.batches.split
    some = split.take(np.flatnonzero(split.labels >= 0)[:100])
    features = keras.Model(network.input, network.get_layer("features").output)(some.images.astype("float32"))
    last = network.get_layer("logits")
    wanted = np.eye(last.units)[some.labels]
    last.set_weights([np.linalg.lstsq(np.asarray(features), wanted, rcond=1e-3)[0], np.zeros(last.units)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    (folder / "stages.yaml").write_text(RECIPE)
    recipe = recipes.read_run(folder / "stages.yaml")
    with pytest.MonkeyPatch.context() as patch:
        trained, tools = record(patch, then=solve), Tools(patch)
        of_stages = sys.modules[RunStages.__module__]
        patch.setattr(of_stages, "summarize", lambda *_: {"students": "as summarized"})
        patch.setattr(of_stages.report, "write", lambda folder: None)
        stages = RunStages(recipe, None, Reporter())
        found = stages.into(RunFolder.open(folder / "out", recipe, resume=False, force=False))
    return SimpleNamespace(path=folder / "out", trained=trained, tools=tools, found=found)


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", validation=0.1).only(CLASSES)


def result(run, stage):
    return json.loads((run.path / "stages" / stage / "result.json").read_text())


def answers(file, split):
    return np.asarray(teachers.load(file)(split.images.astype("float32")))


def lessons(run, arm, seed, split):
    """What the teacher of an arm says: its own five columns, or what a copy with five outputs says."""
    if arm == "adapted":
        return answers(run.path / "stages" / f"bridge-fine_tune-{seed}" / "network.keras", split)
    return answers(run.path / "teacher.keras", split)[:, [3, 5, 6, 8, 9]]


def test_students_are_trained_after_those_that_they_go_on_with(run):
    arms = ["hard_labels", "soft", "aware", "adapted"]
    bridges = [f"bridge-fine_tune-{seed}" for seed in (1, 2)]
    assert list(run.trained) == ["teacher", *bridges, *(f"{arm}-{seed}" for seed in (1, 2) for arm in arms)]
    assert run.found == json.loads((run.path / "report.json").read_text()) == {"students": "as summarized"}


def test_the_log_has_the_epochs_of_every_training_in_the_order_of_the_arms(run):
    with (run.path / "metrics.csv").open(newline="") as file:
        rows = [(row["stage"], float(row["epoch"]), float(row["val_accuracy"])) for row in csv.DictReader(file)]
    bridges = [(f"bridge-fine_tune-{seed}", epoch, 0.375 + epoch / 8) for seed in (1, 2) for epoch in (1, 2, 3)]
    assert rows == [("teacher", 1, 0.5), *bridges, *((f"{arm}-{seed}", 1, 0.5) for seed in (1, 2) for arm in ARMS)]


def test_one_that_goes_on_begins_with_the_trained_student_of_its_seed(run):
    for seed in (1, 2):
        start, before = run.trained[f"soft-{seed}"].model.student.get_weights(), run.trained[f"aware-{seed}"].before
        assert all(any(one.shape == part.shape and np.allclose(one, part) for one in before) for part in start)


def test_quantization_aware_students_are_matched_to_the_runtime(run):
    assert run.tools.matched == [run.trained[f"aware-{seed}"].model for seed in (1, 2)]


def test_frozen_teachers_are_checked_on_the_validation_split(run, digits):
    """The teacher, and the copy of each seed that has the students' classes."""
    assert len(run.tools.frozen) == 3
    for images in run.tools.frozen:
        np.testing.assert_array_equal(images, digits.validation.images)


def test_stages_say_what_they_were_shown(run):
    for seed in (1, 2):
        shown = {arm: result(run, f"{arm}-{seed}") for arm in ARMS}
        assert {arm: one["labelled"] for arm, one in shown.items()} == dict.fromkeys(ARMS, 20)
        images = {"hard_labels": 20, "aware": 20, "soft": 605, "adapted": 605}
        assert {arm: one["images"] for arm, one in shown.items()} == images
        adapted = result(run, f"bridge-fine_tune-{seed}")
        assert (adapted["labelled"], adapted["validation_accuracy"], len(adapted["epochs"])) == (20, 0.75, 3)


def test_a_teacher_begins_with_its_seed_and_is_tested_on_its_own_images(run):
    keras.utils.set_random_seed(5)
    fresh = models.build("wide", 10, (8, 8, 1), widths=[8], stem=4)
    whole, found = data.load("digits", validation=0.2), result(run, "teacher")
    own = teachers.load(run.path / "teacher.keras")
    for one, other in zip(own.get_weights()[:-2], fresh.get_weights()[:-2], strict=True):  # the last layer is solved
        np.testing.assert_array_equal(one, other)
    for split, expected in (("batches", whole.train), ("held_out", whole.validation)):
        np.testing.assert_array_equal(getattr(run.trained["teacher"], split).split.images, expected.images)
    right = answers(run.path / "teacher.keras", whole.test).argmax(-1) == whole.test.labels
    assert 0 < right.mean() < 1
    assert found["test_accuracy"] == pytest.approx(right.mean())
    assert found["classes"] == [str(digit) for digit in range(10)]


def test_every_scheme_of_every_student_is_made_from_training_images(run, digits):
    """Thirty from all over the split; a quantization-aware student, and floating point, need none."""
    schemes = {arm: ["int8"] if arm == "aware" else ["float32", "int8"] for arm in ARMS}
    files = [f"{arm}-{seed}-{scheme}.tflite" for seed in (1, 2) for arm in ARMS for scheme in schemes[arm]]
    assert list(run.tools.converted) == [*files, "teacher-int8.tflite"]
    some = digits.train.images[np.arange(30) * len(digits.train) // 30]
    for name, (model, options) in run.tools.converted.items():
        arm, scheme = name.split("-")[0], name.removesuffix(".tflite").split("-")[-1]
        assert (options["scheme"], options["labels"]) == (scheme, CLASSES)
        if arm == "aware" or scheme == "float32":
            assert options["representative"] is None
        else:
            np.testing.assert_array_equal(options["representative"], some)
        if arm != "teacher":
            student = run.trained["-".join(name.split("-")[:2])].model
            weights = getattr(student, "student", student).get_weights()
            for one, other in zip(model.get_weights(), weights, strict=True):
                np.testing.assert_array_equal(one, other)


def test_the_teachers_own_file_is_of_the_one_behind_the_recipes_bridge(run, digits):
    """Not of the one behind the bridge of a single arm, though that arm comes first."""
    teacher, _ = run.tools.converted["teacher-int8.tflite"]
    found = np.asarray(teacher(digits.test.images.astype("float32"))).argmax(-1)
    expected, other = (lessons(run, arm, 1, digits.test).argmax(-1) for arm in ("soft", "adapted"))
    np.testing.assert_array_equal(found, expected)
    assert (expected != other).any()


def test_files_are_held_against_their_student_on_the_test_split(run, digits):
    assert list(run.tools.evaluated) == list(run.tools.compared) == list(run.tools.converted)
    for name, (images, labels) in run.tools.evaluated.items():
        model, compared = run.tools.compared[name]
        for one, other in ((images, digits.test.images), (labels, digits.test.labels), (compared, images)):
            np.testing.assert_array_equal(one, other)
        for one, other in zip(model.get_weights(), run.tools.converted[name][0].get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert result(run, "test-aware-1")["tflite"] == {"int8": {"accuracy": 0.25, "agreement": 0.75, "mean_lsb": 0.5}}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("arm", ["hard_labels", "soft", "adapted"])
def test_accuracies_are_of_the_test_split_and_the_arms_own_teacher(run, digits, arm, seed):
    found, test = result(run, f"test-{arm}-{seed}"), digits.test
    student = answers(run.path / f"{arm}-{seed}.keras", test).argmax(-1)
    teacher = lessons(run, arm, seed, test).argmax(-1)
    expected = {
        "accuracy": (student == test.labels).mean(),
        "teacher_accuracy": (teacher == test.labels).mean(),
        "agreement": (student == teacher).mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert all(0.05 < value < 0.95 for value in expected.values())
    assert len(set(expected.values())) > 1


def test_the_teachers_are_looked_at_on_the_validation_split(run, digits):
    found, held = result(run, "teacher-held_out")["teachers"], digits.validation
    assert (found["hard_labels"], found["aware"]) == (None, None)
    for arm in ("soft", "adapted"):
        right = lessons(run, arm, 1, held).argmax(-1) == held.labels
        assert found[arm]["accuracy"] == pytest.approx(right.mean())
        assert found[arm]["images"] == len(held)


def test_the_files_of_a_seed_take_turns(run):
    files = [name for name in run.tools.converted if not name.startswith("teacher")]
    asked = {"threads": 2, "runs": 7, "min_seconds": 0}
    assert run.tools.benchmarks == [
        ([*(name for name in files if "-1-" in name), "teacher-int8.tflite"], asked),
        ([name for name in files if "-2-" in name], asked),
    ]


def test_an_integer_file_stands_beside_the_floating_point_that_it_came_from(run):
    assert run.tools.twins == [
        {
            **{
                f"{arm}-{seed}-int8.tflite": f"{arm}-{seed}-float32.tflite"
                for arm in ("hard_labels", "soft", "adapted")
            },
            f"aware-{seed}-int8.tflite": f"soft-{seed}-float32.tflite",
        }
        for seed in (1, 2)
    ]
