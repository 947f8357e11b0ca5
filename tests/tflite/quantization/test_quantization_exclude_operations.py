"""The way out that a refusal names: operations and layers that stay in floating point, for 8 and for 16 bits."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import tflite
from tflite.conversion.export import _refused
from tflite.model_file.interpreter import Runner

IMAGES = np.random.default_rng(0).normal(size=(48, 8)).astype("float32")


def between(make):
    """A layer or operation between two dense layers; operations have names without a number, as in a new process."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    return keras.Model(inputs, layers.Dense(5, name="last")(make(layers.Dense(8, name="first")(inputs))))


def error(model, path, scheme, **options):
    """The largest difference of a quantization-aware model's file from Keras, as a share of the range; and the file."""
    aware = tflite.quantize_aware(model, scheme=scheme, **options)
    tflite.calibrate_ranges(aware, IMAGES)
    made = tflite.convert(aware, path, scheme=scheme)
    expected = np.asarray(model(IMAGES))
    return float(np.abs(Runner(made.path)(IMAGES) - expected).max() / np.ptp(expected)), made


# For 8 bits, the operator that the file computes in floating point.
REFUSED = {
    "sin": (ops.sin, "SIN"),
    "elu": (ops.elu, "ELU"),
    "softplus": (ops.softplus, "LOG"),
    "cos": (ops.cos, "COS"),
    "half": (layers.ELU(0.5, name="half"), "ELU"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_works_with_the_way_out_that_is_named(name, tmp_path):
    make, operator = REFUSED[name]
    model = between(make)
    with pytest.raises(tflite.ModelError, match=rf"exclude=\('{name}',\)"):
        tflite.quantize_aware(model)
    off, made = error(model, tmp_path / "a.tflite", "int8", exclude=(name,))
    assert 0 < off < 0.02
    assert operator in made.ops
    places = [one.place for one in tflite.inspect(made.path).operators if one.name == operator]
    assert all(place.startswith(f"{name}/") for place in places)


# What the converter has no kernel of 16 bits for, and gives integers all the same where it is not kept from it.
WIDE = {
    "log": lambda x: ops.log(ops.relu(x) + 1.0),
    "selu": ops.selu,
    "gelu": ops.gelu,
    "both": lambda x: layers.Concatenate(name="both")([x, layers.Dense(3)(x)]),
    "rows": lambda x: layers.Flatten()(
        layers.Add(name="rows")([layers.Reshape((4, 2))(x), layers.Reshape((4, 1))(x[:, :4])])
    ),
}


@pytest.mark.parametrize("name", WIDE)
def test_what_has_no_kernel_of_16_bits_works_with_the_way_out(name, tmp_path):
    model = between(WIDE[name])
    with pytest.raises(tflite.ModelError, match=rf"exclude=\('{name}',\)"):
        tflite.quantize_aware(model, scheme="int16x8")
    off, made = error(model, tmp_path / "a.tflite", "int16x8", exclude=(name,))
    assert 0 < off < 0.006
    assert "REVERSE_SEQUENCE" not in made.ops  # what kept the converter from it is gone


SUMS = {
    "residual": lambda x: layers.Add()([x, layers.Dense(8)(layers.ReLU()(x))]),
    "three": lambda x: layers.Add()([x, layers.Dense(8)(x), layers.Dense(8)(x)]),
    "average": lambda x: layers.Average()([x, layers.Dense(8)(x)]),
    "operation with relu": lambda x: layers.ReLU()(x + layers.Dense(8)(x)),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_vectors_in_16_bits(name, tmp_path):
    off, made = error(between(SUMS[name]), tmp_path / "a.tflite", "int16x8")
    assert 0 < off < 0.006
    assert tflite.inspect(made.path).is_integer


def rows(x):
    return layers.Add()([layers.Dense(6)(x), layers.Dense(1)(x)])


class Inside(layers.Layer):
    """The sum of `keras.ops` in a layer of one's own."""

    def build(self, input_shape):
        self.wide, self.narrow = layers.Dense(6), layers.Dense(1)
        self.wide.build(input_shape)
        self.narrow.build(input_shape)
        self.built = True

    def call(self, inputs):
        return ops.add(self.wide(inputs), self.narrow(inputs))


@pytest.mark.parametrize("make", [rows, lambda x: layers.Dense(6)(x) + layers.Dense(1)(x), Inside()])
def test_a_number_for_each_row_is_added_to_rows_and_not_to_columns(make, tmp_path):
    """In a batch of one, `keras.ops.add` takes (1, 6, 1) for a bias of six channels; in a larger one it does not."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, make(inputs))
    images = np.random.default_rng(0).normal(size=(8, 6, 4)).astype("float32")
    made = tflite.convert(model, tmp_path / "a.tflite")
    wide, narrow = (images @ kernel + bias for kernel, bias in zip(*[iter(model.get_weights())] * 2, strict=True))
    np.testing.assert_allclose(Runner(made.path)(images), wide + narrow, rtol=1e-4, atol=1e-5)


def test_the_converter_s_own_words_are_one_sentence_with_the_layer():
    said = (
        '<unknown>:0: error: loc(callsite(fused["AddV2:", "block/sum/Add@__inference_output_1"] at callsite(fused["S:",'
        " \"S@__inference\"]))): 'tfl.add' op failed to verify that Operands should have valid shapes\n<unknown>: note"
    )
    assert _refused(said, ("block", "block/sum")) == (
        "the converter does not take add of layer 'block/sum': failed to verify that Operands should have valid "
        "shapes. Use another layer or scheme"
    )
