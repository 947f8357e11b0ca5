"""`distiller evaluate` and `distiller compare` of files of other tasks, and of several inputs and outputs."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import CliRunner

import tflite
from distiller.cli.entry import app

RNG = np.random.default_rng(0)
SENSOR = RNG.normal(size=(40, 5)).astype("float32")
WORDS = RNG.integers(0, 9, (40, 4)).astype("int32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of two inputs and two outputs, its file, and one output of it alone, with arrays for each."""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("tasks")
    sensor, words = keras.Input((5,), name="sensor"), keras.Input((4,), dtype="int32", name="words")
    x = layers.concatenate([layers.Dense(4)(sensor), layers.Flatten()(layers.Embedding(9, 3)(words))])
    model = keras.Model([sensor, words], [layers.Dense(2, name="size")(x), layers.Dense(3, name="kind")(x)])
    model.save(folder / "two.keras")
    tflite.convert(model, folder / "two.tflite")
    size, kind = model.predict([SENSOR, WORDS], verbose=0)
    kinds = np.where(RNG.random(40) < 0.3, 0, kind.argmax(-1))
    arrays = {"x_test/sensor": SENSOR, "x_test/words": WORDS, "y_test/size": size + 1, "y_test/kind": kinds}
    np.savez(folder / "two.npz", **arrays)
    one = keras.Model(sensor, layers.Dense(3, activation="sigmoid", name="marks")(sensor))
    one.save(folder / "one.keras")
    tflite.convert(one, folder / "one.tflite")
    marks = (one.predict(SENSOR, verbose=0) + RNG.normal(0, 0.2, (40, 3)) > 0.6).astype(int)
    np.savez(folder / "one.npz", x_test=SENSOR, y_test=marks)
    return folder


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_several_labels(folder):
    given = ("--data", folder / "one.npz", "--task", "multi_label", "--threshold", 0.6)
    found = json.loads(run("evaluate", folder / "one.tflite", *given, "--json"))
    one = keras.models.load_model(folder / "one.keras")
    guesses, truth = one.predict(SENSOR, verbose=0) > 0.6, np.load(folder / "one.npz")["y_test"] == 1
    right = 2 * (guesses & truth).sum() / (guesses.sum() + truth.sum())
    assert 0 < right < 1
    assert found["metrics"]["f1_micro"] == pytest.approx(right)
    told = run("compare", folder / "one.keras", folder / "one.tflite", *given)
    assert "Same decisions: 100.00% on 40 samples, a yes above 0.6" in told
    assert f"f1_micro: file {right:.4g}, Keras model {right:.4g}" in told


def test_several_inputs_and_outputs(folder):
    told = run("evaluate", folder / "two.tflite", "--data", folder / "two.npz")
    arrays = np.load(folder / "two.npz")
    model = keras.models.load_model(folder / "two.keras")
    _, kind = model.predict([SENSOR, WORDS], verbose=0)
    accuracy = (kind.argmax(-1) == arrays["y_test/kind"]).mean()
    assert "size: mae 1, rmse 1 on 40 test samples" in told
    assert f"kind: accuracy {accuracy:.4g} on 40 test samples" in told
    told = run("compare", folder / "two.keras", folder / "two.tflite", "--data", folder / "two.npz")
    assert "mae: file 1, Keras model 1" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "cifar10", "--task", "regression"), "of a file of arrays (.npz)"),
        (("--data", "cifar10", "--threshold", "0.5"), "--threshold with --task binary"),
        (("--data", "one.npz", "--task", "regression", "--split", "train"), "x_train and y_train"),
    ],
)
def test_options_that_fit_nothing(words, message, folder, monkeypatch):
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["evaluate", "one.tflite", *words])
    assert result.exit_code != 0
    assert message in " ".join((str(result.exception) + result.output).split())
