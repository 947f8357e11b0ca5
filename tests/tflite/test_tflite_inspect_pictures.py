"""The graph as a picture and as data for Model Explorer."""

import json
from xml.etree import ElementTree

import pytest
from PIL import Image

import tflite
from tflite import ModelError


@pytest.fixture(scope="module")
def inspected(files):
    return tflite.inspect(files["int8"].path)


def test_svg_has_every_operator_and_every_edge(inspected, tmp_path):
    root = ElementTree.parse(inspected.draw(tmp_path / "graph.svg")).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for operator in inspected.operators:
        fused = "" if operator.activation == "NONE" else f" + {operator.activation}"
        assert f"{operator.index} {operator.name}{fused}" in texts
    boxes = len(inspected.operators) + 1  # and the input
    constants = {tensor.index for operator in inspected.operators for tensor in operator.inputs if tensor.constant}
    edges = sum(len({t.index for t in operator.inputs} - constants) for operator in inspected.operators)
    patches = [e for e in root.iter("{http://www.w3.org/2000/svg}g") if (e.get("id") or "").startswith("patch_")]
    # A background, a box for each operator, and an arrow of a line and a head for each edge.
    assert len(patches) == 1 + boxes + edges


def test_same_file_same_picture(inspected, tmp_path):
    one, other = inspected.draw(tmp_path / "a.svg"), inspected.draw(tmp_path / "b.svg")
    assert one.read_bytes() == other.read_bytes()


def test_png(inspected, tmp_path):
    with Image.open(inspected.draw(tmp_path / "graph.png")) as image:
        assert image.height > image.width > 100
        assert len(set(image.convert("RGB").resize((40, 40)).get_flattened_data())) > 3


def test_unpacked_weights_are_no_boxes(files, tmp_path):
    text = tflite.inspect(files["float16"].path).draw(tmp_path / "graph.svg").read_text()
    assert "DEQUANTIZE" not in text
    assert "CONV_2D + RELU" in text


def test_overlay_has_a_number_for_every_output(files, inspected, tmp_path):
    read = json.loads(inspected.overlay(tmp_path / "o.json").read_text())
    assert set(read) == {"results", "gradient"}
    assert [stop["stop"] for stop in read["gradient"]] == [0, 1]
    names = [operator.outputs[0].name for operator in inspected.operators]
    assert list(read["results"]) == names
    assert sum(entry["value"] for entry in read["results"].values()) == inspected.multiply_adds
    weights = json.loads(inspected.overlay(tmp_path / "o.json", "weight_bytes").read_text())["results"]
    assert sum(entry["value"] for entry in weights.values()) == sum(inspected.weight_bytes_by_type.values())


def test_paths_and_quantities(inspected, tmp_path):
    for call, message in [
        (lambda: inspected.draw(tmp_path / "graph.gif"), r"ends in one of \['.svg', '.png', '.pdf'\]"),
        (lambda: inspected.draw(tmp_path / "nowhere" / "graph.svg"), "does not exist"),
        (lambda: inspected.overlay(tmp_path / "nowhere" / "o.json"), "does not exist"),
        (lambda: inspected.overlay(tmp_path / "o.json", "weights"), "`quantity`.*Did you mean 'weight_bytes'"),
    ]:
        with pytest.raises(ModelError, match=message):
            call()
    assert list(tmp_path.iterdir()) == []
