"""Findings: for each kind a file that was made to have it, and files that have none."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils
from keras import layers

import tflite


def network(middle: Callable, channels: int = 8) -> keras.Model:
    """A convolution, something in the middle, another convolution and a classifier."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = middle(layers.Conv2D(channels, 3, padding="same")(inputs))
    x = layers.Conv2D(8, 3, activation="relu", padding="same")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype("float32")


@pytest.fixture
def written(tmp_path, images):
    """Writes a network with TensorFlow's converter, its options as they are passed."""

    def write(model, *, batch=1, integer=False, ops="TFLITE_BUILTINS_INT8", **options):
        import tensorflow as tf

        archive = keras.export.ExportArchive()
        archive.track(model)
        signature = keras.InputSpec(shape=(batch, *model.input_shape[1:]), dtype="float32")
        archive.add_endpoint("serve", lambda x: model(x, training=False), input_signature=[signature])
        archive.write_out(str(tmp_path / "saved"), verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
        if integer:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image[None]] for image in images)
            converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, ops)]
        for name, value in options.items():
            setattr(converter, name, value)
        path = tmp_path / "a.tflite"
        path.write_bytes(converter.convert())
        return path

    return write


def found(path) -> dict[str, tflite.Finding]:
    return {finding.kind: finding for finding in tflite.inspect(path).findings}


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8"])
def test_a_clean_file_has_none(files, scheme):
    assert tflite.inspect(files[scheme].path).findings == ()


def test_partitions_and_fallback(written):
    path = written(network(lambda x: keras.ops.cumsum(x, axis=1)))
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    listed = [operator["op_name"] for operator in interpreter._get_ops_details()]
    assert listed.count("DELEGATE") == 2
    inspected = tflite.inspect(path)
    sum_at = [operator.name for operator in inspected.operators].index("CUMSUM")
    first, second = inspected.partitions
    assert [*first, sum_at, *second] == list(range(len(inspected.operators)))
    assert [operator.name for operator in inspected.fallback] == ["CUMSUM"]
    assert [cost.delegated for cost in inspected.costs].count(False) == 1
    assert set(found(path)) == {"partitions", "fallback"}
    assert "2 parts" in found(path)["partitions"].what
    assert found(path)["fallback"].what.startswith("XNNPACK does not take 1 CUMSUM")
    assert "Cumsum" in found(path)["fallback"].where[0]


def test_dynamic_batch(written):
    path = written(network(lambda x: x), batch=None)
    [entered] = Interpreter(model_path=str(path)).get_input_details()
    assert list(entered["shape_signature"]) == [-1, 8, 8, 3]
    assert found(path)["dynamic_batch"].where == (entered["name"],)


def test_float_operators_and_inner_conversions(written):
    path = written(network(lambda x: layers.Activation("elu")(x)), integer=True)
    kinds = found(path)
    assert kinds["float_operators"].what.startswith("1 ELU compute")
    assert "Elu" in kinds["float_operators"].where[0]
    assert "ReLU6" in kinds["float_operators"].remedy
    assert kinds["inner_conversions"].what.startswith("1 DEQUANTIZE, 1 QUANTIZE inside")


def test_per_tensor_weights(written):
    path = written(network(lambda x: x), integer=True, _experimental_disable_per_channel=True)
    assert set(found(path)) == {"per_tensor_weights"}
    assert found(path)["per_tensor_weights"].what.startswith("The weights of 2 CONV_2D have one scale")
    assert len(found(path)["per_tensor_weights"].where) == 2


def test_uint8_weights(written, images, tmp_path):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    dense = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3)])
    path = written(dense, integer=True, inference_input_type=tf.int8, inference_output_type=tf.int8)
    model = flatbuffer_utils.read_model(path)
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8:
            tensor.type = schema.TensorType.UINT8
            tensor.quantization.zeroPoint = [point + 128 for point in tensor.quantization.zeroPoint]
            tensor.quantization.scale = [max(tensor.quantization.scale)]
            tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:1]
            data = model.buffers[tensor.buffer].data
            if data is not None:
                model.buffers[tensor.buffer].data = np.asarray(data, "uint8") ^ 128
    old = tmp_path / "old.tflite"
    flatbuffer_utils.write_model(model, old)
    assert "uint8_weights" in found(old)
    assert found(old)["uint8_weights"].what.startswith("1 weights are uint8")
    assert found(old)["uint8_weights"].where == tuple(
        tensor.name for tensor in tflite.inspect(old).operators[-1].inputs if tensor.constant and len(tensor.shape) == 2
    )


