"""Files with other types at their borders: the same network, held against integers computed by hand."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import tflite
from tflite.model_file.border import without_signed_integers
from tflite.model_file.flatbuffer import Flatbuffer

# Of the converted network: its scheme and both types → what a browser gets for them.
BORDERS = {
    ("int8", "int8", "int8"): ("uint8", "uint8"),
    ("int8", "uint8", "int8"): ("uint8", "uint8"),
    ("int8", "int8", "float32"): ("uint8", "float32"),
    ("int16x8", "int16", "int16"): ("float32", "float32"),
}


@pytest.fixture(scope="module")
def images():
    """Pixels; as real numbers their zero point is at an end, and the outputs' is not."""
    return np.random.default_rng(3).integers(0, 256, (40, 6, 5, 1)).astype("float32")


@pytest.fixture(scope="module")
def small():
    """A network whose outputs spread over their range."""
    keras.utils.set_random_seed(4)
    pixels = keras.Input((6, 5, 1), name="pixels")
    x = keras.layers.Conv2D(4, 3, activation="relu")(pixels)
    return keras.Model(pixels, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


@pytest.fixture(scope="module", params=BORDERS, ids="-".join)
def pair(request, small, images, tmp_path_factory):
    """A file, the one for browsers, the changes, and the types at the borders of both."""
    scheme, taken, left = request.param
    path = tmp_path_factory.mktemp("border") / "small.tflite"
    tflite.convert(
        small, path, scheme=scheme, representative=images, input_type=taken, output_type=left, labels=["a", "b", "c"]
    )
    content = path.read_bytes()
    return content, *without_signed_integers(content), (taken, left), BORDERS[request.param]


def run(content, image):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    taken, left = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(taken["index"], image.astype(taken["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(left["index"])


def details(content):
    interpreter = Interpreter(model_content=content)
    return interpreter.get_input_details()[0], interpreter.get_output_details()[0]


def test_types_and_changes(pair):
    before, after, changes, old, new = pair
    assert tuple(np.dtype(port["dtype"]).name for port in details(before)) == old
    assert tuple(np.dtype(port["dtype"]).name for port in details(after)) == new
    expected = [f"its input takes {new[0]} for {old[0]}"] * (old[0] != new[0])
    assert list(changes) == expected + [f"its output gives {new[1]} for {old[1]}"] * (old[1] != new[1])


def test_answers_are_the_same_integers_moved_by_128(pair, images):
    before, after, _, old, new = pair
    taken, left = details(before)
    scale, zero_point = taken["quantization"]
    seen = set()
    for image in images[:8, None]:
        integers = np.rint(image / scale) + zero_point
        limits = np.iinfo(old[0])
        integers = np.clip(integers, limits.min, limits.max)
        expected = run(before, integers).astype("float64")
        if old[0] == new[0]:
            entered = integers
        else:
            entered = integers + 128 if new[0] == "uint8" else (integers - zero_point) * scale
        received = run(after, entered).astype("float64")
        if old[1] == new[1]:
            np.testing.assert_array_equal(received, expected)
        elif new[1] == "uint8":
            np.testing.assert_array_equal(received, expected + 128)
        else:
            np.testing.assert_allclose(received, (expected - left["quantization"][1]) * left["quantization"][0], 1e-6)
        seen.update(received.ravel().tolist())
    assert len(seen) > 6


def test_uint8_stands_for_the_same_real_numbers(pair):
    before, after, *_ = pair
    for old, new in zip(details(before), details(after), strict=True):
        if np.dtype(new["dtype"]) == "uint8" and np.dtype(old["dtype"]) == "int8":
            assert new["quantization"] == (old["quantization"][0], old["quantization"][1] + 128)


def test_the_signature_runs_under_its_old_names(pair, images):
    before, after, *_ = pair
    old, new = (Interpreter(model_content=content) for content in (before, after))
    assert old.get_signature_list() == new.get_signature_list()
    runner = new.get_signature_runner()
    ((name, detail),) = runner.get_input_details().items()
    outputs = runner(**{name: np.full((1, 6, 5, 1), 7, detail["dtype"])})
    ((_, found),) = outputs.items()
    np.testing.assert_array_equal(found, run(after, np.full((1, 6, 5, 1), 7)))


def test_metadata_and_weights_stay(pair):
    before, after, *_ = pair
    assert Flatbuffer(after).metadata == Flatbuffer(before).metadata != {}
    assert Flatbuffer(after).parameters == Flatbuffer(before).parameters > 0


def test_a_file_that_browsers_take_stays_as_it_is(small, tmp_path):
    content = tflite.convert(small, tmp_path / "small.tflite", scheme="float32").path.read_bytes()
    assert without_signed_integers(content) == (content, ())


def test_an_input_that_is_an_output_too(tmp_path):
    """One QUANTIZE on either side of the tensor that is both."""
    pixels = keras.Input((6, 5, 1), name="pixels")
    model = keras.Model(pixels, keras.layers.MaxPooling2D(1)(pixels))
    path = tmp_path / "same.tflite"
    ones = np.random.default_rng(0).uniform(-1, 2, (8, 6, 5, 1)).astype("float32")
    tflite.convert(model, path, scheme="int8", representative=ones, input_type="int8", output_type="int8")
    content, changes = without_signed_integers(path.read_bytes())
    assert len(changes) == 2
    image = np.arange(30).reshape(1, 6, 5, 1) - 15
    np.testing.assert_array_equal(run(content, image + 128), run(path.read_bytes(), image).astype(int) + 128)
