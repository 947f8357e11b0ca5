"""Images of other classes than a model's: which options choose them."""

import keras
import pytest

import tflite
from distiller import models

DIGITS = ["--data", "digits"]


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
    assert errors.endswith("Choose the classes of the images with --classes\n")


def test_the_classes_that_fit_are_taken(command, student):
    fitting = [*DIGITS, "--classes", "3,5,6,8,9"]
    assert command("evaluate", student.with_suffix(".tflite"), *fitting)[0] == 0
    assert command("compare", student, student.with_suffix(".tflite"), *fitting, "--count", "10")[0] == 0


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
