"""What a file holds, against the interpreter's own listing and counts by hand."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.schema_py_generated import TensorType
from ai_edge_litert.tools import flatbuffer_utils
from keras import layers

import tflite
from distiller import models
from tflite import ModelError
from tflite.model_file.flatbuffer import Flatbuffer


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8"])
def test_tensors_and_operators_are_those_the_interpreter_lists(files, scheme):
    found = tflite.inspect(files[scheme].path)
    interpreter = Interpreter(model_path=str(files[scheme].path))
    listed = interpreter._get_ops_details()
    assert [op.name for op in found.operators] == [op["op_name"] for op in listed]
    assert [op.index for op in found.operators] == [op["index"] for op in listed]
    details = {t["index"]: t for t in interpreter.get_tensor_details()}
    for op, other in zip(found.operators, listed, strict=True):
        for got, index in zip(op.inputs + op.outputs, [*other["inputs"], *other["outputs"]], strict=True):
            assert got.name == details[index]["name"]
            assert got.dtype == details[index]["dtype"].__name__
            assert got.shape == tuple(details[index]["shape"])
            assert list(got.scales) == details[index]["quantization_parameters"]["scales"].tolist()
            assert list(got.zero_points) == details[index]["quantization_parameters"]["zero_points"].tolist()


def test_float_operators(files):
    assert tflite.inspect(files["int8"].path).float_operators == ()
    for scheme in ("float32", "float16", "dynamic"):
        found = tflite.inspect(files[scheme].path)
        assert not found.is_integer
        assert "CONV_2D" in {op.name for op in found.float_operators}


def test_conversions_of_the_interface_are_not_float_operators(digits, tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    options = {"input_type": "float32", "output_type": "float32"}
    path = tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=digits.images[:5], **options).path
    found = tflite.inspect(path)
    assert (found.operators[0].name, found.operators[-1].name) == ("QUANTIZE", "DEQUANTIZE")
    assert found.is_integer
    assert (found.inputs[0].dtype, found.outputs[0].dtype) == ("float32", "float32")


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8"])
def test_parameters_counted_by_hand(digits, tmp_path, scheme):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(5, bias_initializer="ones"),  # a bias of zeros would be left out
        ]
    )
    images = digits.images[:5] if scheme == "int8" else None
    path = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme, representative=images).path
    convolution, dense = 3 * 3 * 1 * 4 + 4, 6 * 6 * 4 * 5 + 5
    assert tflite.inspect(path).parameters == convolution + dense


@pytest.fixture(scope="module")
def recurrent():
    """A network with a loop: what it multiplies with is in another subgraph of its file."""
    inputs = keras.Input((12, 6))
    return keras.Model(inputs, layers.Dense(3, bias_initializer="ones")(layers.GRU(32, name="loop")(inputs)))


def test_weights_inside_of_a_loop_are_counted(recurrent, tmp_path):
    found = tflite.inspect(tflite.convert(recurrent, tmp_path / "a.tflite").path)
    model = flatbuffer_utils.read_model(str(found.path))
    floats = {t.buffer for graph in model.subgraphs for t in graph.tensors if t.type == TensorType.FLOAT32}
    held = {buffer: model.buffers[buffer].data for buffer in floats}
    assert len(model.subgraphs) == 3
    assert 4 * found.parameters == sum(data.size for data in held.values() if data is not None)
    assert found.parameters >= 3 * 32 * (6 + 32) + 32 * 3 + 3  # kernels; biases of zeros are left out
    assert found.weight_bytes_by_type == {"float32": 4 * found.parameters}
    found = tflite.inspect(tflite.convert(recurrent, tmp_path / "b.tflite", scheme="dynamic").path)
    assert found.weight_bytes_by_type["int8"] == 3 * 32 * 32  # of the recurrent kernel; the others are too small


def test_json(files):
    found = tflite.inspect(files["int8"].path)
    read = json.loads(found.to_json())
    assert read == found.to_dict()
    assert read["bytes"] == files["int8"].path.stat().st_size
    assert read["inputs"] == [
        {"name": found.inputs[0].name, "dtype": "uint8", "shape": [1, 8, 8, 1], "scale": 1.0, "zero_point": 0}
    ]
    assert len(read["operators"]) == len(files["int8"].ops)


def test_truncated_file(files, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(files["int8"].path.read_bytes()[:-500])
    with pytest.raises(ModelError, match=r"cut\.tflite' is damaged or truncated"):
        tflite.inspect(path)


def test_multiply_adds_are_those_of_the_network(files, network):
    for scheme in ("float32", "float16", "dynamic", "int8"):
        found = tflite.inspect(files[scheme].path)
        assert found.multiply_adds == models.multiply_adds(network)
        assert sum(cost.multiply_adds for cost in found.costs) == found.multiply_adds


def test_multiply_adds_counted_by_hand(tmp_path):
    inputs = keras.Input((8, 8, 4))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(inputs)  # 8×8×8 numbers, 3×3 each
    x = layers.Conv2DTranspose(6, 2, strides=2)(x)  # each of 8×8×8 numbers goes to 2×2×6
    x = layers.Reshape((16 * 16, 6))(x)
    x = keras.ops.matmul(keras.ops.transpose(x, (0, 2, 1)), x)  # 6×6 numbers, 256 each
    model = keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))
    found = tflite.inspect(tflite.convert(model, tmp_path / "a.tflite").path)
    by_name = {found.operators[cost.index].name: cost.multiply_adds for cost in found.costs if cost.multiply_adds}
    assert by_name == {
        "DEPTHWISE_CONV_2D": 8 * 8 * 8 * 9,
        "TRANSPOSE_CONV": 8 * 8 * 8 * 24,
        "BATCH_MATMUL": 6 * 6 * 256,
        "FULLY_CONNECTED": 36 * 5,
    }


@pytest.mark.parametrize(("scheme", "size"), [("float32", 4), ("float16", 2), ("int8", 1)])
def test_bytes_of_weights(files, network, scheme, size):
    found = tflite.inspect(files[scheme].path)
    kernels = sum(layer.kernel.shape.num_elements() for layer in network.layers if hasattr(layer, "kernel"))
    stored = {"float32": "float32", "float16": "float16", "int8": "int8"}[scheme]
    scaling = 2 * size  # a factor and an offset
    if scheme == "int8":
        assert found.weight_bytes_by_type["int8"] == kernels + scaling
        # Biases are 32 bits wide, one a channel; that of the last layer is not zero after training.
        biases = sum(layer.kernel.shape[-1] for layer in network.layers if hasattr(layer, "kernel"))
        assert found.weight_bytes_by_type["int32"] == 4 * biases
    else:
        assert found.weight_bytes_by_type == {stored: size * found.parameters}
    assert set(found.weight_bytes_by_operator) == {"CONV_2D", "FULLY_CONNECTED", "MUL", "ADD"}
    dense = network.get_layer("logits").kernel.shape
    biased = 10 * (4 if scheme == "int8" else size)
    assert found.weight_bytes_by_operator["FULLY_CONNECTED"] == dense[0] * dense[1] * size + biased
    assert sum(found.weight_bytes_by_operator.values()) == sum(found.weight_bytes_by_type.values())
    assert sum(cost.weight_bytes for cost in found.costs) == sum(found.weight_bytes_by_type.values())


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_arena_is_what_the_interpreter_takes(tmp_path, scheme):
    """Operators without scratch memory: the addresses of their tensors tell the size of the block."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 8))
    one, other = layers.MaxPooling2D()(inputs), layers.AveragePooling2D(2)(inputs)
    x = layers.Flatten()(layers.Multiply()([one, layers.Add()([one, other])]))
    x = layers.Concatenate()([layers.Dense(320, activation="relu")(x), layers.Dense(64)(x)])
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 8))
    given = images if scheme == "int8" else None
    model = keras.Model(inputs, layers.Dense(10)(x))
    path = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme, representative=given).path
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    interpreter.invoke()
    found = tflite.inspect(path)
    used = {t.index for operator in found.operators for t in (*operator.inputs, *operator.outputs) if not t.constant}
    arrays = [interpreter.tensor(index)() for index in used]
    starts = [array.__array_interface__["data"][0] for array in arrays]
    ends = [start + array.nbytes for start, array in zip(starts, arrays, strict=True)]
    assert found.arena_bytes == -(-(max(ends) - min(starts)) // 64) * 64


def test_metadata_of_the_converter_is_read(files):
    flatbuffer = Flatbuffer(files["int8"].path.read_bytes())
    assert flatbuffer.metadata["min_runtime_version"].rstrip(b"\0").count(b".") == 2
    assert list(flatbuffer.signatures) == ["serve"]


def test_signatures_are_named_with_their_inputs_and_outputs(files, command, tmp_path):
    found = tflite.inspect(files["int8"].path)
    [signature] = found.signatures
    assert signature.name == "serve"
    assert signature.inputs == (("pixels", found.inputs[0].name),)
    assert signature.outputs == (("output_0", found.outputs[0].name),)
    assert found.to_dict()["signatures"][0]["inputs"] == [["pixels", found.inputs[0].name]]
    module = tf.Module()
    module.add = tf.function(
        lambda a, b: {"sum": a + b}, [tf.TensorSpec((1, 2), name="a"), tf.TensorSpec((1, 2), name="b")]
    )
    module.half = tf.function(lambda x: {"rest": x / 2}, [tf.TensorSpec((1, 3), name="x")])
    functions = [getattr(module, name).get_concrete_function() for name in ("add", "half")]
    tf.saved_model.save(module, tmp_path / "saved", signatures=dict(zip(("add", "half"), functions, strict=True)))
    path = tmp_path / "two.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    named = {s.name: ({n for n, _ in s.inputs}, {n for n, _ in s.outputs}) for s in tflite.inspect(path).signatures}
    assert named == {"add": ({"a", "b"}, {"sum"}), "half": ({"x"}, {"rest"})}
    code, out, _ = command("inspect", path)
    assert code == 0
    assert "signature half: x → rest" in out
