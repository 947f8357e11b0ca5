"""The graph as a picture and as data for Model Explorer."""

import itertools
import json
from xml.etree import ElementTree

import pytest
from matplotlib.transforms import Bbox
from PIL import Image

import tflite
from tflite import ModelError
from tflite.inspection import drawing, layering


@pytest.fixture(scope="module")
def inspected(files):
    return tflite.inspect(files["int8"].path)


def test_svg_has_every_operator_and_every_edge(inspected, tmp_path):
    root = ElementTree.parse(inspected.draw(tmp_path / "graph.svg")).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for operator in inspected.operators:
        fused = "" if operator.activation == "NONE" else f" + {operator.activation}"
        assert f"{operator.index} {operator.name}{fused}" in texts
    boxes = len(inspected.operators) + 2  # and the input and the output
    constants = {tensor.index for operator in inspected.operators for tensor in operator.inputs if tensor.constant}
    edges = sum(len({t.index for t in operator.inputs} - constants) for operator in inspected.operators)
    patches = [e for e in root.iter("{http://www.w3.org/2000/svg}g") if (e.get("id") or "").startswith("patch_")]
    # A background, a box for each operator, and an arrow of a line and a head for each edge, also that to the output.
    assert len(patches) == 1 + boxes + edges + 1


def test_a_reader_is_told_what_it_is(inspected, tmp_path):
    """A title, also for programs that read pictures aloud, a legend of the colours there are, and the output."""
    root = ElementTree.parse(inspected.draw(tmp_path / "graph.svg")).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == inspected.path.name
    assert f"{inspected.bytes:,} bytes, {inspected.parameters:,} parameters" in texts[1]
    assert "computes with integers alone" in texts[1]
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title.text.startswith(f"Graph of {inspected.path.name}: {inspected.bytes:,} bytes")
    assert {"input", "XNNPACK takes it", "output"} <= set(texts)
    (output,) = inspected.outputs
    assert {output.name, f"{output.dtype} {list(output.shape)}"} <= set(texts)


def curves_of(sources):
    placed = layering.layout(sources, drawing._WIDTH)
    boxes = [
        Bbox.from_bounds(x - drawing._WIDTH / 2, drawing._top(row), drawing._WIDTH, drawing._HEIGHT)
        for x, row in placed.places
    ]
    return placed, boxes, drawing.curves(placed, 0.0)


@pytest.mark.parametrize(
    "sources",
    [
        [[], [0], [1], [2], [3, 1], [4], [5], [4], [6, 7], [8]],
        [[], [0], [0], [2], [0], [4], [5], [0], [7], [1, 3, 6, 8], [9], [9], [11], [10, 12]],
        [[], [], [0], [1], [2, 3], [], [4, 5], [6], [6]],
        [[], [0], [1], [2], [3], [4], [5, 2], [6, 1], [7, 0]],
    ],
    ids=["residual", "inception", "inputs and outputs", "skips inside each other"],
)
def test_no_edge_crosses_another_or_a_box(sources):
    """Of graphs that can be drawn so; matplotlib says what meets what."""
    placed, boxes, curves = curves_of(sources)
    assert set(curves) == {(source, target) for target, own in enumerate(sources) for source in own}
    for (source, target), curve in curves.items():
        assert placed.places[source][1] < placed.places[target][1]
        for box, place in enumerate(boxes):
            if box not in (source, target):
                assert not curve.intersects_bbox(place, filled=False), (source, target, box)
    for (one, first), (other, second) in itertools.combinations(curves.items(), 2):
        if one[0] != other[0]:  # what is read from one box runs together until it parts
            assert not first.intersects_path(second, filled=False), (one, other)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_a_chain_beside_a_long_edge_does_not_drift():
    placed, *_ = curves_of([[], *([i, 0] for i in range(60))])
    assert placed.width < 3 * drawing._WIDTH


def test_edges_that_must_cross_do_so_once():
    """Two boxes that both read two others: in two rows one crossing is left."""
    placed, _, curves = curves_of([[], [], [0, 1], [0, 1]])
    crossed = [
        (one, other)
        for (one, first), (other, second) in itertools.combinations(curves.items(), 2)
        if not {*one} & {*other} and first.intersects_path(second, filled=False)
    ]
    assert len(crossed) == 1
    assert placed.rows == 2


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
