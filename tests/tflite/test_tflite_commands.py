"""The commands inspect, compare and convert, called as from a shell."""

import json
import sys

import keras
import pytest

import tflite
from distiller.cli import entry


@pytest.fixture
def distiller(capfd, monkeypatch):
    """Calls the command line: its exit code, standard output and standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["distiller", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "160")
        try:
            entry.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return code, *capfd.readouterr()

    return call


class TestInspect:
    def test_json_is_the_result(self, distiller, files):
        path = files["int8"].path
        code, out, err = distiller("inspect", path, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == tflite.inspect(path).to_dict()

    def test_table(self, distiller, files):
        found = tflite.inspect(files["int8"].path)
        code, out, _ = distiller("inspect", found.path)
        assert code == 0
        assert f"{found.multiply_adds:,} multiply-adds, about {found.arena_bytes:,} bytes of activations" in out
        assert f"XNNPACK takes {len(found.operators) - 1} of {len(found.operators)} operators in 1 partition\n" in out
        assert "Nothing to mend was found" in out
        for operator in found.operators:
            assert operator.name in out

    def test_findings_in_words(self, distiller, tmp_path):
        inputs = keras.Input((8, 8, 3))
        x = keras.layers.Conv2D(12, 3)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
        code, out, _ = distiller("inspect", tflite.convert(model, tmp_path / "a.tflite").path)
        assert code == 0
        assert "odd_channels: 1 CONV_2D have 12 channels, not a multiple of 8" in out
        assert "Widen or narrow these layers" in out

    def test_graph_and_overlay(self, distiller, files, tmp_path):
        graph, overlay = tmp_path / "g.svg", tmp_path / "o.json"
        path = files["float32"].path
        code, *_ = distiller("inspect", path, "--graph", graph, "--overlay", overlay, "--overlay-of", "weight_bytes")
        assert code == 0
        assert "CONV_2D + RELU" in graph.read_text()
        values = [entry["value"] for entry in json.loads(overlay.read_text())["results"].values()]
        assert sum(values) == 4 * tflite.inspect(path).parameters

    def test_bad_calls(self, distiller, files, tmp_path):
        for arguments, message in [
            (["inspect", tmp_path / "no.tflite"], "no.tflite', which does not exist"),
            (["inspect", files["int8"].path, "--graph", tmp_path / "g.gif"], "Expected a path that ends in one of"),
        ]:
            code, out, err = distiller(*arguments)
            assert (code, out) == (2, "")
            assert message in err
            assert "Traceback" not in err
