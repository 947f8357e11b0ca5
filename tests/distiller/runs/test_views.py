"""A teacher of large colour photos and a small grey student: one view, of which each gets its own."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import tflite
from distiller import data, models, recipes, teachers
from distiller.runs import pipeline, views


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photos of 24 pixels, bright and dark, and a teacher of 24 pixels that tells brightness."""
    folder = tmp_path_factory.mktemp("views")
    rng = np.random.default_rng(0)
    for code, name in enumerate(("bright", "dark")):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(24):
            image = np.clip(rng.normal((190, 60)[code], 20, (24, 24, 3)), 0, 255).astype("uint8")
            Image.fromarray(image).save(folder / "photos" / name / f"{i}.png")
    pixels = keras.Input((24, 24, 3))
    head = keras.layers.Dense(2, name="logits")
    teacher = keras.Model(pixels, head(keras.layers.GlobalAveragePooling2D(name="pooled")(pixels)), name="large")
    head.set_weights([np.array([[1.0, -1.0]] * 3) / 60, np.array([-125.0, 125.0]) / 20])
    teacher.save(folder / "teacher.keras")
    return folder


def asked(place, **changes):
    arm = {
        "objectives": {
            "soft": {"name": "hinton"},
            "near": {"name": "similarity_preserving", "teacher_layer": "pooled", "student_layer": "features"},
        },
        "weights": {"labels": 0.1, "soft": 0.9, "near": 1.0},
    }
    content = {
        "kind": "run",
        "summary": "Views",
        "data": {"name": str(place / "photos"), "image_size": 12},
        "teacher": {"file": str(place / "teacher.keras")},
        "student": {"name": "wide", "options": {"widths": [8, 8], "stem": 4}, "colours": "grey"},
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.02, "crop": 2, "flip": True},
        "arms": {
            "hard_labels": {},
            "distilled": arm,
            "aware": {**arm, "start": "distilled", "quantize": {"scheme": "int8"}},
        },
        "cache": {"layers": True},
        "export": {"schemes": ["int8"], "teacher": False},
        "benchmark": {"runs": 5, "seconds": 0},
    }
    return recipes.checked(content | changes, "views", kind="run")


@pytest.fixture(scope="module")
def run(place):
    return pipeline.run(asked(place), place / "run"), place / "run"


def test_the_student_takes_small_grey_images(run, place):
    report, folder = run
    student = teachers.load(folder / "distilled-0.keras")
    assert student.input_shape == (None, 12, 12, 1)
    for name in ("hard_labels", "distilled", "aware"):
        found = tflite.inspect(folder / f"{name}-0-int8.tflite")
        assert found.inputs[0].shape == (1, 12, 12, 1)
    of_student = {each["name"]: each for each in report["students"]}["distilled"]
    assert of_student["parameters"] == student.count_params()
    # Its accuracy is that on the test photos, read anew, made small and grey by Pillow.
    large = data.load(str(place / "photos"), image_size=(24, 24)).test
    small = np.stack([np.asarray(Image.fromarray(image).convert("L").resize((12, 12), 2)) for image in large.images])
    right = student.predict(small[..., None].astype("float32"), verbose=0).argmax(-1) == large.labels
    assert of_student["accuracy"] == pytest.approx(right.mean(), abs=0.13)


def test_the_teacher_sees_large_colour_images(run):
    report, folder = run
    assert report["teacher"]["accuracy"] == 1.0
    result = json.loads((folder / "stages" / "distilled-0" / "result.json").read_text())
    assert result["cached"] is True


def test_the_views_are_drawn_at_the_larger_size(place):
    assert views.views_section(asked(place)).image_size == (24, 24)
    assert views.load_views(asked(place), None).image_shape == (24, 24, 3)
    larger = asked(place, data={"name": str(place / "photos"), "image_size": 32})
    assert views.views_section(larger).image_size == (32, 32)
    digits = asked(place, data={"name": "digits"}, teacher={"load": "wide_cifar100", "image_size": 32})
    assert views.views_section(digits) == digits.data  # of these there are no larger ones


def test_images_of_the_student_are_rounded_pixels(place):
    large = views.load_views(asked(place), None)
    small = views.as_student(large, asked(place))
    assert small.image_shape == (12, 12, 1)
    assert small.train.images.dtype == np.uint8
    expected = np.asarray(Image.fromarray(large.train.images[0]).convert("L"), float).reshape(12, 2, 12, 2).mean((1, 3))
    # Both average pixels; the antialiased filter reaches a little further.
    assert np.abs(small.train.images[0, ..., 0] - expected).mean() < 6
    np.testing.assert_array_equal(small.train.labels, large.train.labels)


def test_a_teacher_enlarges_images_that_have_one_size(tmp_path):
    """Digits of 8 pixels, and a teacher of 16."""
    models.build("wide", 10, (16, 16, 1), widths=(4, 4), stem=4).save(tmp_path / "teacher.keras")
    changes = [
        "seeds=[0]",
        "training.epochs=1",
        "training.steps_per_epoch=2",
        "bridge=null",
        f"teacher={{file: {tmp_path / 'teacher.keras'}, image_size: 16}}",
        "data={name: digits}",
        "student={name: wide, options: {widths: [4, 4], stem: 4}}",
        "export={schemes: [int8]}",
        "benchmark={runs: 5, seconds: 0}",
    ]
    recipe = recipes.read_run("demo", changes)
    recipe = recipe.model_copy(update={"arms": {"distilled": recipe.arms["distilled"]}})
    pipeline.run(recipe, tmp_path / "run")
    assert teachers.load(tmp_path / "run" / "distilled-0.keras").input_shape == (None, 8, 8, 1)
