"""Biases that several operators add: each in steps of its own input, whatever the converter shares."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite.conversion.postprocess.own_biases import own_biases
from tflite.conversion.postprocess.packing import unpacked
from tflite.model_file.interpreter import Runner

IMAGE = (6, 6, 3)


def nested():
    inputs = keras.Input(IMAGE)
    x = layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same", use_bias=False)(inputs))
    return keras.Model(inputs, layers.ReLU()(x))


LAYERS = {
    "dense": (lambda: layers.Dense(5), (6,)),
    "convolution": (lambda: layers.Conv2D(3, 3, padding="same"), IMAGE),
    "depthwise": (lambda: layers.DepthwiseConv2D(3), IMAGE),
    "transposed": (lambda: layers.Conv2DTranspose(3, 3), IMAGE),
    "sequence": (lambda: layers.Conv1D(3, 3), (6, 3)),
    "nested model": (nested, IMAGE),
}


def with_biases(model):
    """Kernels and biases of like size, from a fixed seed."""
    draws = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name in ("bias", "beta"):
            weight.assign(draws.normal(size=weight.shape))
    return model


def two_towers(layer, shape, other=None):
    """One layer on an input and on seven times of it, as a Siamese network has it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    first, second = layer(inputs), (other or layer)(layers.Rescaling(7.0)(inputs))
    return with_biases(keras.Model(inputs, layers.Concatenate()([first, second])))


def error(model, path, scheme):
    """The largest difference of the file from Keras, as a share of the range of the answers."""
    images = np.random.default_rng(0).normal(size=(48, *model.input_shape[1:])).astype("float32")
    types = {"input_type": "int8"} if scheme == "int8" else {}
    made = tflite.convert(model, path, scheme=scheme, representative=images, **types)
    expected = np.asarray(model(images))
    return float(np.abs(Runner(made.path)(images) - expected).max() / np.ptp(expected))


def integers(graph):
    """The integers of each bias in an unpacked file, and the steps that the runtime takes them for."""
    tensors = graph.subgraphs[0].tensors
    for operator in graph.subgraphs[0].operators:
        if len(operator.inputs) == 3:
            entered, weights, bias = (tensors[place] for place in operator.inputs)
            steps = entered.quantization.scale[0] * weights.quantization.scale
            yield np.asarray(graph.buffers[bias.buffer].data).view("<i8"), steps


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_that_is_called_on_inputs_of_two_ranges(name, tmp_path):
    make, shape = LAYERS[name]
    assert 0 < error(two_towers(make(), shape), tmp_path / "a.tflite", "int16x8") < 0.006


def test_a_layer_that_is_called_twice_computes_as_well_with_8_bits(tmp_path):
    assert 0 < error(two_towers(layers.Dense(5), (6,)), tmp_path / "a.tflite", "int8") < 0.02


def test_two_layers_with_the_same_numbers_in_their_biases(tmp_path):
    model = two_towers(layers.Dense(5, name="first"), (6,), layers.Dense(5, name="second"))
    model.get_layer("second").bias.assign(model.get_layer("first").bias)
    assert 0 < error(model, tmp_path / "a.tflite", "int16x8") < 0.006


def test_the_integers_of_each_bias_stand_for_the_bias(tmp_path):
    model = two_towers(layers.Dense(5, name="shared"), (6,))
    error(model, tmp_path / "a.tflite", "int16x8")
    graph = unpacked((tmp_path / "a.tflite").read_bytes())
    found = list(integers(graph))
    assert len(found) == 2
    for numbers, steps in found:
        np.testing.assert_allclose(numbers * steps, model.get_layer("shared").get_weights()[1], atol=1e-3)


@pytest.mark.parametrize(("factor", "told"), [(1e6, True), (4.0, False)])
def test_steps_that_are_too_coarse_are_told(factor, told, tmp_path):
    error(two_towers(layers.Dense(5), (6,)), tmp_path / "a.tflite", "int16x8")
    graph = unpacked((tmp_path / "a.tflite").read_bytes())
    for operator in graph.subgraphs[0].operators:
        if len(operator.inputs) == 3:
            bias = graph.subgraphs[0].tensors[operator.inputs[2]]
            bias.quantization.scale = bias.quantization.scale * np.float32(factor)
    if told:
        with pytest.raises(tflite.ConversionError, match=r"the same bias to have inputs of like ranges.*scheme='int8'"):
            own_biases(graph)
        return
    before = [np.array(numbers) for numbers, _ in integers(graph)]
    own_biases(graph)
    for (numbers, _), old in zip(integers(graph), before, strict=True):
        np.testing.assert_array_equal(numbers, 4 * old)
