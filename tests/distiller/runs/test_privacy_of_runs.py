"""The audit of a finished run, held against scikit-learn on the networks that the run saved."""

import json

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score
from support.made_reports import folder_of, made

import tflite
from distiller import data, privacy, recipes
from distiller.errors import InputError
from distiller.runs.privacy import audit_run
from tflite.model_file.interpreter import Runner

CLASSES = ["3", "5", "6", "8", "9"]


def network(classes):
    """A network that nobody trained: what it gives away is chance, and chance is a number too."""
    keras.utils.set_random_seed(classes)
    pixels = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(classes)(flat))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of the packaged demo, as far as an audit reads it."""
    out = folder_of(tmp_path_factory.mktemp("audited"), made(hard=[0.9], distilled=[0.9]))
    recipe = recipes.read_run("demo", ["seeds=[3]", "export.schemes=[int8]"])
    plain = {name: recipe.arms[name] for name in ("hard_labels", "distilled")}
    kept = recipe.model_copy(update={"arms": plain}).model_dump(mode="json")
    (out / "run.json").write_text(json.dumps({"recipe": kept}))
    images = data.load("digits").only(CLASSES).train.images[:50]
    network(10).save(out / "teacher.keras")
    for name in plain:
        network(5).save(out / f"{name}-3.keras")
        tflite.convert(network(5), out / f"{name}-3-int8.tflite", scheme="int8", representative=images)
    return out


@pytest.fixture(scope="module")
def found(finished):
    audited = audit_run(finished, resamples=20)
    return {(one.network, one.scheme, one.members_of): one.audit for one in audited.networks}


def area(answer, members, others):
    """AUC of the loss attack, by scikit-learn and SciPy."""
    scores = [
        log_softmax(np.asarray(answer(part.images), "float64"), axis=1)[np.arange(len(part)), part.labels]
        for part in (members, others)
    ]
    return roc_auc_score(np.r_[np.ones(len(members)), np.zeros(len(others))], np.concatenate(scores))


def test_networks_and_whose_images_their_members_are(found):
    """Hard labels see 25 images; the teacher saw all of the training's, and students with a teacher do too."""
    train = data.load("digits").only(CLASSES).train
    assert {key: audit.members for key, audit in found.items()} == {
        ("teacher", None, "teacher"): len(data.load("digits").train),
        ("hard_labels", None, "student"): 25,
        ("hard_labels", None, "teacher"): len(train) - 25,
        ("hard_labels", "int8", "student"): 25,
        ("hard_labels", "int8", "teacher"): len(train) - 25,
        ("distilled", None, "student"): len(train),
        ("distilled", "int8", "student"): len(train),
    }


def test_areas_are_those_of_the_saved_networks(found, finished):
    digits = data.load("digits").only(CLASSES)
    seen = data.hide_labels(digits.train, 3, per_class=5, drop=True)
    hidden = digits.train.take(np.flatnonzero(data.hide_labels(digits.train, 3, per_class=5).labels < 0))
    network = keras.saving.load_model(finished / "hard_labels-3.keras")
    runner = Runner(finished / "distilled-3-int8.tflite")
    teacher, all_digits = keras.saving.load_model(finished / "teacher.keras"), data.load("digits")

    def keras_answers(model):
        return lambda images: model.predict(images.astype("float32"), verbose=0)

    for key, answer, members, others in (
        (("hard_labels", None, "student"), keras_answers(network), seen, digits.test),
        (("hard_labels", None, "teacher"), keras_answers(network), hidden, digits.test),
        (("distilled", "int8", "student"), runner, digits.train, digits.test),
        (("teacher", None, "teacher"), keras_answers(teacher), all_digits.train, all_digits.test),
    ):
        got = found[key]
        assert got.attacks[0].area.value == pytest.approx(area(answer, members, others), abs=2e-4), key
        assert got.others == len(others)
        right = np.asarray(answer(members.images)).argmax(axis=1) == members.labels
        assert got.member_accuracy == pytest.approx(right.mean(), abs=1e-9)


def test_the_command_writes_a_table_and_a_figure(finished, command):
    code, out, _ = command("privacy", finished, "--resamples", "10", "--count", "200")
    assert code == 0
    assert "An audit bounds nothing from above" in out
    assert "25 of its own" in out
    assert "200 of its teacher" in out
    assert "images is none: members are found there that score above every other image" in out
    page = (finished / "report.html").read_text()
    assert page.count("An audit bounds nothing from above") == 1
    assert '<h2 id="privacy">Privacy</h2>' in page
    assert (finished / "figures" / "privacy.png").stat().st_size > 5000
    saved = privacy.RunAudit.from_json((finished / "privacy.json").read_text())
    assert {one.audit.members for one in saved.networks if one.network == "distilled"} == {200}


def test_folders_that_have_no_run(tmp_path, finished):
    with pytest.raises(InputError, match="holds no run"):
        audit_run(tmp_path)
    (finished / "privacy.json").write_text(json.dumps({"networks": 1}))
    from distiller.report.privacy import read

    with pytest.raises(InputError, match=r"privacy.json' cannot be read: .* Remove the file"):
        read(finished)
    (finished / "privacy.json").unlink()
