"""Files of several inputs and outputs, and of integers: each tensor is the one of that name, whatever order it has."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import tflite

RNG = np.random.default_rng(0)
SAMPLES = {
    "image": RNG.integers(0, 256, (40, 6, 6, 3)).astype("float32"),
    "sensor": RNG.normal(size=(40, 5)).astype("float32"),
    "other": RNG.normal(size=(40, 5)).astype("float32") * 3,
    "tokens": RNG.integers(0, 11, (40, 7)).astype("int32"),
}
# Names whose alphabetical order is another.
NAMES = {"image": "z", "sensor": "sensor", "other": "b", "tokens": "a"}


def network(form="list"):
    """Two inputs and two outputs of one shape, one input of words, one output of a yes: order alone tells nothing."""
    keras.utils.set_random_seed(0)
    called = NAMES if form == "dict" else {name: name for name in NAMES}
    image = keras.Input((6, 6, 3), name=called["image"])
    tokens = keras.Input((7,), dtype="int32", name=called["tokens"])
    other, sensor = keras.Input((5,), name=called["other"]), keras.Input((5,), name="sensor")
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    words = layers.GlobalAveragePooling1D()(layers.Embedding(11, 4)(tokens))
    x = layers.concatenate([layers.GlobalAveragePooling2D()(x), words, layers.Dense(4)(sensor), layers.Dense(4)(other)])
    second, first = layers.Dense(3, name="second")(x), layers.Dense(3, name="first")(x)
    valid = layers.Dense(1, activation="sigmoid", name="a_yes")(x)
    if form == "dict":
        return keras.Model(
            {"z": image, "sensor": sensor, "b": other, "a": tokens}, {"two": second, "one": first, "yes": valid}
        )
    return keras.Model([image, sensor, other, tokens], [second, first, valid])


def given(form):
    return {key: SAMPLES[name] for name, key in NAMES.items()} if form == "dict" else list(SAMPLES.values())


def run(path, samples):
    """All outputs by the names of the signature, by the runtime's own interpreter: {name: real numbers}."""
    interpreter = Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner("serve")
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    found = {name: [] for name in outputs}
    for i in range(len(next(iter(samples.values())))):
        feed = {}
        for name, detail in inputs.items():
            scale, zero = detail["quantization"]
            value = samples[name][i : i + 1]
            if scale:
                limits = np.iinfo(detail["dtype"])
                value = np.clip(np.rint(value / scale) + zero, limits.min, limits.max)
            feed[name] = value.astype(detail["dtype"])
        for name, value in runner(**feed).items():
            scale, zero = outputs[name]["quantization"]
            found[name].append((value.astype("float32") - zero) * scale if scale else value)
    return {name: np.concatenate(parts) for name, parts in found.items()}


@pytest.mark.parametrize("form", ["list", "dict"])
@pytest.mark.parametrize(("scheme", "bound"), [("float32", 1e-5), ("float16", 2e-3), ("dynamic", 0.03), ("int8", 0.04)])
def test_each_name_has_the_numbers_of_keras(scheme, bound, form, tmp_path):
    model = network(form)
    names = ("a", "b", "sensor", "z") if form == "dict" else ("image", "sensor", "other", "tokens")
    outputs = ("one", "two", "yes") if form == "dict" else ("second", "first", "a_yes")
    representative = given(form) if scheme == "int8" else None
    made = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme, representative=representative)
    assert tuple(port.name for port in made.inputs) == names
    assert tuple(port.name for port in made.outputs) == outputs
    expected = model.predict(given(form), verbose=0)
    expected = expected if form == "dict" else dict(zip(outputs, expected, strict=True))
    received = run(made.path, given(form) if form == "dict" else SAMPLES)
    assert received.keys() == expected.keys()
    for name in outputs:
        error = np.abs(received[name] - expected[name]).max() / np.ptp(expected[name])
        assert error < bound
    if scheme == "int8":
        assert tflite.inspect(made.path).is_integer
        assert {port.name: port.dtype for port in made.inputs}["a" if form == "dict" else "tokens"] == "int32"
        # Raw pixels of one of several inputs enter as they are, less 128.
        pixels = next(port for port in made.inputs if len(port.shape) == 4)
        assert (pixels.dtype, pixels.scale, pixels.zero_point) == ("int8", pytest.approx(1.0), -128)


