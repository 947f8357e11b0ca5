"""Arms that go on with another arm's student, quantization-aware."""

import json

import keras
import numpy as np
import pytest

import tflite
from distiller import recipes, teachers
from distiller.errors import InputError
from distiller.runs import pipeline

SMALL = """
kind: run
summary: quantization-aware arms
data: {name: digits, classes: ["3", "5", "6", "8", "9"]}
teacher:
  train:
    kind: train
    summary: all digits
    data: {name: digits}
    model: {name: wide, options: {widths: [8, 8], stem: 4}}
    training: {epochs: 2, steps_per_epoch: 8}
bridge: {name: subset}
student: {name: wide, options: {widths: [8, 8], stem: 4}}
training: {epochs: 4, batch_size: 32}
arms:
  aware:
    start: distilled
    quantize: {scheme: int8}
    training: {epochs: 1, learning_rate: 0.01}
    objectives: {soft: {name: hinton}}
  aware_alone: {start: distilled, quantize: {}, training: {epochs: 1, learning_rate: 0.01}}
  longer: {start: distilled, training: {epochs: 1, learning_rate: 0.001}}
  distilled: {objectives: {soft: {name: hinton}}}
export: {schemes: [float32, int8], calibration: 50}
benchmark: {runs: 2, seconds: 0}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aware")
    (folder / "aware.yaml").write_text(SMALL)
    report = pipeline.run(recipes.read_run(folder / "aware.yaml"), folder / "out")
    return folder / "out", report


def test_a_quantization_aware_student_has_the_file_it_was_trained_for(run):
    _, report = run
    files = {}
    for file in report["tflite"]:
        files.setdefault(file["student"], []).append(file["scheme"])
    both = ["float32", "int8"]
    assert files == {"aware": ["int8"], "aware_alone": ["int8"], "longer": both, "distilled": both}


def test_the_budget_is_the_recipes_though_another_arm_is_first(run):
    _, report = run
    steps = report["data"]["train"] // 32
    budget = report["budget"]
    assert (budget["steps"], budget["batch_size"], budget["epochs"]) == (4 * steps, 32, 4)
    own = {"steps": steps, "batch_size": 32, "epochs": 1, "start": "distilled"}
    assert budget["others"] == [{"student": name, **own} for name in ("aware", "aware_alone", "longer")]


def test_its_file_computes_with_integers_and_agrees_with_it(run):
    folder, report = run
    assert tflite.inspect(folder / "aware-0-int8.tflite").is_integer
    for name in ("aware", "aware_alone"):
        (file,) = (f for f in report["tflite"] if f["student"] == name)
        assert file["agreement"] >= 0.99


def test_it_goes_on_with_the_other_student(run):
    folder, _ = run
    first = teachers.load(folder / "distilled-0.keras")
    names = {layer.name for layer in first.layers}
    later = keras.saving.load_model(folder / "longer-0.keras")
    kernels = [
        (first.get_layer(n).kernel, later.get_layer(n).kernel) for n in names if "kernel" in dir(first.get_layer(n))
    ]
    change = max(float(np.abs(np.subtract(*map(np.asarray, pair))).max()) for pair in kernels)
    assert 0 < change < 0.1
    start = json.loads((folder / "stages" / "longer-0" / "result.json").read_text())["epochs"][0]
    fresh = json.loads((folder / "stages" / "distilled-0" / "result.json").read_text())["epochs"][0]
    assert start["loss"] < 0.5 * fresh["labels"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("arms.aware.start=distiled", "Did you mean 'distilled'"),
        ("arms.aware.start=aware_alone", "computes in floating point"),
        ("arms.distilled.start=longer", "does not go on with this one"),
        ("arms.aware.quantize={scheme: int7}", "int8"),
        ("arms.aware.quantize={exclude: [conv99]}", "conv99"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    (tmp_path / "aware.yaml").write_text(SMALL)
    with pytest.raises((InputError, tflite.ModelError), match=message):
        pipeline.run(recipes.read_run(tmp_path / "aware.yaml", [change]), tmp_path / "out")
    assert not (tmp_path / "out").exists()
