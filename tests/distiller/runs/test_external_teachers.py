"""Runs whose teacher is an ONNX file, a TFLite file, or a function."""

import json

import numpy as np
import pytest
from support.onnx_files import classifier
from typer.testing import CliRunner

import tflite
from distiller import data, models, recipes
from distiller.cli.entry import app
from distiller.errors import InputError
from distiller.runs import pipeline

TINY = [
    "seeds=[0]",
    "training.epochs=2",
    "training.steps_per_epoch=3",
    "student={name: wide, options: {widths: [4, 4], stem: 4}}",
    "export={schemes: [int8], calibration: 40, teacher: true}",
    "benchmark={runs: 5, seconds: 0}",
    "bridge=null",
]


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """Images of three plain colours with noise, as a file of arrays."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = np.full((90, 8, 8, 3), 60.0)
    images[np.arange(90), ..., labels] += 120
    images += random.normal(0, 20, images.shape)
    path = tmp_path_factory.mktemp("colours") / "colours.npz"
    images = np.clip(images, 0, 255).astype("uint8")
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:],
             classes=["red", "green", "blue"])  # fmt: skip
    return path


def ran(colours, teacher, out, *changes):
    asked = recipes.read_run(
        "demo", [*TINY, f"data={{name: {colours}, validation: 0.2}}", f"teacher={teacher}", *changes]
    )
    kept = {name: asked.arms[name] for name in ("hard_labels", "distilled")}
    return pipeline.run(asked.model_copy(update={"arms": kept}), out)


def test_an_onnx_file_teaches(colours, tmp_path):
    """The mean of each colour is its logit: right for every image."""
    path = classifier(tmp_path / "colours.onnx", np.eye(3) * 0.1)
    report = ran(colours, f"{{file: {path}, external: {{classes: [red, green, blue]}}}}", tmp_path / "run", "cache={}")
    assert report["teacher"]["name"] == "colours"
    assert report["teacher"]["accuracy"] == 1.0
    assert report["teacher"]["parameters"] is None
    assert {student["name"] for student in report["students"]} == {"hard_labels", "distilled"}
    result = json.loads((tmp_path / "run" / "stages" / "distilled-0" / "result.json").read_text())
    assert result["cached"] is True
    page = (tmp_path / "run" / "report.html").read_text()
    assert "There is no file made of the teacher, which is none of Keras" in page


def test_classes_in_another_order_are_refused(colours, tmp_path):
    path = classifier(tmp_path / "colours.onnx", np.eye(3) * 0.1)
    with pytest.raises(InputError, match="order"):
        ran(colours, f"{{file: {path}, external: {{classes: [blue, green, red]}}}}", tmp_path / "run")
    with pytest.raises(InputError, match="expected 3 names"):
        ran(colours, f"{{file: {path}, external: {{classes: [blue, green]}}}}", tmp_path / "run")


def test_a_tflite_file_and_a_function_teach_the_same_student(colours, tmp_path):
    """The student of a file is that of a function which answers with the same file."""
    network = models.build("wide", 3, (8, 8, 3), widths=(4, 4), stem=4)
    images = data.load(str(colours)).train.images
    path = tflite.convert(network, tmp_path / "teacher.tflite", scheme="int8", representative=images).path
    code = tmp_path / "answers.py"
    code.write_text(
        "from tflite.model_file.interpreter import Runner\n"
        f"run = Runner({str(path)!r})\n"
        "def answer(images):\n    return run(images.round().astype('uint8'))\n"
    )
    students = []
    for number, teacher in enumerate((f"{{file: {path}}}", f"{{function: '{code}:answer'}}")):
        out = tmp_path / f"run{number}"
        ran(colours, teacher, out, "arms.distilled.bridge=null")
        students.append(models.build(str(out / "distilled-0.keras"), 3, (8, 8, 3)).get_weights())
    for one, other in zip(*students, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_command_takes_one(colours, tmp_path):
    path = classifier(tmp_path / "colours.onnx", np.eye(3) * 0.1)
    call = ["distill", str(path), str(colours), "--student", "resnet8", "--option", "width=4", "--epochs", "1"]
    done = CliRunner().invoke(app, [*call, "--scheme", "int8", "--alone", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / "distilled-0-int8.tflite").exists()


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        ("{file: none.onnx}", "The teacher file 'none.onnx' does not exist"),
        ("{function: 'none.py:answer'}", "The Python file 'none.py' does not exist"),
        ("{file: t.keras, external: {image_size: 8}}", "expected external with an .onnx or .tflite file"),
        ("{file: t.onnx, frozen: true}", "frozen is of a Keras teacher"),
        ("{file: t.onnx, function: 'a.py:b'}", "expected exactly one of load, file, function, outputs and train"),
        ("{file: t.onnx, external: {preprocessing: imagenet}}", "preprocessing"),
    ],
)
def test_recipes_that_cannot_be(teacher, message, colours, tmp_path):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        ran(colours, teacher, tmp_path / "run")
    assert not (tmp_path / "run").exists()
