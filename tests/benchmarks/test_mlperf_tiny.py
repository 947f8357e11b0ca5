"""Files of other people are measured on the test images, and stand beside ours in the tables."""

import re

import keras
import numpy as np
import pytest

import tflite
from benchmarks.documents import pair
from benchmarks.files import mlperf_tiny
from benchmarks.results import lines
from distiller import data

CLASSES = tuple("abcdefghij")


def network(size=32, classes=10):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 8, strides=8, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, kernel_initializer="he_normal")(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file, its network, and images of which the network has seven of ten right."""
    folder = tmp_path_factory.mktemp("theirs")
    images = np.random.default_rng(2).integers(0, 256, (40, 32, 32, 3), "uint8")
    model = network()
    labels = model.predict(images.astype("float32"), verbose=0).argmax(-1).astype("int32")
    labels[:12] = (labels[:12] + 1) % 10
    tflite.convert(model, folder / "theirs.tflite", scheme="float32")
    tflite.convert(network(16), folder / "smaller.tflite", scheme="float32")
    tflite.convert(network(classes=9), folder / "nine.tflite", scheme="float32")
    split = data.Split(images, labels)
    return folder, data.Dataset("cifar10", split, split, split, CLASSES), model


@pytest.fixture
def served(made, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "load", lambda name, **_: made[1])
    return made[0], tmp_path


def test_a_line_a_file_and_the_last_one_counts(served, made, monkeypatch):
    folder, results = served
    for _ in range(2):
        assert (
            mlperf_tiny.main(
                [str(folder / "theirs.tflite"), "--runs", "3", "--beside", "resnet8", "--results", str(results)]
            )
            == 0
        )
    found = lines.read(results / mlperf_tiny.NAME)
    assert [line["correct"] for line in found] == [28, 28]
    monkeypatch.setattr(lines, "RESULTS", results)
    (line,) = mlperf_tiny.last_lines()
    assert (line["test_accuracy"], line["images"], line["scheme"], line["network"]) == (0.7, 40, "float32", "theirs")
    # Weights of both layers (768 and 640) and 4 biases: those of the last layer, all 0, need none in the file.
    # A convolution of 16 places, 4 filters and 8·8·3 numbers each, and a layer of 64 × 10.
    assert (line["multiply_adds"], line["bytes"]) == (
        16 * 4 * 192 + 640,
        (folder / "theirs.tflite").stat().st_size,
    )
    assert line["beside"]["resnet8"]["median"] > line["latency_ms"]["median"]
    assert "in turn with them: resnet8 " in mlperf_tiny.table()
    median = line["latency_ms"]["median"]
    assert "| theirs | float32 | 1,412 | 12,928 |" in mlperf_tiny.table()
    assert f"| 70.00 | {median:.3f} |" in mlperf_tiny.table()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smaller", r"images \(32, 32, 3\) into 10 classes\. Received: .*smaller\.tflite with \(16, 16, 3\) and 10"),
        ("nine", r"into 10 classes\. Received: .*nine\.tflite with \(32, 32, 3\) and 9"),
        ("missing", r"missing\.tflite"),
    ],
)
def test_what_is_no_such_classifier_is_refused(served, capsys, name, message):
    folder, results = served
    assert mlperf_tiny.main([str(folder / f"{name}.tflite"), "--results", str(results), "--runs", "3"]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not (results / mlperf_tiny.NAME).exists()


def test_few_runs_are_no_result(capsys):
    with pytest.raises(SystemExit):
        mlperf_tiny.main(["theirs.tflite", "--runs", "3"])
    assert "a latency of 3 runs is no result" in capsys.readouterr().err


def test_rows_beside_our_own_students(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    common = {"network": "Theirs", "parameters": 9, "multiply_adds": 9, "latency_ms": {"median": 0.25}}
    theirs = [
        common | {"sha256": "a", "scheme": "int8", "bytes": 98496, "test_accuracy": 0.8697},
        common | {"sha256": "b", "scheme": "float32", "bytes": 318144, "test_accuracy": 0.8719},
    ]
    lines.append(tmp_path / mlperf_tiny.NAME, theirs)
    row = "| 50,000 labelled images | Theirs, hard labels | 87.19 | 86.97 |  | 98,496 |  | their file |"
    assert row in pair.table("cifar100_to_cifar10")
    assert "Theirs" not in pair.table("demo")
