"""The examples run, at a tiny size, and write the files that they speak of."""

import json
import re
import runpy
from pathlib import Path

import keras
import matplotlib
import numpy as np
import pytest
from PIL import Image

import tflite
from distiller import data

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run an example in a folder of its own; returns what it printed last."""

    def call(name, *arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.strip().splitlines()

    return call


def test_digits(run, tmp_path):
    *_, alone, distilled = run("digits.py", "--epochs", 1, "--width", 4)
    images = data.load("digits").only(["3", "5", "6", "8", "9"]).test
    for name, line in {"hard_labels": alone, "distilled": distilled}.items():
        accuracy = float(re.search(r"accuracy ([\d.]+)%", line)[1]) / 100
        found = tflite.evaluate(tmp_path / f"{name}.tflite", (images.images, images.labels)).accuracy
        assert accuracy == pytest.approx(found, abs=1e-4)
        assert tflite.inspect(tmp_path / f"{name}.tflite").is_integer


def test_own_photos(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype="uint8")).save(
                tmp_path / "photos" / name / f"{number}.png"
            )
    inputs = keras.Input((16, 16, 3))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    keras.Model(inputs, keras.layers.Dense(2)(features)).save(tmp_path / "teacher.keras")
    *_, file, agreement = run(
        "own_photos.py", "photos", "--teacher", "teacher.keras", "--student", "resnet8", "--size", 16, "--epochs", 1
    )
    assert file.startswith("student.tflite: ")
    assert agreement.endswith("of 16 photos")
    assert tflite.labels(tmp_path / "student.tflite") == ("cat", "dog")
    assert list((tmp_path / "logs").rglob("events*"))


def test_quantize_application(run, tmp_path):
    *_, file, agreement = run("quantize_application.py", "--size", 32, "--images", 64, "--epochs", 1)
    assert file.endswith("integer: True")
    assert float(re.search(r"on ([\d.]+)% of", agreement)[1]) > 90


def test_the_notebook(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    cells = json.loads((EXAMPLES / "start.ipynb").read_text())["cells"]
    names = {"__name__": "notebook"}
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace("EPOCHS = 6", "EPOCHS = 1").replace("width=8", "width=2")
            exec(compile(source, "start.ipynb", "exec"), names)
    assert set(names["files"]) == {"hard_labels", "distilled"}
    assert tflite.inspect(tmp_path / "distilled.tflite").is_integer
