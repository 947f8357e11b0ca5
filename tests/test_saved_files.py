"""Files of the first version, made at commit aebdf7c, load, answer and go on as they did there."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import tflite
from distiller import Distiller, data, recipes, teachers
from distiller.runs import pipeline

SAVED = Path(__file__).parent / "saved_files" / "0.1.0"
EXPECTED = json.loads((SAVED / "expected.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    with np.load(SAVED / "images.npz") as found:
        return found["images"], found["labels"]


@pytest.mark.parametrize("name", ["distiller", "mutual", "mean_teacher"])
def test_a_saved_training_goes_on_with_the_same_losses(name, arrays):
    assert Distiller, teachers.Mutual  # their classes are registered when they are imported
    images, labels = arrays
    model = keras.saving.load_model(SAVED / f"{name}.keras")
    labels = np.abs(labels) if name == "mutual" else labels
    history = model.fit(images, labels, batch_size=16, epochs=1, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], EXPECTED[name], rtol=1e-5)


@pytest.mark.parametrize("name", ["aware", "tfmot", "pruned", "clustered"])
def test_a_saved_network_answers_as_it_did(name, arrays):
    model = tflite.load_model(SAVED / f"{name}.keras")
    np.testing.assert_allclose(np.asarray(model(arrays[0][:4])), EXPECTED[name], atol=1e-5)


def test_a_stored_cache_is_read_for_its_teacher(arrays):
    split = data.Split(arrays[0][:12].astype("uint8"), np.arange(12, dtype="int32") % 3)
    teacher = keras.saving.load_model(SAVED / "teacher.keras")
    augmentation = data.Augmentation(crop=1, flip=True)
    cache = teachers.Cache(SAVED / "cache", teacher, layers=["features"])
    views = augmentation(split.images, augmentation.draws(0, 1, len(split))).astype("float32")
    found = cache.build(split, augmentation, passes=2, batch_size=8).rows(1, np.arange(12))
    np.testing.assert_allclose(found["features"], teacher_features(teacher, views), rtol=2e-3, atol=1e-4)


def teacher_features(teacher, views):
    return np.asarray(keras.Model(teacher.input, teacher.get_layer("features").output)(views, training=False))


def test_an_interrupted_run_is_resumed_to_the_same_student(tmp_path):
    shutil.copytree(SAVED / "run", tmp_path / "run")
    recorded = json.loads((SAVED / "run" / "run.json").read_text())["recipe"]
    pipeline.run(recipes.RunRecipe.model_validate(recorded), tmp_path / "run", resume=True)
    weights = keras.saving.load_model(tmp_path / "run" / "distilled-3.keras").get_weights()
    np.testing.assert_allclose([float(np.abs(w).sum()) for w in weights], EXPECTED["run"], rtol=1e-4)