def test_int16_activations(written):
    ops = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    path = written(network(lambda x: x), integer=True, ops=ops)
    kinds = found(path)
    assert kinds["int16_activations"].what.startswith("2 CONV_2D")
    assert tflite.inspect(path).partitions == ()
    assert "2 CONV_2D" in kinds["fallback"].what


@pytest.mark.parametrize(("activation", "name"), [("hard_swish", "HARD_SWISH"), ("leaky_relu", "LEAKY_RELU")])
def test_unfused_activations(written, activation, name):
    path = written(network(lambda x: layers.Activation(activation)(x)))
    assert set(found(path)) == {"unfused_activations"}
    assert found(path)["unfused_activations"].what.startswith(f"1 {name} did not fuse")


def test_relu_that_something_else_bypasses_does_not_fuse(written):
    path = written(network(lambda x: layers.Add()([x, layers.ReLU()(x)])))
    assert found(path)["unfused_activations"].what.startswith("1 RELU did not fuse")


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_fused_activations_are_none(written, activation):
    path = written(network(lambda x: layers.Activation(activation)(x)))
    assert found(path) == {}
    fused = [operator.activation for operator in tflite.inspect(path).operators if operator.name == "CONV_2D"]
    assert fused == [activation.upper(), "RELU"]


def test_an_activation_at_the_end_is_none(written):
    inputs = keras.Input((8, 8, 3))
    x = layers.Dense(2, activation="sigmoid")(layers.Flatten()(inputs))
    assert found(written(keras.Model(inputs, x))) == {}


def test_unfolded_normalization(written):
    def norm(x):
        layer = layers.BatchNormalization()
        x = layer(layers.ReLU()(x))
        layer.set_weights([np.linspace(1, 2, 8), np.linspace(0, 1, 8), np.linspace(-1, 1, 8), np.linspace(1, 2, 8)])
        return layers.ReLU()(x)

    path = written(network(norm))
    assert found(path)["unfolded_normalization"].what.startswith("1 MUL, 1 ADD with one constant a channel")


def test_scaling_of_the_input_is_none(written):
    inputs = keras.Input((8, 8, 3))
    scaled = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(scaled))))
    assert found(written(model)) == {}


def test_odd_channels(written):
    path = written(network(lambda x: x, channels=12))
    assert set(found(path)) == {"odd_channels"}
    assert found(path)["odd_channels"].what.startswith("1 CONV_2D have 12 channels, not a multiple of 8")


def test_scaling_of_the_input_by_a_convolution_is_none(written):
    """As a quantization-aware model has it: its channels are those of the image."""
    inputs = keras.Input((8, 8, 3))
    x = layers.DepthwiseConv2D(1, bias_initializer="ones")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3)(x))))
    path = written(model, integer=True)
    assert "DEPTHWISE_CONV_2D" in [operator.name for operator in tflite.inspect(path).operators]
    assert found(path) == {}


def test_a_file_that_cannot_be_run(written, tmp_path):
    path = written(network(lambda x: keras.ops.cumsum(x, axis=1)))
    model = flatbuffer_utils.read_model(path)
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    place = codes.index(schema.BuiltinOperator.CUMSUM)
    code = model.operatorCodes[place]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = "FlexCumsum"
    [operator] = [operator for operator in model.subgraphs[0].operators if operator.opcodeIndex == place]
    operator.builtinOptionsType, operator.builtinOptions = 0, None
    other = tmp_path / "flex.tflite"
    flatbuffer_utils.write_model(model, other)
    tflite.check(other, use="inspect")
    with pytest.raises(tflite.ModelError, match=r"cannot be run: .*FlexCumsum"):
        tflite.check(other)
    inspected = tflite.inspect(other)
    assert inspected.partitions is None
    assert [finding.kind for finding in inspected.findings] == ["not_runnable"]
    assert inspected.findings[0].what == "The interpreter cannot run this file (1 FlexCumsum)"
    [custom] = [operator for operator in inspected.operators if operator.custom]
    assert inspected.costs[custom.index].multiply_adds is None


def test_findings_are_json(written):
    [record] = tflite.inspect(written(network(lambda x: x, channels=12))).to_dict()["findings"]
    assert set(record) == {"kind", "where", "what", "remedy"}
    assert isinstance(record["where"], list)
