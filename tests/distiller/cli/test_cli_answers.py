"""`distiller answers`: a cache for Python and for recipes, gone on with where it is called again."""

import json

import keras
import numpy as np
import pytest

from distiller import data, models, recipes, teachers
from distiller.networks.feature_extraction import LOGITS
from distiller.runs.folder import RunFolder
from distiller.runs.stages import RunStages
from distiller.utils.progress import Reporter

RECIPE = """
kind: run
summary: a student that learns from answers that are there
data: {{name: digits}}
teacher: {{file: "{teacher}"}}
student: {{name: wide, options: {{widths: [4, 4], stem: 4}}}}
training: {{epochs: 2, batch_size: 32, steps_per_epoch: 3, crop: 1, learning_rate: 0.05}}
cache: {{folder: "{folder}", dtype: float32, cycle: 1}}
arms:
  soft: {{objectives: {{soft: {{name: hinton}}}}}}
"""


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "teacher.keras"
    models.build("wide", 10, (8, 8, 1), widths=[4, 4], stem=4).save(path)
    return path


@pytest.fixture
def call(command, teacher, tmp_path):
    def make(*more):
        options = ("--data", "digits", "--crop", 1, "--dtype", "float32", "--shard", 400, "--out", tmp_path / "answers")
        return command("answers", teacher, *options, *more)

    return make


def test_are_those_of_the_teacher_to_the_views(call, tmp_path, teacher):
    code, output, errors = call("--layer", "stage2")
    assert code == 0, errors
    assert "1 passes" in output
    assert "1,211 of 1,211 answers" in errors
    network, split = teachers.load(teacher), data.load("digits").train
    cache = teachers.Cache(tmp_path / "answers", network, ["stage2"], dtype="float32")
    views = data.Augmentation(crop=1)
    samples = np.arange(400, 1211, 90)
    images = views(split.images[samples], views.draws(0, 0, len(split))[samples]).astype("float32")
    watched = keras.Model(network.input, [network.output, network.get_layer("stage2").output])
    for name, expected in zip((LOGITS, "stage2"), watched(images, training=False), strict=True):
        np.testing.assert_allclose(cache.rows(0, samples)[name], expected, rtol=1e-4, atol=1e-5)


def test_are_gone_on_with_and_read_by_a_recipe(call, tmp_path, teacher, monkeypatch):
    assert call()[0] == 0
    (tmp_path / "answers" / "pass-0000" / "00002.npy").unlink()
    there = {path: path.stat().st_ino for path in (tmp_path / "answers").rglob("*.npy")}
    code, output, errors = call("--json")
    assert code == 0, errors
    assert json.loads(output)["passes"] == 1
    now = {path: path.stat().st_ino for path in (tmp_path / "answers").rglob("*.npy")}
    assert now.items() > there.items()
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(teacher=teacher, folder=tmp_path / "answers"))
    monkeypatch.setattr("distiller.teachers.caching.building.answers", lambda *_: pytest.fail("computed again"))
    recipe = recipes.read_run(path)
    stages = RunStages(recipe, None, Reporter())
    stages.train(RunFolder.open(tmp_path / "run", recipe, resume=False, force=False))
    assert (tmp_path / "run" / "soft-0.keras").exists()
    assert not (tmp_path / "run" / "cache").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--processes", 2), "Expected --ray with --processes"),
        (("--out", "s3://bucket/answers"), "Received: s3://bucket/answers. Copy a finished folder to such a place"),
        (("--augment", "RandomSomething"), "RandomSomething"),
    ],
)
def test_of_an_impossible_call(call, tmp_path, more, message):
    code, _, errors = call(*more)
    assert code == 2
    assert message in errors.replace("\n", " ")
    assert not (tmp_path / "answers").exists()


def test_of_another_teacher_are_refused(call, command, tmp_path, teacher):
    assert call()[0] == 0
    other = teachers.load(teacher)
    other.layers[-1].bias.assign(np.arange(10.0))
    other.save(tmp_path / "other.keras")
    options = ("--data", "digits", "--crop", 1, "--dtype", "float32", "--out", tmp_path / "answers")
    code, _, errors = command("answers", tmp_path / "other.keras", *options)
    assert code == 2
    assert "was built for something else. What differs: teacher's weights" in errors
