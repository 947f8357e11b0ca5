"""The commands inspect, compare and convert, called as from a shell."""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

import tflite


@pytest.fixture
def distiller(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    return command


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
        count = len(found.operators)
        assert f"The GPU delegate takes {count} of {count} operators (https://github.com/" in out
        assert "TensorFlow Lite for Microcontrollers opens it: all operators are in its list" in out
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

    def test_multiply_adds_of_a_loop_are_not_known(self, distiller, tmp_path):
        inputs = keras.Input((4, 3))
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.SimpleRNN(5)(inputs)))
        code, out, _ = distiller("inspect", tflite.convert(model, tmp_path / "a.tflite").path)
        assert code == 0
        assert "at least 10 multiply-adds" in out  # 5 × 2 of the last layer

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


DIGITS = ["--data", "digits"]


class TestConvert:
    def test_int8_with_labels_of_the_data(self, distiller, keras_file, tmp_path):
        path = tmp_path / "a.tflite"
        options = [
            "--scheme",
            "int8",
            "--count",
            30,
            "--calibration",
            "mse",
            "--output-type",
            "uint8",
            "--labels",
            "data",
        ]
        code, out, _ = distiller("convert", keras_file, path, *DIGITS, *options, "--json")
        made = json.loads(out)
        assert code == 0
        assert (made["scheme"], made["output"]["dtype"], made["bytes"]) == ("int8", "uint8", path.stat().st_size)
        assert tflite.labels(path) == tuple("0123456789")

    def test_float_with_labels_of_a_file_takes_no_images(self, distiller, keras_file, tmp_path):
        names = tmp_path / "names.txt"
        names.write_text("".join(f"class {i}\n" for i in range(10)))
        code, out, _ = distiller("convert", keras_file, tmp_path / "a.tflite", *DIGITS, "--labels", names)
        assert code == 0
        assert "input pixels: float32 [1, 8, 8, 1]" in out
        assert tflite.labels(tmp_path / "a.tflite") == tuple(f"class {i}" for i in range(10))

    def test_bad_calls(self, distiller, keras_file, tmp_path):
        path = tmp_path / "a.tflite"
        for options, message in [
            (["--labels", "data"], "Expected --data with --labels data"),
            (
                ["--scheme", "int8"],
                "Expected images for --scheme int8, whose ranges are measured on them: name them with --data",
            ),
            (["--scheme", "int"], "is not one of"),
            (["--calibration", "mse"], "`calibration` only with a scheme of"),
            (["--labels", tmp_path / "no.txt"], "no.txt', which does not exist"),
        ]:
            code, out, err = distiller("convert", keras_file, path, *options)
            assert (code, out) == (2, "")
            assert message in err
        assert not path.exists()


class TestCompare:
    def test_json_is_the_result(self, distiller, keras_file, files):
        code, out, _ = distiller(
            "compare", keras_file, files["int8"].path, *DIGITS, "--count", 20, "--layers", "--json"
        )
        found = json.loads(out)
        assert code == 0
        assert (found["samples"], found["first"]) == (20, None)
        assert found["layers"][-1]["layer"] == "logits"
        assert 0.5 < found["accuracy"] <= 1

    def test_the_first_bad_layer_is_named(self, distiller, keras_file, files, tmp_path):
        model = flatbuffer_utils.read_model(files["int8"].path)
        operators = tflite.inspect(files["int8"].path).operators
        kernel = next(op for op in operators if "stage2_a_conv/" in op.outputs[0].name).inputs[1].index
        buffer = model.buffers[model.subgraphs[0].tensors[kernel].buffer]
        buffer.data = np.asarray(buffer.data, "uint8") ^ np.uint8(0x55)
        path = tmp_path / "bad.tflite"
        flatbuffer_utils.write_model(model, path)
        code, out, _ = distiller("compare", keras_file, path, *DIGITS, "--count", 20, "--layers")
        assert code == 0
        assert "The first layer where they part: stage2_a_relu\n" in out
        assert "Accuracy: file" in out