def test_representative_data_in_every_form_gives_the_same_file(tmp_path):
    model = network("dict")
    whole = given("dict")

    def written(representative):
        return tflite.convert(
            model, tmp_path / "a.tflite", scheme="int8", representative=representative
        ).path.read_bytes()

    expected = written(whole)
    in_order = [whole[name] for name in ("a", "b", "sensor", "z")]
    labels = {name: np.zeros(40) for name in ("one", "two", "yes")}
    for form in (
        in_order,
        (whole, labels),
        tf.data.Dataset.from_tensor_slices((whole, labels)).batch(7),
        [{name: array[part] for name, array in whole.items()} for part in (slice(0, 25), slice(25, 40))],
        lambda: ({name: array[i : i + 1] for name, array in whole.items()} for i in range(40)),
        lambda: (("serve", {name: array[i : i + 9] for name, array in whole.items()}) for i in range(0, 40, 9)),
    ):
        assert written(form) == expected


@pytest.mark.parametrize(
    ("representative", "message"),
    [
        ({"a": SAMPLES["tokens"]}, r"Expected inputs named \['a', 'b', 'sensor', 'z'\]\. Received: \['a'\]"),
        (SAMPLES["image"], r"as a dictionary or a list of arrays in this order.*Received: one array \(40, 6, 6, 3\)"),
        ({**given("dict"), "b": SAMPLES["other"][:5]}, r"as many samples of each input\. Received: .*5 of 'b'"),
        ({**given("dict"), "b": SAMPLES["image"]}, r"shape \(n, 5\) for 'b'\. Received: \(40, 6, 6, 3\)"),
        ({**given("dict"), "a": SAMPLES["tokens"] + 0.5}, r"Expected whole numbers .*for 'a', which is int32"),
        ([given("dict"), 3], r"Expected batches of .*Received: int"),
    ],
)
def test_other_representative_data_is_told(representative, message, tmp_path):
    with pytest.raises(tflite.ModelError, match=message):
        tflite.convert(network("dict"), tmp_path / "a.tflite", scheme="int8", representative=representative)


def test_words_alone_are_an_input_under_their_name(tmp_path):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.Conv1D(6, 3, activation="relu")(layers.Embedding(11, 4)(tokens))
    model = keras.Model(tokens, layers.Dense(3)(layers.GlobalMaxPooling1D()(x)))
    expected = model.predict(SAMPLES["tokens"], verbose=0)
    for scheme, bound in {"float32": 1e-5, "dynamic": 0.03, "int8": 0.04}.items():
        representative = SAMPLES["tokens"] if scheme == "int8" else None
        made = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme, representative=representative)
        assert (made.input.name, made.input.dtype, made.output.name) == ("tokens", "int32", "output_0")
        [received] = run(made.path, {"tokens": SAMPLES["tokens"]}).values()
        assert np.abs(received - expected).max() / np.ptp(expected) < bound
    with pytest.raises(tflite.ModelError, match=r"int16x8', whose converter takes no integers.*int8' or 'dynamic'"):
        tflite.convert(model, tmp_path / "a.tflite", scheme="int16x8", representative=SAMPLES["tokens"])


def test_one_tensor_may_be_two_outputs_and_an_input_an_output(tmp_path):
    inputs = keras.Input((5,), name="sensor")
    x = layers.Dense(3, name="x")(inputs)
    model = keras.Model(inputs, [x, x, inputs])
    made = tflite.convert(model, tmp_path / "a.tflite")
    received = run(made.path, {"pixels": SAMPLES["sensor"]})
    expected = model.predict(SAMPLES["sensor"], verbose=0)
    for name, numbers in zip(("x", "x_1", "sensor"), expected, strict=True):
        np.testing.assert_allclose(received[name], numbers, atol=1e-5)
