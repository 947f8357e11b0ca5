"""Quantization-aware models of several inputs and outputs, and their files."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite.model_file.named_runner import open_runner

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (48, 8, 8, 3)).astype("float32")
SENSOR = RNG.normal(size=(48, 5)).astype("float32")
GIVEN = [IMAGES, SENSOR]


def network(merge=layers.Concatenate):
    keras.utils.set_random_seed(0)
    image, sensor = keras.Input((8, 8, 3), name="z_image"), keras.Input((5,), name="sensor")
    x = layers.Conv2D(6, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = merge()([layers.GlobalAveragePooling2D()(x), layers.Dense(6, activation="relu")(sensor)])
    outputs = [layers.Dense(4, name="classes")(x), layers.Dense(1, activation="sigmoid", name="a_yes")(x)]
    return keras.Model([image, sensor], outputs)


@pytest.fixture(scope="module")
def trained():
    aware = tflite.quantize_aware(network())
    aware.compile("adam", loss={"classes": "mse", "a_yes": "mse"})
    labels = {"classes": RNG.normal(size=(48, 4)), "a_yes": RNG.integers(0, 2, (48, 1))}
    aware.fit(GIVEN, labels, batch_size=16, epochs=1, verbose=0)
    return aware


def test_the_file_answers_as_the_trained_model(trained, tmp_path):
    made = tflite.convert(trained, tmp_path / "a.tflite", scheme="int8")
    assert tflite.inspect(made.path).is_integer
    assert [port.name for port in made.inputs] == ["z_image", "sensor"]
    assert [port.name for port in made.outputs] == ["classes", "a_yes"]
    assert made.inputs[0].scale == pytest.approx(1.0)  # raw pixels
    received = open_runner(made.path)(GIVEN)
    for port, numbers, expected in zip(made.outputs, received, trained.predict(GIVEN, verbose=0), strict=True):
        steps = np.abs(numbers - expected) / port.scale
        assert (steps.mean() < 0.3, steps.max() <= 2.01) == (True, True)
        assert np.ptp(expected) > 10 * port.scale


def test_ranges_are_measured_on_any_form_and_given_by_name(tmp_path):
    aware = tflite.quantize_aware(network(layers.Add), scheme="int16x8", input_range={"sensor": (-5.0, 5.0)})
    tflite.calibrate_ranges(aware, [(GIVEN, np.zeros(48))])
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int16x8")
    for numbers, expected in zip(
        open_runner(made.path)(GIVEN), network(layers.Add).predict(GIVEN, verbose=0), strict=True
    ):
        assert np.abs(numbers - expected).max() < 0.02 * np.ptp(expected)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int16x8", input_type="int16")
    assert made.inputs[1].scale == pytest.approx(5 / 32767, rel=1e-3)
    with pytest.raises(tflite.ModelError, match=r"input_range` as \{name.*\['z_image', 'sensor'\]"):
        tflite.quantize_aware(network(), input_range=(0.0, 1.0))
    with pytest.raises(tflite.ModelError, match=r"Did you mean 'sensor'"):
        tflite.quantize_aware(network(), input_range={"senssor": (0.0, 1.0)})


def test_ranges_without_a_training(tmp_path):
    made = tflite.convert(network(), tmp_path / "a.tflite", scheme="int8", representative=GIVEN, calibration="mse")
    for numbers, expected in zip(open_runner(made.path)(GIVEN), network().predict(GIVEN, verbose=0), strict=True):
        assert 0 < np.abs(numbers - expected).max() < 0.05 * np.ptp(expected)


def test_words_are_refused_before_the_training_with_a_way_out_that_works(tmp_path):
    keras.utils.set_random_seed(0)
    tokens = keras.Input((7,), dtype="int32", name="tokens")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(11, 4)(tokens))
    model = keras.Model(tokens, layers.Dense(3)(x))
    with pytest.raises(tflite.ModelError, match=r"'tokens' of int32\. Post-training int8 takes integers"):
        tflite.quantize_aware(model)
    words = RNG.integers(0, 11, (40, 7))
    made = tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=words)
    expected = model.predict(words, verbose=0)
    assert np.abs(open_runner(made.path)([words])[0] - expected).max() < 0.04 * np.ptp(expected)
