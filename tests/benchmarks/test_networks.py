"""The benchmark of networks as integer files, on one network, and its table."""

import keras
import numpy as np
import pytest

from benchmarks import lines, network_ways, networks, networks_table


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3)).astype("float32")


def test_the_last_layer_is_fitted_to_classes_and_statistics_are_those_of_the_images(images):
    model = network_ways.built("resnet8")
    labels = (images.mean(axis=(1, 2, 3)) > np.median(images.mean(axis=(1, 2, 3)))).astype("int64")
    labels[:10] = np.arange(10)  # each class at least once
    network_ways.settle(model, images, labels)
    first = next(layer for layer in model.layers if "BatchNormalization" in type(layer).__name__)
    before = keras.Model(model.input, first.input)(images)
    np.testing.assert_allclose(first.moving_mean, np.mean(before, axis=(0, 1, 2)), rtol=1e-3, atol=1e-3)
    assert (np.argmax(model(images), axis=-1) == labels).mean() > 0.8


@pytest.mark.parametrize("way", ["native", "post_training"])
def test_a_network_becomes_an_integer_file(way, images, tmp_path):
    import tflite

    model = network_ways.built("resnet8")
    network_ways.WAYS[way](model, tmp_path / "a.tflite", images)
    assert tflite.inspect(tmp_path / "a.tflite").is_integer


def test_a_process_that_ends_early_is_told(monkeypatch):
    monkeypatch.setattr(networks.sys, "executable", "/bin/false")
    [line] = networks.results_of("resnet8", ["native", "tfmot"], None, 60)
    assert line == {"network": "resnet8", "way": "native", "error": "the process ended with exit status 1"}


def test_what_is_recorded_is_not_run_again(monkeypatch, tmp_path):
    asked = []

    def found(name, ways, *_):
        asked.append((name, ways))
        return [{"network": name, "way": way, "error": "no"} for way in ways[:3]]

    monkeypatch.setattr(networks, "results_of", found)
    for _ in range(2):
        assert networks.main(["resnet8", "--results", str(tmp_path)]) == 0
    assert asked == [("resnet8", list(network_ways.WAYS)), ("resnet8", list(network_ways.WAYS)[3:])]
    assert [line["size"] for line in lines.read(tmp_path / networks.NAME)] == [32] * 4


def test_the_table_counts_ways(monkeypatch, tmp_path):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    fine = {"bytes": 1234, "agreement": 0.9876, "latency_ms": {"median": 0.5}, "size": 32}
    lines.append(
        tmp_path / networks.NAME,
        [
            {"network": "A", "way": "native", "float_operators": 0, **fine},
            {"network": "A", "way": "tfmot", "error": "no | <such> layer", "size": 32},
            {"network": "B", "way": "native", "float_operators": 3, **fine},
        ],
    )
    made = networks_table.table()
    assert "| A | 32 | native engine | integer | 0 | 1,234 | 0.988 | 0.500 |" in made
    assert "- native engine: 1 integer files, 1 with operators in floating point inside, 0 errors." in made
    assert "- A, tfmot engine: no / ‹such› layer" in made


def test_an_unknown_network(capsys):
    with pytest.raises(SystemExit):
        networks.main(["resnet9"])
    assert "unknown network 'resnet9'; expected one of resnet8" in capsys.readouterr().err
