"""Parity, against an interpreter that is driven by hand and NumPy."""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import tflite
from tflite import ModelError


def test_float_file_equals_keras(files, network, held_out):
    got = tflite.compare(network, files["float32"].path, held_out.images)
    assert got.agreement == 1.0
    assert got.max_error < 1e-4
    assert (got.mean_lsb, got.max_lsb) == (None, None)
    assert got.samples == 797


def test_int8_numbers(files, network, held_out):
    images = held_out.images[:300]  # more than one batch of either side
    interpreter = Interpreter(model_path=str(files["int8"].path))
    interpreter.allocate_tensors()
    [before], [after] = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for image in images:
        interpreter.set_tensor(before["index"], image[None])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(after["index"])[0].astype("float64"))
    integers = np.stack(outputs)
    scale, zero_point = after["quantization"]
    keras_outputs = np.asarray(network(images.astype("float32"), training=False), "float64")
    steps = np.abs(np.clip(np.round(keras_outputs / scale) + zero_point, -128, 127) - integers)
    error = np.abs((integers - zero_point) * scale - keras_outputs)

    got = tflite.compare(network, files["int8"].path, images)
    assert got.agreement == np.mean(integers.argmax(axis=1) == keras_outputs.argmax(axis=1))
    assert got.mean_lsb == pytest.approx(steps.mean(), abs=1e-3)
    assert got.max_lsb == steps.max()
    assert got.mean_error == pytest.approx(error.mean(), rel=1e-4)
    assert got.max_error == pytest.approx(error.max(), rel=1e-4)


def test_disagreement_is_seen(files, network, held_out):
    other = keras.models.clone_model(network)
    other.set_weights(network.get_weights())
    kernel, bias = other.get_layer("logits").get_weights()
    other.get_layer("logits").set_weights([np.roll(kernel, 1, axis=1), np.roll(bias, 1)])
    assert tflite.compare(other, files["float32"].path, held_out.images).agreement == 0.0


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Square roots of the pixels less 128, and a file of them that answers NaN where a pixel is darker."""

    def make(offset):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((4, 4, 1))
        x = keras.layers.Rescaling(1.0, offset=offset, name="shift")(inputs)
        x = keras.layers.Flatten(name="flat")(keras.ops.sqrt(x))
        return keras.Model(inputs, keras.layers.Dense(3, name="last")(x))

    path = tflite.convert(make(-128.0), tmp_path_factory.mktemp("roots") / "roots.tflite").path
    images = np.full((5, 4, 4, 1), 200, "uint8")
    images[[1, 4], 2, 2] = 90
    return make, path, images


def constant(text):
    raise AssertionError(f"{text} is not JSON")


def test_a_file_that_answers_nan_does_not_agree(roots):
    """Two of five images have a root of a negative number in the file, and none in the model."""
    make, path, images = roots
    bright = make(-80.0)
    labels = np.argmax(np.asarray(make(-128.0)(images.astype("float32"))), axis=-1)  # 0 where all is NaN
    found = tflite.compare(bright, path, images, labels=labels)
    assert found.agreement <= 3 / 5
    assert found.accuracy == 3 / 5
    assert tflite.evaluate(path, (images, labels)).correct == 3
    assert np.isnan([found.mean_error, found.max_error]).all()
    record = json.loads(found.to_json(), parse_constant=constant)
    assert (record["mean_error"], record["max_error"], record["agreement"]) == (None, None, found.agreement)


def test_nan_of_both_is_no_class_either(roots):
    make, path, images = roots
    found = tflite.compare(make(-128.0), path, images)
    assert found.agreement == 3 / 5


def test_a_model_that_answers_nan_and_an_integer_file(roots, tmp_path):
    """There are no steps from an integer to what is not a number."""
    make, _, images = roots
    path = tflite.convert(make(-80.0), tmp_path / "a.tflite", scheme="int8", representative=images).path
    found = tflite.compare(make(-128.0), path, images, layers=True)
    assert (found.mean_lsb, found.max_lsb) == (None, None)
    assert found.agreement <= 3 / 5
    assert [(row.mean_lsb, row.max_lsb) for row in found.layers[-1:]] == [(None, None)]


def test_keras_file_gives_the_same_numbers(files, network, keras_file, held_out):
    images = held_out.images[:50]
    one, other = (tflite.compare(m, files["int8"].path, images) for m in (network, keras_file))
    assert one.agreement == other.agreement
    assert one.mean_error == pytest.approx(other.mean_error, rel=1e-4)


def test_inputs_that_do_not_fit(files, held_out, tmp_path):
    wrong_outputs = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    with pytest.raises(ModelError, match=r"outputs of shape \(797, 64\), as of the Keras model. Received: \(797, 10\)"):
        tflite.compare(wrong_outputs, files["int8"].path, held_out.images)
    narrow = [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    wrong_inputs = keras.Sequential(narrow, name="narrow")
    with pytest.raises(ModelError, match="as the Keras model 'narrow' takes them: "):
        tflite.compare(wrong_inputs, files["int8"].path, held_out.images)
    with pytest.raises(ModelError, match=r"nowhere\.keras', which does not exist"):
        tflite.compare(tmp_path / "nowhere.keras", files["int8"].path, held_out.images)
    with pytest.raises(ModelError, match=r"nowhere\.tflite', which does not exist"):
        tflite.compare(wrong_outputs, tmp_path / "nowhere.tflite", held_out.images)


def test_one_score_is_no_class(tmp_path):
    """The largest of one number is always the first: every file would agree, and be right of class 0."""
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    path = tflite.convert(model, tmp_path / "one.tflite").path
    images = np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype("float32")
    found = tflite.compare(model, path, images)
    assert found.agreement is None
    assert found.max_error < 1e-5
    with pytest.raises(tflite.ModelError, match=r"Expected outputs .*two or more classes for the task classification"):
        tflite.compare(model, path, images, labels=np.zeros(3, int), task="classification")
    with pytest.raises(tflite.ModelError, match="of two or more classes"):
        tflite.evaluate(path, (images, np.zeros(3, int)), task="classification")
