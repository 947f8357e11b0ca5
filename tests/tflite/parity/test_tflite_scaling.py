"""Pixels and the unit of a file's input: the accuracy of each file against that of its Keras twin, counted by hand."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import tflite
from tflite import ModelError
from tflite.model_file.interpreter import Runner
from tflite.utils.quiet import quiet

UNITS = {"[0, 1]": (0.0, 255.0), "[−1, 1]": (127.5, 127.5), "[−0.5, 0.5]": (127.5, 255.0), "[−128, 127]": (128.0, 1.0)}


@pytest.fixture(scope="module")
def twin(network):
    """The network for pixels that were scaled to (pixel − mean) / deviation."""

    def make(mean, deviation):
        inputs = keras.Input((8, 8, 1))
        return keras.Model(inputs, network(keras.layers.Rescaling(deviation, offset=mean)(inputs)))

    return make


@pytest.fixture(scope="module")
def right(network, held_out):
    """How many of the first 200 digits the network classifies rightly."""
    answers = np.asarray(network(held_out.images[:200].astype("float32"), training=False))
    return int((answers.argmax(axis=1) == held_out.labels[:200]).sum())


@pytest.fixture(scope="module")
def unsigned(twin, digits, tmp_path_factory):
    """A file with uint8 inputs that stand for [0, 1] or [−1, 1], from the converter itself."""

    def make(name):
        mean, deviation = UNITS[name]
        model = twin(mean, deviation)
        function = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec((1, 8, 8, 1))])
        frozen = convert_variables_to_constants_v2(function.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        images = ((digits.images[:100] - mean) / deviation).astype("float32")
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        path = tmp_path_factory.mktemp("unsigned") / "a.tflite"
        with quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # those of the old quantizer
            path.write_bytes(converter.convert())
        return path

    return make


def scaled(images, unit):
    return ((images - unit[0]) / unit[1]).astype("float32")


def correct(path, images, held_out):
    return tflite.evaluate(path, (images, held_out.labels[: len(images)])).correct


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("input_type", ["int8", "float32"])
def test_pixels_and_scaled_numbers_of_an_integer_file(twin, digits, held_out, right, tmp_path, name, input_type):
    """Also where the file quantizes its floating-point input first."""
    model = twin(*UNITS[name])
    images = scaled(digits.images[:100], UNITS[name])
    path = tflite.convert(
        model, tmp_path / "a.tflite", scheme="int8", representative=images, input_type=input_type
    ).path
    pixels = held_out.images[:200]
    assert abs(correct(path, pixels, held_out) - right) <= 4
    assert correct(path, scaled(pixels, UNITS[name]), held_out) == correct(path, pixels, held_out)
    found = tflite.compare(model, path, pixels, labels=held_out.labels[:200], layers=True)
    assert found.keras_accuracy == right / 200
    assert found.agreement > 0.97
    assert found.first is None


@pytest.mark.parametrize("name", ["[0, 1]", "[−1, 1]"])
def test_uint8_pixels_go_into_a_uint8_input_as_they_are(unsigned, twin, held_out, right, name):
    path, pixels = unsigned(name), held_out.images[:200]
    assert tflite.inspect(path).inputs[0].dtype == "uint8"
    run = Runner(path)
    np.testing.assert_array_equal(run.input.quantize(run.numbers(pixels)), pixels)
    assert abs(correct(path, pixels, held_out) - right) <= 4
    found = tflite.compare(twin(*UNITS[name]), path, pixels, labels=held_out.labels[:200])
    assert abs(found.keras_accuracy - right / 200) <= 0.01
    assert found.agreement > 0.97


@pytest.mark.parametrize("scheme", ["float32", "int8"])
@pytest.mark.parametrize("unit", [(33.0, 79.0), (0.0, 255.0), ([40.0], [2.0])])
def test_mean_and_deviation_of_the_metadata(twin, digits, held_out, right, tmp_path, scheme, unit):
    mean, deviation = (float(np.ravel(one)[0]) for one in unit)
    model = twin(mean, deviation)
    options = {"representative": scaled(digits.images[:100], (mean, deviation)), "input_type": "int8"}
    path = tmp_path / "a.tflite"
    tflite.convert(model, path, scheme=scheme, normalization=unit, **(options if scheme == "int8" else {}))
    pixels = held_out.images[:200]
    for images in (pixels, pixels.astype("int64"), pixels + np.float32(0.0), scaled(pixels, (mean, deviation))):
        assert abs(correct(path, images, held_out) - right) <= (4 if scheme == "int8" else 1)
        assert tflite.compare(model, path, images, labels=held_out.labels[:200]).keras_accuracy == right / 200


def test_every_channel_has_its_own(tmp_path):
    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(inputs))
    mean, deviation = [123.7, 116.3, 103.5], [58.4, 57.1, 57.4]
    path = tflite.convert(model, tmp_path / "a.tflite", normalization=(mean, deviation)).path
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3)).astype("uint8")
    expected = ((pixels - np.array(mean)) / deviation).reshape(5, 12)
    np.testing.assert_allclose(Runner(path)(pixels), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(Runner(path)(expected.reshape(pixels.shape)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("input_type", ["float32", "int16"])
def test_a_symmetric_input_of_16_bits(network, twin, digits, held_out, right, tmp_path, input_type):
    """It goes as far below zero as above it: that of raw pixels is known by its size, those of scaled ones are not."""
    path, pixels = tmp_path / "a.tflite", held_out.images[:200]
    options = {"scheme": "int16x8", "input_type": input_type}
    tflite.convert(network, path, representative=digits.images[:100], **options)
    assert abs(correct(path, pixels, held_out) - right) <= 1
    assert correct(path, pixels.astype("float32"), held_out) == correct(path, pixels, held_out)
    with pytest.raises(ModelError, match="so near zero"):
        correct(path, pixels / np.float32(255), held_out)
    fractions = scaled(digits.images[:100], UNITS["[0, 1]"])
    tflite.convert(twin(*UNITS["[0, 1]"]), path, representative=fractions, **options)
    assert abs(correct(path, scaled(pixels, UNITS["[0, 1]"]), held_out) - right) <= 1
    with pytest.raises(ModelError, match="neither its range nor its metadata tells how they are scaled"):
        correct(path, pixels, held_out)


def test_own_integers_of_an_int8_input(twin, digits, held_out, tmp_path):
    images = scaled(digits.images[:100], UNITS["[0, 1]"])
    model = twin(*UNITS["[0, 1]"])
    path = tmp_path / "a.tflite"
    made = tflite.convert(model, path, scheme="int8", representative=images, input_type="int8")
    pixels = held_out.images[:50]
    own = made.input.quantize(scaled(pixels, UNITS["[0, 1]"]))
    np.testing.assert_array_equal(Runner(path).integers(own), Runner(path).integers(pixels))


def test_numbers_of_another_unit_are_refused(files, twin, digits, held_out, tmp_path, unsigned):
    pixels = held_out.images[:64]
    fraction, signed = pixels / np.float32(255), pixels / np.float32(127.5) - 1

    def converted(unit, **options):
        images = scaled(digits.images[:100], unit)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.tflite"
        return tflite.convert(
            twin(*unit), path, scheme="int8", representative=images, input_type="int8", **options
        ).path

    raw = tflite.convert(
        twin(0, 1), tmp_path / "raw.tflite", scheme="int8", representative=digits.images[:100], input_type="float32"
    ).path
    halves, sides = converted(UNITS["[0, 1]"]), converted(UNITS["[−1, 1]"])
    odd = converted((33.0, 79.0))
    for path, images, message in [
        (files["int8"].path, fraction, "numbers from 0 to 255.*or pixels as uint8. Received: .*so near zero"),
        (files["int8"].path, signed, "from 0 to 255.*% of those that are not zero outside|so near zero"),
        (raw, fraction, "so near zero"),
        (halves, pixels.astype("float32"), r"numbers from 0 to 1, .*from 0 to 255 .*\d+% of those that are not zero"),
        (unsigned("[0, 1]"), pixels.astype("float32"), "numbers from 0 to 1, .*or pixels as uint8"),
        (halves, signed, "numbers from 0 to 1, .*outside of that"),
        (sides, fraction, "numbers from -0.996.* to 1.*none of them below zero"),
        (sides, pixels.astype("float32"), "numbers from -0.996.* to 1.*outside of that"),
        (odd, pixels, r"numbers from -0.41\d+ to 2.81.*normalization=\(mean, std\)"),
        (converted((33.0, 79.0), normalization=(33.0, 79.0)), fraction, "none of them below zero"),
    ]:
        for refuse in (
            lambda path=path, images=images: tflite.evaluate(path, (images, held_out.labels[:64])),
            lambda path=path, images=images: tflite.compare(twin(0, 1), path, images),
            lambda path=path, images=images: Runner(path)(images),
            lambda path=path, images=images: tflite.evaluate(
                path, [(images[i : i + 1], held_out.labels[i : i + 1]) for i in range(64)]
            ),
        ):
            with pytest.raises(ModelError, match=message):
                refuse()


def test_one_dark_image_says_nothing_of_the_rest(files, held_out):
    """Single images are looked at together: the first may be nearly black."""
    images = held_out.images[:40].astype("float32")
    images[0] = 0.5
    data = [(images[i : i + 1], held_out.labels[i : i + 1]) for i in range(40)]
    assert tflite.evaluate(files["int8"].path, data).samples == 40
    assert Runner(files["int8"].path)(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 10)


def test_the_commands_scale_pixels_too(command, network, keras_file, digits, tmp_path):
    """The digits of the commands are uint8; the file's input stands for [0, 1], and the Keras model's too."""
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, network(keras.layers.Rescaling(255.0)(inputs)))
    images = scaled(digits.images[:100], UNITS["[0, 1]"])
    path, saved = tmp_path / "a.tflite", tmp_path / "a.keras"
    tflite.convert(model, path, scheme="int8", representative=images, input_type="int8")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save(saved)
    code, out, err = command("evaluate", path, "--data", "digits", "--count", 100, "--json")
    assert code == 0, err
    assert 0.8 < json.loads(out)["accuracy"] < 1
    code, out, err = command("compare", saved, path, "--data", "digits", "--count", 100, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["agreement"] > 0.97
    code, out, _ = command("compare", keras_file, path, "--data", "digits", "--count", 100, "--json")
    assert json.loads(out)["agreement"] < 0.5  # it takes raw pixels, the file does not
