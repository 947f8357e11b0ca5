"""Arms of a recipe that differ in their bridges, optimiser, images and stored answers, at a tiny size."""

import json

import keras
import numpy as np
import pytest
import yaml
from scipy.special import softmax

from distiller import recipes, teachers
from distiller.errors import InputError
from distiller.runs import pipeline
from distiller.runs.folder import RunFolder
from distiller.runs.stages import RunStages
from distiller.utils.progress import Reporter

SMALL = """
kind: run
summary: every kind of arm
data: {name: digits, classes: ["3", "5", "6", "8", "9"]}
labels: {per_class: 5, seed: 0}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits}
    model: {name: wide, options: {widths: [8, 8], stem: 4}}
    training: {epochs: 2, steps_per_epoch: 8}
bridge: {name: subset}
student: {name: wide, options: {widths: [4, 4], stem: 4}}
training: {epochs: 2, batch_size: 32, steps_per_epoch: 3, crop: 1}
cache: {views: 7, dtype: float32, layers: true}
seeds: [1]
arms:
  hard_labels: {}
  mixed_labels: {training: {mixing: {name: cutmix}}}
  soft: {objectives: {soft: {name: hinton}}, weights: {soft: {end: 1.0, epochs: 1}}}
  dot: {objectives: {soft: {name: hinton, temperature: {start: 8.0, end: 2.0, epochs: 2}}}, training: {dot: 0.05}}
  mixed: {objectives: {soft: {name: hinton}}, training: {mixing: {name: mixup, alpha: 0.5}}}
  features:
    objectives: {hint: {name: hint, teacher_layer: stage2, student_layer: stage2}}
    weights: {hint: 0.01}
    bridge: {name: none}
  memory:
    objectives:
      pairs: {name: contrastive, teacher_layer: features, student_layer: features, negatives: memory, samples: 900}
    weights: {pairs: 0.01}
  both:
    objectives: {soft: {name: hinton}, own: {name: hinton}}
    bridges:
      soft: {name: fine_tune, training: {epochs: 1, steps_per_epoch: 2}}
      own: {name: auxiliary_head}
  probe: {objectives: {soft: {name: hinton}}, bridge: {name: probe}}
  ensemble:
    objectives: {soft: {name: hinton}}
    bridge:
      name: ensemble
      members: [{name: fine_tune, training: {epochs: 1, steps_per_epoch: 2}}, {name: probe}, {name: subset}]
  transport: {objectives: {soft: {name: hinton}}, bridge: {name: transport}}
  class_map:
    objectives: {soft: {name: hinton}}
    bridge: {name: class_map, groups: {"3": ["3", "2"], "5": ["5"], "6": ["6", "0"], "8": ["8"], "9": ["9", "4", "7"]}}
export: {schemes: [float32], calibration: 20}
benchmark: {runs: 2, seconds: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arms")
    (folder / "arms.yaml").write_text(SMALL)
    recipe = recipes.read_run(folder / "arms.yaml")
    stages = RunStages(recipe, None, Reporter())
    stages.rehearse()
    stages.train(RunFolder.open(folder / "out", recipe, resume=False, force=False))
    return folder / "out"


def result(run, stage):
    return json.loads((run / "stages" / stage / "result.json").read_text())


def test_every_arm_ends_with_a_student(run):
    arms = yaml.safe_load(SMALL)["arms"]
    for arm in arms:
        student = keras.saving.load_model(run / f"{arm}-1.keras")
        assert student.output_shape == (None, 5)
        assert all(np.isfinite(epoch["loss"]) for epoch in result(run, f"{arm}-1")["epochs"])


def test_a_bridge_is_fitted_for_the_seed_of_the_labels(run):
    fitted = sorted(path.name for path in (run / "stages").glob("bridge-*"))
    assert fitted == ["bridge-fine_tune-0", "bridge-probe-0", "bridge-transport-0"]


def test_answers_are_stored_once_for_arms_that_share_them(run):
    """subset (of two arms), the same with a layer, probe, ensemble, transport, class map, the two of `both`, a map."""
    assert len(list((run / "cache").iterdir())) == 9
    stored = {arm for arm in yaml.safe_load(SMALL)["arms"] if result(run, f"{arm}-1")["cached"]}
    assert stored == {"soft", "dot", "probe", "ensemble", "transport", "class_map", "both", "features", "memory"}


def test_students_saw_the_images_that_their_recipe_says(run):
    assert result(run, "hard_labels-1")["images"] == 25
    assert result(run, "soft-1")["images"] > 500


def test_a_ramp_is_followed(run):
    """The weight of the soft targets is 0, 1/3 and 2/3 in the first epoch, and 1 after it."""
    first, second = result(run, "soft-1")["epochs"]
    assert second["loss"] == pytest.approx(second["labels"] + second["soft"], rel=1e-4)
    assert first["loss"] < first["labels"] + 0.9 * first["soft"]


def test_the_teacher_of_an_arm_is_the_one_behind_its_bridge(run):
    """The class map adds the probabilities of its groups; what has other classes is no reference for accuracies."""
    recipe = recipes.read_run(run.parent / "arms.yaml")
    stages, folder = RunStages(recipe, None, Reporter()), RunFolder.open(run, recipe, resume=True, force=False)
    stages.prepare(folder)
    images = stages.dataset.test.images[:20]
    p = softmax(np.asarray(teachers.load(run / "teacher.keras")(images)), axis=-1)
    groups = [[3, 2], [5], [6, 0], [8], [9, 4, 7]]
    mapped = stages.trainer.reference("class_map", 1, folder)
    found, added = softmax(np.asarray(mapped(images)), axis=-1), np.stack([p[:, group].sum(-1) for group in groups], -1)
    np.testing.assert_allclose(found, added / added.sum(-1, keepdims=True), rtol=1e-4)  # the 1 is in no group
    alone = stages.trainer.reference("soft", 1, folder)
    own = p[:, [3, 5, 6, 8, 9]]
    found = softmax(np.asarray(alone(images)), axis=-1)
    np.testing.assert_allclose(found, own / own.sum(-1, keepdims=True), rtol=1e-4)
    assert stages.trainer.reference("features", 1, folder) is None


def test_a_run_of_features_alone_needs_no_bridge_and_has_no_teachers_accuracy(tmp_path):
    """Also with the teacher's classes in an auxiliary head: the report has neither accuracy nor agreement."""
    content = yaml.safe_load(SMALL)
    content |= {"bridge": {"name": "none"}, "training": {"epochs": 1, "steps_per_epoch": 2}}
    head = {"bridge": {"name": "auxiliary_head"}, "objectives": {"own": {"name": "hinton"}}}
    content["arms"] = {"features": content["arms"]["features"], "head": head}
    (tmp_path / "features.yaml").write_text(yaml.safe_dump(content))
    report = pipeline.run(recipes.read_run(tmp_path / "features.yaml"), tmp_path / "out")
    assert report["teacher"]["accuracy"] is None
    assert [student["agreement"] for student in report["students"]] == [None] * 2
    page = (tmp_path / "out" / "report.html").read_text()
    assert "what is compared are layers" in page
    assert "The teacher has other classes" in page


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        (["3", "5", "6"], ["6", "5", "3"], "another order: class 0 is '3' there and '6' here.* a bridge: subset"),
        (["3", "5", "6"], ["3", "5", "8"], "other classes than the student: class 2 is '6' there and '8' here"),
        (["3", "5", "6"], ["3", "5", "6"], None),
    ],
)
def test_as_many_classes_of_other_names_need_a_bridge(tmp_path, theirs, ours, message):
    content = yaml.safe_load(SMALL)
    content["bridge"] = None
    content["data"]["classes"] = ours
    content["teacher"]["train"]["data"]["classes"] = theirs
    taught = content["arms"]
    content["arms"] = {"soft": taught["soft"]}
    (tmp_path / "soft.yaml").write_text(yaml.safe_dump(content))
    stages = RunStages(recipes.read_run(tmp_path / "soft.yaml"), None, Reporter())
    if message is None:
        stages.rehearse()
    else:
        with pytest.raises(InputError, match=message):
            stages.rehearse()
    content["arms"] = {"features": taught["features"], "probe": taught["probe"]}
    (tmp_path / "others.yaml").write_text(yaml.safe_dump(content))
    stages = RunStages(recipes.read_run(tmp_path / "others.yaml"), None, Reporter())
    stages.rehearse()
    # A teacher of other classes is never right: it has no accuracy in the student's.
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    reference = stages._student_trainer(network).reference("features", 1, RunFolder(tmp_path))
    assert (reference is not None) == (message is None)


