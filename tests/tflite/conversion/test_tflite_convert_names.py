"""Names that applications and messages need: signatures, tensors, layers; and models that are refused by name."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import tflite
from tflite import ConversionError, ModelError


@pytest.mark.parametrize("scheme", tflite.SCHEMES)
def test_signature_and_tensors_are_called_the_same_in_every_file(files, scheme):
    interpreter = Interpreter(model_path=str(files[scheme].path))
    assert interpreter.get_signature_list() == {"serve": {"inputs": ["pixels"], "outputs": ["output_0"]}}
    assert [detail["name"] for detail in interpreter.get_input_details()] == ["pixels"]
    assert [detail["name"] for detail in interpreter.get_output_details()] == ["output_0"]
    assert (files[scheme].input.name, files[scheme].output.name) == ("pixels", "output_0")


def test_tensors_tell_their_layers(files, network):
    names = [operator.outputs[0].name for operator in tflite.inspect(files["float32"].path).operators]
    kernels = [layer.name for layer in network.layers if hasattr(layer, "kernel")]
    for kernel in kernels[:-1]:  # the last is the output
        assert len([name for name in names if f"{kernel}/" in name]) == 1


def test_layers_whose_names_look_like_those_of_copies(tmp_path):
    inputs = x = keras.Input((8, 8, 1))
    for name in ("conv", "conv_1", "conv_1_1"):
        x = layers.Conv2D(2, 3, name=name)(x)
    block = keras.Sequential([keras.Input((2, 2, 2)), layers.Conv2D(2, 2, name="conv")], name="block")
    model = keras.Model(inputs, layers.Flatten()(block(x)))
    path = tflite.convert(model, tmp_path / "a.tflite").path
    names = [op.outputs[0].name for op in tflite.inspect(path).operators if op.name == "CONV_2D"]
    assert [name.split(";")[0].rpartition("/")[0] for name in names] == ["conv", "conv_1", "conv_1_1", "block/conv"]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype("uint8")


def bent(*activations, last=None):
    """Convolutions, each with one of the activations; "bend_0" and so on are their names."""
    inputs = x = keras.Input((8, 8, 1))
    for number, activation in enumerate(activations):
        x = layers.Activation(activation, name=f"bend_{number}")(layers.Conv2D(2, 1)(x))
    x = layers.Dense(2, name="out")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Activation(last, name="end")(x) if last else x)


def test_float_operators_are_told_with_their_layers(tmp_path, images):
    for model, message in [
        (bent("elu", "relu", "elu"), "2× ELU; layers 'bend_0', 'bend_2'"),
        (bent("relu", last="elu"), "1× ELU; layers 'end'"),
    ]:
        with pytest.raises(ConversionError, match=f"in an int8 file. .*{message}"):
            tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images)
    assert list(tmp_path.iterdir()) == []


def test_an_operator_without_16_bit_kernel_is_told_with_its_layer(tmp_path, images):
    with pytest.raises(ConversionError, match="to int16x8: there is no integer kernel for ELU of layer 'bend_1'"):
        tflite.convert(bent("relu", "elu"), tmp_path / "a.tflite", scheme="int16x8", representative=images)
    assert list(tmp_path.iterdir()) == []


class Cholesky(layers.Layer):
    def call(self, x):
        return keras.ops.linalg.cholesky(x[..., 0])


def test_an_operator_that_tflite_lacks_is_told_with_its_layer(tmp_path):
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, Cholesky(name="factor")(layers.Conv2D(1, 1)(inputs)), name="hard")
    with pytest.raises(
        ConversionError, match="'hard' to float32: TFLite has no operator for Cholesky of layer 'factor'"
    ):
        tflite.convert(model, tmp_path / "a.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(tmp_path, value):
    model = bent("relu")
    kernel, bias = model.get_layer("out").get_weights()
    kernel[3, 1] = value
    model.get_layer("out").set_weights([kernel, bias])
    size = kernel.size
    with pytest.raises(ModelError, match=rf"finite weights. Received: 'out/kernel' .* with 1 of {size} values"):
        tflite.convert(model, tmp_path / "a.tflite")
    assert list(tmp_path.iterdir()) == []


def test_weights_are_never_integers_by_accident(files):
    """Float files hold float weights, float16 ones float16, dynamic ones no quantized activation."""
    types = {scheme: set(tflite.inspect(made.path).weight_bytes_by_type) for scheme, made in files.items()}
    assert types["float32"] == {"float32"}
    assert types["float16"] == {"float16"}
    assert types["dynamic"] == {"int8", "float32"}
    assert types["int8"] == {"int8", "int32"}
    assert types["int16x8"] >= {"int8", "int64"}
    made = [t for op in tflite.inspect(files["dynamic"].path).operators for t in op.outputs]
    assert {tensor.dtype for tensor in made} == {"float32"}
