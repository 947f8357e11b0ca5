"""The benchmark of networks as integer files, on one network, and its table."""

import keras
import numpy as np
import pytest

from benchmarks.documents import networks as networks_table
from benchmarks.files import network_ways, networks
from benchmarks.results import lines


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3)).astype("float32")


def test_a_trained_network_is_in_float32_and_has_the_statistics_of_the_images(images):
    bright = images.mean(axis=(1, 2, 3))
    labels = (bright > np.median(bright)).astype("int64")
    model = network_ways.train("resnet8", images, labels)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    first = next(layer for layer in model.layers if "BatchNormalization" in type(layer).__name__)
    before = keras.Model(model.input, first.input)(images)
    np.testing.assert_allclose(first.moving_mean, np.mean(before, axis=(0, 1, 2)), rtol=1e-3, atol=1e-3)
    untrained = network_ways.build("resnet8")
    assert not np.allclose(model.layers[-1].get_weights()[0], untrained.layers[-1].get_weights()[0])


def test_accuracy_counts_first_choices():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    assert network_ways.accuracy(model, np.eye(3, dtype="float32"), np.array([0, 1, 0])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("way", ["native", "post_training"])
def test_a_network_becomes_an_integer_file(way, images, tmp_path):
    import tflite

    model = network_ways.build("resnet8")
    network_ways.WAYS[way](model, tmp_path / "a.tflite", images)
    assert tflite.inspect(tmp_path / "a.tflite").is_integer


def test_a_process_that_ends_early_is_told(monkeypatch):
    monkeypatch.setattr(networks.sys, "executable", "/bin/false")
    [line] = networks.convert_in_process("resnet8", ["native", "tfmot"], None, 60)
    assert line == {"network": "resnet8", "way": "native", "error": "the process ended with exit status 1"}


def test_what_is_recorded_is_not_run_again(monkeypatch, tmp_path):
    asked = []

    def found(name, ways, *_):
        asked.append((name, ways))
        return [{"network": name, "way": way, "error": "no"} for way in ways[:3]]

    monkeypatch.setattr(networks, "convert_in_process", found)
    for _ in range(2):
        assert networks.main(["resnet8", "--results", str(tmp_path)]) == 0
    assert asked == [("resnet8", list(network_ways.WAYS)), ("resnet8", list(network_ways.WAYS)[3:])]
    assert [line["size"] for line in lines.read(tmp_path / networks.NAME)] == [32] * 4


def test_the_table_counts_ways(monkeypatch, tmp_path):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    fine = {
        "bytes": 1234,
        "agreement": 0.9876,
        "accuracy": 0.5,
        "file_accuracy": 0.495,
        "latency_ms": {"median": 0.5},
        "size": 32,
    }
    where = {"machine": {"processor": "A processor"}}
    lines.append(
        tmp_path / networks.NAME,
        [
            {"network": "A", "way": "native", "float_operators": 0, **fine, **where},
            {"network": "A", "way": "tfmot", "error": "no | <such> layer", "size": 32, **where},
            {"network": "B", "way": "native", "float_operators": 3, **fine, **where},
        ],
    )
    made = networks_table.table()
    assert "| A | 32 | native engine | integer | 0 | 1,234 | 49.5 (-0.5) | 0.988 | 0.500 |" in made
    assert "- native engine: 1 integer files, 1 with operators in floating point inside, 0 errors." in made
    assert "- A, tfmot engine: no / ‹such› layer" in made
    assert made.endswith("Images of CIFAR-10; milliseconds of a run on A processor.")


def test_an_unknown_network(capsys):
    assert networks.main(["resnet9"]) == 2
    assert "Unknown network 'resnet9'. Did you mean 'resnet8'" in capsys.readouterr().err
