"""A folder of photos and a teacher for images of any size: to a report, also after an interruption."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import tflite
from distiller import models, recipes
from distiller.errors import InputError
from distiller.runs import pipeline


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Thirty dark and thirty bright photos, a fifth of them with the other's label, and a teacher of brightness."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for code, name in enumerate(("bright", "dark")):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(30):
            middle = (190, 60)[code if i % 5 else 1 - code]
            image = np.clip(rng.normal(middle, 20, (12, 12, 3)), 0, 255).astype("uint8")
            Image.fromarray(image).save(folder / "photos" / name / f"{i}.png")
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", kernel_initializer="ones")(inputs)
    head = keras.layers.Dense(2)
    teacher = keras.Model(inputs, head(keras.layers.GlobalAveragePooling2D()(x)), name="any_size")
    # Inner places see 27 pixels of a colour, so that the mean of these maps is some 24 times that of the pixels.
    middle = 24 * 125.0
    head.set_weights([np.array([[1.0, -1.0]] * 4) / 4000, np.array([-middle, middle]) / 1000])
    teacher.save(folder / "teacher.keras")
    return folder


def asked(place, **changes):
    arm = {"objectives": {"soft": {"name": "hinton"}}, "weights": {"labels": 0.1, "soft": 0.9}}
    content = {
        "kind": "run",
        "summary": "Photos",
        "data": {"name": str(place / "photos"), "image_size": [12, 12]},
        "teacher": {"file": str(place / "teacher.keras")},
        "student": {"name": "wide", "options": {"widths": [8, 8], "stem": 4}},
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.02},
        "arms": {"distilled": arm},
        "export": {"schemes": ["int8"], "teacher": True},
        "benchmark": {"runs": 5, "seconds": 0},
    }
    return recipes.checked(content | changes, "photos", kind="run")


@pytest.fixture(scope="module")
def run(place):
    pipeline.run(asked(place), place / "run")
    return place / "run"


def test_it_ends_with_a_report(run, place):
    report = json.loads((run / "report.json").read_text())
    teacher = keras.saving.load_model(place / "teacher.keras")
    assert report["teacher"]["multiply_adds"] == 12 * 12 * 27 * 4 + 4 * 2
    assert report["teacher"]["parameters"] == teacher.count_params()
    seen = report["teacher"]["held_out"]
    # Four images are too few to tell anything from chance.
    assert (seen["images"], seen["chance"], seen["cause"]) == (report["data"]["validation"], 0.5, None)
    assert 0.5 < report["teacher"]["accuracy"] < 1  # a fifth of the labels is wrong


def test_the_teachers_own_file_is_in_the_table(run):
    report = json.loads((run / "report.json").read_text())
    (file,) = report["teacher"]["tflite"]
    path = run / file["file"]
    assert (path.name, file["bytes"]) == ("teacher-int8.tflite", path.stat().st_size)
    assert tflite.inspect(path).inputs[0].shape == (1, 12, 12, 3)
    assert tflite.inspect(path).is_integer
    assert file["accuracy"] == pytest.approx(report["teacher"]["accuracy"], abs=0.15)
    assert file["latency_ms"]["median"] > 0
    assert "any_size" in (page := (run / "report.html").read_text())
    assert "teacher-int8.tflite" in page


def test_a_resumed_run_is_the_same(run, place):
    before = (run / "report.json").read_text()
    pipeline.run(asked(place), run, resume=True)
    assert (run / "report.json").read_text() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": {"name": "resnet9"}}, "Did you mean 'resnet8'"),
        ({"student": {"name": "resnet8", "options": {"widht": 3}}}, "Unknown option 'widht'. Did you mean 'width'"),
        ({"teacher": {"load": "wide_cifar10"}}, "Did you mean 'wide_cifar100'"),
        ({"teacher": {"file": "none.keras"}}, "'none.keras' does not exist"),
        ({"arms": {"distilled": {"objectives": {"soft": {"name": "hintn"}}}}}, "Did you mean 'hinton'"),
    ],
)
def test_names_are_checked_before_photos_are_read(place, tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr("distiller.data.load", lambda *_, **__: pytest.fail("photos are read"))
    with pytest.raises(InputError, match=message):
        pipeline.run(asked(place, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_student_that_is_misspelt_is_told_before_photos_are_read(command, place, tmp_path, monkeypatch):
    monkeypatch.setattr("distiller.data.load", lambda *_, **__: pytest.fail("photos are read"))
    call = ["distill", place / "teacher.keras", "resnt8", "--data", place / "photos", "--out", tmp_path / "run"]
    code, _, errors = command(*call)
    assert code == 2
    assert "Did you mean 'resnet8'" in errors
    assert "takes images of any size: those in" in errors


def test_a_teacher_that_cannot_be_converted_ends_no_run(place, tmp_path, monkeypatch):
    def convert(model, path, **options):
        if Path(path).name.startswith("teacher"):
            raise tflite.ConversionError("no kernel for it\nand more")
        return real(model, path, **options)

    real = tflite.convert
    monkeypatch.setattr(tflite, "convert", convert)
    report = pipeline.run(
        asked(place, arms={"distilled": asked(place).arms["distilled"].model_dump()}), tmp_path / "run"
    )
    assert report["teacher"]["no_file"] == "There is no int8 file of the teacher: no kernel for it"
    assert "tflite" not in report["teacher"]
    assert "no kernel for it" in (tmp_path / "run" / "report.html").read_text()


def test_packaged_networks_are_known():
    models.check("resnet8", {"width": 8, "reduction": 2})
