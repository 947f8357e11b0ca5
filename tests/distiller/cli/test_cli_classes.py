"""Images of other classes than a model's: which options choose them."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import distiller
import tflite
from distiller import data, models

DIGITS = ["--data", "digits"]
COARSE = "cifar100_coarse"
GROUPS = yaml.safe_load((Path(distiller.__file__).parent / "data" / "hierarchies" / f"{COARSE}.yaml").read_text())


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A network of five classes and its file."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("student")
    network = models.build("wide", 5, (8, 8, 1), widths=(8,), stem=4)
    network.save(folder / "student.keras")
    tflite.convert(network, folder / "student.tflite")
    return folder / "student.keras"


@pytest.mark.parametrize(("classes", "number"), [([], 10), (["--classes", "3,5"], 2)])
@pytest.mark.parametrize("name", ["evaluate", "compare", "diagnose"])
def test_a_model_of_other_classes_is_refused(command, student, name, classes, number):
    files = {"evaluate": [".tflite"], "compare": [".keras", ".tflite"], "diagnose": [".keras"]}[name]
    code, out, errors = command(name, *(student.with_suffix(ending) for ending in files), *DIGITS, *classes)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    received = f"Received: {str(student.with_suffix(files[-1]))!r} with 5. "
    assert f"Expected a model of {number} classes, as in 'digits'. {received}" in errors
    assert errors.endswith("Choose the classes of the images with --classes, or their groups with --groups\n")


def test_the_classes_that_fit_are_taken(command, student):
    fitting = [*DIGITS, "--classes", "3,5,6,8,9"]
    assert command("evaluate", student.with_suffix(".tflite"), *fitting)[0] == 0
    assert command("compare", student, student.with_suffix(".tflite"), *fitting, "--count", "10")[0] == 0


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    """A network and its file, which has the names of the groups."""
    folder = tmp_path_factory.mktemp("coarse")
    network = models.build("wide", 20, (8, 8, 1), widths=(8,), stem=4)
    network.save(folder / "coarse.keras")
    tflite.convert(network, folder / "coarse.tflite", labels=list(GROUPS))
    return folder / "coarse.keras"


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """Eight images of every class, of which four are test images."""
    path = tmp_path_factory.mktemp("fine") / "cifar100.npz"
    images = np.random.default_rng(0).integers(0, 256, (800, 8, 8), "uint8")
    labels = np.arange(400) % 100
    arrays = {"x_train": images[:400], "y_train": labels, "x_test": images[400:], "y_test": labels}
    np.savez(path, classes=sorted(name for members in GROUPS.values() for name in members), **arrays)
    return path


class TestGroups:
    """Images of CIFAR-100's classes, and a model of its twenty superclasses."""

    def test_are_the_classes_of_evaluate(self, command, coarse, fine):
        told = command("evaluate", coarse.with_suffix(".tflite"), "--data", fine, "--groups", COARSE, "--json")
        assert told[0] == 0, told[2]
        with np.load(fine) as arrays:
            names = arrays["classes"][arrays["y_test"]].tolist()
            group = {member: place for place, members in enumerate(GROUPS.values()) for member in members}
            answers = keras.saving.load_model(coarse).predict(arrays["x_test"][..., None].astype("float32"), verbose=0)
        expected = np.mean(answers.argmax(-1) == [group[name] for name in names])
        assert json.loads(told[1])["samples"] == 400
        assert json.loads(told[1])["accuracy"] == pytest.approx(expected, abs=1 / 400)

    def test_of_other_commands(self, command, coarse, fine, tmp_path):
        images = ["--data", fine, "--groups", COARSE]
        assert command("compare", coarse, coarse.with_suffix(".tflite"), *images)[0] == 0
        made = tmp_path / "int8.tflite"
        told = command("convert", coarse, made, "--scheme", "int8", *images, "--count", 20, "--labels", "data")
        assert told[0] == 0, told[2]
        assert tflite.labels(made) == tuple(GROUPS)
        assert command("diagnose", coarse, *images, "--samples", 2, "--draws", 2)[0] == 0

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--groups", COARSE, "--classes", "apple,bear"], "Expected one of --classes and --groups. Received both"),
            (["--groups", "cifar100_corse"], "Did you mean 'cifar100_coarse'?"),
            ([], "with 20. Choose the classes of the images with --classes, or their groups with --groups"),
        ],
    )
    def test_what_does_not_fit(self, command, coarse, fine, options, message):
        code, _, errors = command("evaluate", coarse.with_suffix(".tflite"), "--data", fine, *options)
        assert (code, message in errors) == (2, True)

    def test_of_quantize(self, command, coarse, fine, tmp_path, monkeypatch):
        """With the share that is held out: one of the four images of a class, five classes a group."""
        asked = []
        found = {"bytes": 1, "images": 1, "before": 0.5, "after": 0.5, "agreement": 1.0}
        monkeypatch.setattr("distiller.runs.quantization.quantize", lambda *given, **_: asked.append(given[2]) or found)
        images = ["--data", fine, "--groups", COARSE, "--held-out", 0.25]
        assert command("quantize", coarse, tmp_path / "a.tflite", *images)[0] == 0
        assert asked[0].classes == tuple(GROUPS)
        np.testing.assert_array_equal(np.bincount(asked[0].validation.labels), [5] * 20)


@pytest.mark.parametrize(("options", "share"), [([], 0.1), (["--held-out", "0.05"], 0.05)])
def test_the_validation_images_are_those_that_were_held_out(command, student, options, share):
    split = ["--split", "validation", "--classes", "3,5,6,8,9", *options]
    code, out, _ = command("evaluate", student.with_suffix(".tflite"), *DIGITS, *split, "--json")
    held = data.load("digits", validation=share).only(["3", "5", "6", "8", "9"]).validation
    assert (code, json.loads(out)["samples"]) == (0, len(held))


def test_a_teacher_of_other_classes(command, student, tmp_path):
    code, _, errors = command("distill", student, "resnet8", *DIGITS, "--out", tmp_path / "out")
    assert code == 2
    assert "The teacher has 5 classes and the student 10. Choose a --bridge, or --classes" in errors
    code, _, errors = command(
        "run", "demo", "--set", "bridge=null", "--set", "student={name: resnet8}", "--out", tmp_path / "out"
    )
    assert code == 2
    assert "The teacher has 10 classes and the student 5. Give the recipe a bridge, such as bridge.name=" in errors
    assert not (tmp_path / "out").exists()
