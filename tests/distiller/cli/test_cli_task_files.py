"""`distiller evaluate` and `distiller compare` of files of other tasks, and of several inputs and outputs."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from typer.testing import CliRunner

import tflite
from distiller.cli import arrays
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
    named = {"x_test/sensor": SENSOR, "x_test/words": WORDS, "y_test/size": size + 1, "y_test/kind": kinds}
    np.savez(folder / "two.npz", **named)
    one = keras.Model(sensor, layers.Dense(3, activation="sigmoid", name="marks")(sensor))
    one.save(folder / "one.keras")
    tflite.convert(one, folder / "one.tflite")
    marks = (one.predict(SENSOR, verbose=0) + RNG.normal(0, 0.2, (40, 3)) > 0.6).astype(int)
    np.savez(folder / "one.npz", x_test=SENSOR, y_test=marks)
    return folder


def saved_in(path, name):
    with np.load(path) as found:
        return found[name]


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_several_labels(folder):
    given = ("--data", folder / "one.npz", "--task", "multi_label", "--threshold", 0.6)
    found = json.loads(run("evaluate", folder / "one.tflite", *given, "--json"))
    one = keras.models.load_model(folder / "one.keras")
    guesses, truth = one.predict(SENSOR, verbose=0) > 0.6, saved_in(folder / "one.npz", "y_test") == 1
    right = 2 * (guesses & truth).sum() / (guesses.sum() + truth.sum())
    assert 0 < right < 1
    assert found["metrics"]["f1_micro"] == pytest.approx(right)
    told = run("compare", folder / "one.keras", folder / "one.tflite", *given)
    assert "Same decisions: 100.00% on 40 samples, a yes above 0.6" in told
    assert f"f1_micro: file {right:.4g}, Keras model {right:.4g}" in told


def test_several_inputs_and_outputs(folder):
    told = run("evaluate", folder / "two.tflite", "--data", folder / "two.npz")
    model = keras.models.load_model(folder / "two.keras")
    _, kind = model.predict([SENSOR, WORDS], verbose=0)
    accuracy = (kind.argmax(-1) == saved_in(folder / "two.npz", "y_test/kind")).mean()
    assert "size: mae 1, rmse 1 on 40 test samples" in told
    assert f"kind: accuracy {accuracy:.4g} on 40 test samples" in told
    told = run("compare", folder / "two.keras", folder / "two.tflite", "--data", folder / "two.npz")
    assert "mae: file 1, Keras model 1" in told


def test_a_folder_with_numbers(tmp_path):
    keras.utils.set_random_seed(0)
    for part in ("train", "test"):
        (tmp_path / "photos" / part).mkdir(parents=True)
    pixels = RNG.integers(0, 256, (12, 8, 8, 3)).astype("uint8")
    rows = ["image,height"]
    for number, image in enumerate(pixels):
        name = f"{'train' if number < 6 else 'test'}/{number:02}.png"
        keras.utils.save_img(tmp_path / "photos" / name, image, scale=False)
        rows.append(f"{name},{number / 10}")
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(rows) + "\n")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs))))
    made = tflite.convert(model, tmp_path / "a.tflite").path
    found = json.loads(run("evaluate", made, "--data", tmp_path / "photos", "--task", "regression", "--json"))
    expected = np.abs(model.predict(pixels[6:].astype("float32"), verbose=0)[:, 0] - np.arange(6, 12) / 10).mean()
    assert found["samples"] == 6
    assert found["metrics"]["mae"] == pytest.approx(expected, rel=1e-4)


def test_masks_of_bytes_have_a_number_that_does_not_count(tmp_path):
    masks = np.array([[[0, 1], [2, 255]]], "uint8")
    np.savez(tmp_path / "a.npz", x_test=np.zeros((1, 2, 2, 3)), y_test=masks)
    _, labels = arrays.load(tmp_path / "a.npz", "test", task="segmentation")
    np.testing.assert_array_equal(labels, [[[0, 1], [2, -1]]])


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
