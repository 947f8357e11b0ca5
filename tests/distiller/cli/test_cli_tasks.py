"""`distiller distill` and `diagnose` of photos with numbers in a CSV file."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Grey photos whose number is their brightness and a little more, and a teacher that says the brightness."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(48):
        level = int(rng.integers(0, 256))
        Image.fromarray(np.full((8, 8, 3), level, "uint8")).save(folder / "photos" / f"{i}.png")
        rows.append(f"{i}.png,{level / 255 + rng.normal() / 20:.4f}\n")
    (folder / "photos" / "light.csv").write_text("image,light\n" + "".join(rows))
    inputs = keras.Input((8, 8, 3))
    head = layers.Dense(1)
    keras.Model(inputs, head(layers.GlobalAveragePooling2D()(inputs))).save(folder / "unused.keras")
    teacher = keras.Model(inputs, head(layers.GlobalAveragePooling2D()(inputs)))
    head.set_weights([np.full((3, 1), 1 / 765), np.zeros(1)])
    teacher.save(folder / "teacher.keras")
    code = """
import keras
from keras import layers


def student(classes, input_shape):
    pixels = keras.Input(input_shape)
    return keras.Model(pixels, layers.Dense(classes)(layers.Flatten()(layers.Rescaling(1 / 255)(pixels))))
"""
    (folder / "nets.py").write_text(code)
    return folder


def test_numbers_of_a_file_are_distilled(place, command):
    code, out, errors = command(
        *("distill", place / "teacher.keras", place / "photos", "--student", f"{place / 'nets.py'}:student"),
        *("--task", "regression", "--label-file", "light.csv", "--epochs", 3, "--optimizer", "adamw"),
        *("--learning-rate", 0.01, "--scheme", "int8", "--size", 8, "--out", place / "run"),
    )
    assert code == 0, errors
    assert "MAE" in out
    assert "lower is better" in " ".join(out.split())
    report = json.loads((place / "run" / "report.json").read_text())
    assert report["data"]["outputs"] == ["light"]
    assert 0 < report["teacher"]["test"]["mae"] < 0.1 < report["baseline"]["test"]["mae"] < 1


def test_a_teacher_of_numbers_is_diagnosed(place, command):
    asked = ("diagnose", "--data", place / "photos", "--task", "regression", "--label-file", "light.csv", "--size", 8)
    code, out, _ = command(*asked, place / "teacher.keras", "--json")
    found = json.loads(out)
    assert (code, found["concerns"]) == (0, [])
    assert 0 < found["teacher"]["mae"] < found["baseline"]["mae"]
    code, out, _ = command(*asked, place / "unused.keras")
    assert code == 0
    assert "no better than that of an answer that looks at no image" in " ".join(out.split())


def test_options_of_other_tasks_are_refused(place, command):
    code, _, errors = command("diagnose", place / "teacher.keras", "--data", "digits", "--label-file", "light.csv")
    assert code == 2
    assert "Expected --task multi_label, regression or segmentation" in " ".join(errors.split())
    code, _, errors = command(
        *("distill", place / "teacher.keras", place / "photos", "--student", f"{place / 'nets.py'}:student"),
        *("--task", "regression", "--label-file", "light.csv", "--quantization-aware", "--out", place / "aware"),
    )
    assert code == 2
    assert "expected none with the task regression" in " ".join(errors.split())