def test_names_that_are_not_known_need_no_bridge(tmp_path):
    """A teacher's file has no names, and images without names have numbers; those of known names need one."""
    generator = np.random.default_rng(0)
    images = {"x_train": generator.integers(0, 256, (60, 8, 8, 1), "uint8"), "y_train": np.arange(60) % 3}
    names = {"words": {"classes": ["ant", "bee", "cat"]}, "others": {"classes": ["ant", "bee", "dog"]}, "numbers": {}}
    for name, classes in names.items():
        np.savez(tmp_path / f"{name}.npz", **images, **classes)
    content = yaml.safe_load(SMALL)
    content |= {"bridge": None, "labels": {}, "arms": {"soft": content["arms"]["soft"]}}
    refused = {}
    for theirs, ours in (("words", "numbers"), ("numbers", "words"), ("others", "words"), (None, "words")):
        content["data"] = {"name": str(tmp_path / f"{ours}.npz")}
        if theirs:
            content["teacher"]["train"]["data"] = {"name": str(tmp_path / f"{theirs}.npz")}
        else:
            layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
            keras.Sequential(layers).save(tmp_path / "teacher.keras")
            content["teacher"] = {"file": str(tmp_path / "teacher.keras")}
        (tmp_path / "soft.yaml").write_text(yaml.safe_dump(content))
        try:
            RunStages(recipes.read_run(tmp_path / "soft.yaml"), None, Reporter()).rehearse()
        except InputError as error:
            refused[theirs] = str(error)
    assert refused.keys() == {"others"}
    assert "class 2 is 'dog' there and 'cat' here" in refused["others"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("arms.probe.bridge={name: subset, classes: 3}", "classes"),
        ("arms.dot.training={dott: 0.1}", "Did you mean 'dot'"),
        ("arms.dot.training={epochs: 0}", "arms.dot.training.epochs"),
        ("arms.both.bridges={sft: {name: probe}}", "Did you mean 'soft'"),
        ("arms.class_map.bridge={name: class_map}", "exactly one of groups, file and known"),
        ("arms.class_map.bridge={name: class_map, groups: {'3': ['33']}}", "Unknown class"),
        ("cache={cycles: 1}", "Did you mean 'cycle'"),
        ("cache={top_k: 5}", "Expected 1 to 4, or None for all 5"),
        ("arms.soft.objectives.soft.temperature={start: 4, end: 1}", "soft.temperature.epochs: Field required"),
        ("arms.probe.objectives.soft.teacher_layer=3", "Expected names of layers. Received: teacher_layer=3"),
        ("arms.ensemble.bridge.members=[{name: probe}, {name: probe}]", "members that differ"),
        ("arms.memory.objectives.pairs.samples=9", "ids 0 … 8 for the 9 samples that objective .pairs. remembers"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    (tmp_path / "arms.yaml").write_text(SMALL)
    with pytest.raises(InputError, match=message):
        pipeline.run(recipes.read_run(tmp_path / "arms.yaml", [change]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
