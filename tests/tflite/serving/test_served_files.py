"""What a page is given of a file, and the page as one file."""

import base64
import gzip
import hashlib
import json
import re

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import tflite
from tflite.model_file.flatbuffer import Flatbuffer
from tflite.serving import files_of_page, read_served, runtime, single_page

from .conftest import LABELS, MEAN, STD

LITERT = {name: f"// {name}".encode() for name in runtime._MEMBERS}


def test_a_description_says_what_the_page_computes_with(served, int8_file):
    said = json.loads(json.dumps(served.described(2)))
    assert (said["name"], said["labels"], said["mean"], said["std"]) == ("small-int8.tflite", LABELS, [*MEAN], [*STD])
    assert said["digest"] == hashlib.sha256(int8_file.read_bytes()).hexdigest()
    assert said["changes"] == ["its input takes uint8 for int8", "its output gives uint8 for int8"]
    taken, left = tflite.inspect(int8_file).inputs[0], tflite.inspect(int8_file).outputs[0]
    for role, port in (("input", taken), ("output", left)):
        expected = {"dtype": "uint8", "shape": list(port.shape), "scale": port.scale}
        assert said[role] == expected | {"zero_point": port.zero_point + 128}
    assert said["truth"] == [0, 1, 2] * 3


def test_answers_are_the_originals_and_the_copys(served, int8_file, pictures):
    """Computed once more from the definition, through the plain interpreter, of both contents."""
    for content, shift in ((int8_file.read_bytes(), 0), (served.content, 128)):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        taken, left = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        (scale, zero_point), (out_scale, out_zero) = taken["quantization"], left["quantization"]
        real = ((pictures - np.array(MEAN)) / np.array(STD)).astype("float32")
        integers = np.clip(np.rint(real.astype("float64") / scale) + zero_point, shift - 128, shift + 127)
        for image, expected in zip(integers, served.answers, strict=True):
            interpreter.set_tensor(taken["index"], image[None].astype(taken["dtype"]))
            interpreter.invoke()
            found = (interpreter.get_tensor(left["index"])[0].astype("float64") - out_zero) * out_scale
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_files_hold_images_and_answers_as_they_are(served, pictures):
    files = served.files(1)
    assert set(files) == set(served.described(1)["files"].values())
    np.testing.assert_array_equal(np.frombuffer(files["images-1.bin"], "uint8").reshape(pictures.shape), pictures)
    np.testing.assert_array_equal(np.frombuffer(files["answers-1.bin"], "<f4").reshape(9, 3), served.answers)
    assert files["model-1.bin"] == served.content


def test_the_page_asks_for_nothing_that_is_not_served(served):
    files = files_of_page([served, served], LITERT)
    page = files[""].decode()
    asked = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    imports = json.loads(re.search('<script type="importmap">(.+?)</script>', page)[1])["imports"]
    asked |= {path.removeprefix("./") for path in imports.values()}
    assert asked <= set(files)
    described = json.loads(files["description.json"])
    assert {name for model in described["models"] for name in model["files"].values()} <= set(files)
    assert "<!-- " not in page
    assert "LiteRT.js 2.5.3, © Google LLC, Apache License 2.0" in page
    imported = {
        name for text in files.values() for name in re.findall(rb'^import .* from "(.+)";$', text, re.MULTILINE)
    }
    assert {name.decode() for name in imported} <= set(imports)
    # Everything in it is needed: three builds of LiteRT.js, each with its script.
    assert set(files) == asked | {"", "description.json", *LITERT} | {
        f"{kind}-{i}.bin" for kind in ("model", "images", "answers") for i in (0, 1)
    }


def test_one_page_holds_everything_and_runs_no_script_but_its_own(served):
    page = single_page([served], LITERT).decode()
    held = json.loads(re.search('<script type="application/json" id="held">(.+?)</script>', page)[1])
    for name, content in {
        **served.files(0),
        "litert_wasm_compat_internal.wasm": b"// litert_wasm_compat_internal.wasm",
    }.items():
        assert gzip.decompress(base64.b64decode(held[name])) == content
    assert not re.findall(r'(?:src|href)="', page)
    assert "LiteRT.js 2.5.3, © Google LLC, Apache License 2.0" in page  # it is handed on with it
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    scripts = re.findall('<script type="(?:importmap|module)">(.+?)</script>', page, re.DOTALL)
    assert len(scripts) == 2
    for text in (*scripts, re.search("<style>(.+?)</style>", page, re.DOTALL)[1]):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert "unsafe-inline" not in policy
    assert "connect-src blob:;" in policy  # nothing leaves it


def test_classes_without_names_are_numbered(served, tmp_path):
    """A copy loses the archive with the names, which lies behind the file."""
    path = tmp_path / "plain.tflite"
    path.write_bytes(served.content)
    found = read_served(path)
    assert found.labels == ("class 0", "class 1", "class 2")
    assert (found.images.shape, found.truth, found.changes) == ((32, 6, 5, 3), None, ())
    given = read_served(path, labels=["a", "b", "c"], made_up_images=5)
    assert (given.labels, given.images.shape, given.answers.shape) == (("a", "b", "c"), (5, 6, 5, 3), (5, 3))
    with pytest.raises(tflite.ModelError, match=r"Expected 3 class labels .* Received: 2"):
        read_served(path, labels=["a", "b"])


def test_a_file_that_is_replaced_is_noticed(served, int8_file, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(int8_file.read_bytes())
    found = read_served(path)
    assert not found.replaced
    path.write_bytes(served.content)
    assert found.replaced
    path.unlink()
    assert found.replaced


@pytest.mark.parametrize(
    ("images", "said"), [(np.zeros((2, 6, 5, 3)), "uint8"), (np.zeros((2, 5, 6, 3), "uint8"), "6, 5, 3")]
)
def test_images_of_another_kind_are_refused(int8_file, images, said):
    with pytest.raises(tflite.ModelError, match=said):
        read_served(int8_file, images=images)


def test_files_that_classify_no_images_are_refused(tmp_path):
    import keras

    pixels = keras.Input((4,))
    path = tmp_path / "rows.tflite"
    tflite.convert(keras.Model(pixels, keras.layers.Dense(3)(pixels)), path, scheme="float32")
    with pytest.raises(tflite.ModelError, match="Expected a classifier of single images"):
        read_served(path)
    assert Flatbuffer(path.read_bytes()).inputs[0].shape == (1, 4)
