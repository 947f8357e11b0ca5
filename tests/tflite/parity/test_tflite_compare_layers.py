"""The debugger: which layer parts from Keras first, in files that were broken on purpose."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils
from keras import layers

import tflite
from tflite.parity.differences import decibels
from tflite.utils.quiet import quiet


@pytest.fixture(scope="module")
def images(held_out):
    return held_out.images[:24]


def first_bad(model, path, images):
    return tflite.compare(model, path, images, layers=True).first


def broken(path, weights, target, *, flip=0x55):
    """A copy of a file in which bits of one weight tensor are flipped."""
    model = flatbuffer_utils.read_model(path)
    [tensor] = [tensor for tensor in model.subgraphs[0].tensors if tensor.name.decode() == weights]
    buffer = model.buffers[tensor.buffer]
    buffer.data = np.asarray(buffer.data, "uint8") ^ np.uint8(flip)
    flatbuffer_utils.write_model(model, target)
    return target


def weights_of(path, layer):
    """The tensor that holds the kernel of a layer."""
    for operator in tflite.inspect(path).operators:
        if f"{layer}/" in operator.outputs[0].name and operator.name == "CONV_2D":
            return operator.inputs[1].name
    raise AssertionError(layer)


@pytest.mark.parametrize("scheme", tflite.SCHEMES)
def test_a_clean_file_has_no_bad_layer_and_every_layer_is_there(files, network, images, scheme):
    found = tflite.compare(network, files[scheme].path, images, layers=True)
    assert found.first is None
    names = [row.layer for row in found.layers]
    computed = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}
    assert len(names) == sum(op.name in computed for op in tflite.inspect(files[scheme].path).operators)
    assert names[0] == "scale"
    assert names[-1] == "logits"
    assert {"stem_relu", "stage1_b_norm", "stage2", "stage3_skip_norm", "features"} < set(names)
    least = {"float32": 80, "float16": 50, "dynamic": 25, "int8": 20, "int16x8": 25, "int4": 0}[scheme]
    assert all(row.sqnr_db is None or row.sqnr_db > least for row in found.layers)


@pytest.mark.parametrize("layer", ["stem", "stage1_a", "stage1_b", "stage2_skip", "stage3_b"])
@pytest.mark.parametrize("scheme", ["int8", "float32"])
def test_flipped_bits_are_found_in_their_layer(files, network, images, tmp_path, scheme, layer):
    path = files[scheme].path
    # In a float32 number the lowest bit of each byte is one of the exponent too.
    bad = broken(path, weights_of(path, f"{layer}_conv"), tmp_path / "bad.tflite", flip=0x55 if scheme == "int8" else 1)
    assert first_bad(network, bad, images).startswith(f"{layer}_")


def test_flipped_bits_of_the_last_layer(files, network, images, tmp_path):
    last = tflite.inspect(files["int8"].path).operators[-1]
    bad = broken(files["int8"].path, last.inputs[1].name, tmp_path / "bad.tflite")
    assert first_bad(network, bad, images) == "logits"


def test_a_file_whose_tensors_have_no_names(files, network, images, tmp_path):
    model = flatbuffer_utils.read_model(files["int8"].path)
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.name = f"t{number}"
    path = tmp_path / "nameless.tflite"
    flatbuffer_utils.write_model(model, path)
    found = tflite.compare(network, path, images, layers=True)
    named = tflite.compare(network, files["int8"].path, images, layers=True)
    assert found.first is None
    assert [row.layer for row in found.layers] == [row.layer for row in named.layers]
    assert [row.sqnr_db for row in found.layers] == [row.sqnr_db for row in named.layers]
    weights = tflite.inspect(path).operators[4].inputs[1].name
    bad = broken(path, weights, tmp_path / "bad.tflite")
    assert first_bad(network, bad, images).startswith("stage1_a_")


def test_numbers_of_a_layer(files, network, images):
    """The stem, by an interpreter that is driven by hand and NumPy."""
    path = files["int8"].path
    stem = next(op for op in tflite.inspect(path).operators if op.name == "CONV_2D")
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_path=str(path), experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
    )
    interpreter.allocate_tensors()
    integers = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        integers.append(interpreter.get_tensor(stem.outputs[0].index)[0])
    probe = keras.Model(network.inputs, network.get_layer("stem_relu").output)
    expected = np.asarray(probe([images.astype("float32")]), "float64")
    [scale], [zero] = stem.outputs[0].scales, stem.outputs[0].zero_points
    integers = np.stack(integers).astype("float64")
    error = np.abs((integers - zero) * scale - expected)
    steps = np.abs(integers - np.clip(np.rint(expected / scale) + zero, -128, 127))

    found = tflite.compare(network, path, images, layers=True)
    [row] = [row for row in found.layers if row.layer == "stem_relu"]
    assert row.operator == "CONV_2D"
    assert row.tensor == stem.outputs[0].name
    assert row.mean_lsb == pytest.approx(steps.mean(), abs=1e-3)
    assert row.max_lsb == steps.max()
    assert row.mean_error == pytest.approx(error.mean(), rel=1e-4)
    assert row.max_error == pytest.approx(error.max(), rel=1e-4)
    assert row.sqnr_db == pytest.approx(10 * np.log10((expected**2).sum() / (error**2).sum()), abs=0.01)


def test_nested_models_shared_layers_and_operations(digits, tmp_path):
    keras.utils.set_random_seed(2)
    entry = keras.Input((8, 8, 4))
    block = keras.Model(
        entry, layers.ReLU(name="act")(layers.Conv2D(4, 3, padding="same", name="conv")(entry)), name="block"
    )
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 1, name="conv")(inputs)
    x = block(x) + shared(x)
    added = x._keras_history.operation.name  # Keras counts the operations of a process
    x = shared(x)
    model = keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten(name="flat")(x)))
    images = digits.images[:16]
    path = tflite.convert(model, tmp_path / "a.tflite", scheme="int8", representative=images).path
    found = tflite.compare(model, path, images, layers=True)
    assert found.first is None
    names = [row.layer for row in found.layers]
    assert sorted(names) == sorted(["conv", "block/act", "shared", added, "shared", "flat", "out"])
    inner = next(op for op in tflite.inspect(path).operators if "block/conv" in op.outputs[0].name)
    bad = broken(path, inner.inputs[1].name, tmp_path / "bad.tflite")
    assert first_bad(model, bad, images) == "block/act"


def made_of(layer):
    """Convolution, the function of a layer, and scores; the same weights each time."""
    keras.utils.set_random_seed(4)
    inputs = keras.Input((8, 8, 1))
    x = layer(layers.Conv2D(4, 3, name="conv")(layers.Rescaling(1 / 255)(inputs)))
    return keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten(name="flat")(x)))


def converted_by_keras(model, path):
    """Without names of ours: the layers are told by their numbers."""
    with quiet():
        path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


ENDS = {
    "softmax inside": lambda x: layers.Dense(3, "softmax", name="out")(x),
    "tanh inside, then softmax": lambda x: layers.Dense(3, "softmax", name="out")(
        layers.Dense(5, "tanh", name="mid")(x)
    ),
    "sigmoid inside": lambda x: layers.Dense(3, "sigmoid", name="out")(x),
    "softmax beside": lambda x: layers.Softmax(name="out")(layers.Dense(3, name="last")(x)),
    "operation": lambda x: keras.ops.softmax(layers.Dense(3, name="out")(x)),
}
FUSED = {
    "relu": lambda x: keras.ops.relu(x),
    "relu6": lambda x: keras.ops.relu6(x),
    "maximum": lambda x: keras.ops.maximum(x, 0.0),
    "clip": lambda x: keras.ops.clip(x, 0, 6),
    "folded": lambda x: x * 0.5 + 1.0,
    "folded, then fused": lambda x: keras.ops.relu(2.0 * x - 0.1),
}


@pytest.mark.parametrize("way", ["float32", "int8", "Keras"])
@pytest.mark.parametrize(("end", "between"), [*((end, None) for end in ENDS), *((None, name) for name in FUSED)])
def test_activations_inside_and_operations_that_fuse_are_not_blamed(digits, tmp_path, end, between, way):
    """Like is compared with like: what a step of the file leaves, with what Keras has after the same arithmetic."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, name="conv")(layers.Rescaling(1 / 128, -1)(inputs))
    x = layers.Flatten(name="flat")(FUSED[between](x) if between else x)
    model = keras.Model(inputs, ENDS[end](x) if end else layers.Dense(3, name="out")(x))
    images, path = digits.images[:16], tmp_path / "a.tflite"
    if way == "Keras":
        converted_by_keras(model, path)
    else:
        tflite.convert(model, path, scheme=way, representative=images if way == "int8" else None)
    found = tflite.compare(model, path, images, layers=True)
    assert (found.first, found.doubt) == (None, None)
    least = 25 if way == "int8" else 80
    assert min(row.sqnr_db or np.inf for row in found.layers) > least
    weights = [op for op in tflite.inspect(path).operators if op.name in ("CONV_2D", "FULLY_CONNECTED")]
    assert weights[0].outputs[0].name in [row.tensor for row in found.layers]
    bad = broken(path, weights[-1].inputs[1].name, tmp_path / "bad.tflite", flip=0x55 if way == "int8" else 1)
    assert tflite.compare(model, bad, images, layers=True).first in ("out", "last")


@pytest.mark.parametrize("scheme", tflite.SCHEMES)
def test_a_file_of_another_training_is_a_doubt_and_no_diagnosis(files, network, images, scheme, command, tmp_path):
    other = keras.models.clone_model(network)  # its weights are random
    found = tflite.compare(other, files[scheme].path, images, layers=True)
    assert found.first is None
    count = sum(
        op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        for op in tflite.inspect(files[scheme].path).operators
    )
    assert found.doubt.startswith(tuple(f"{n} of " for n in range(count // 2 + 1, count + 1)))
    assert "the file of another model, or of another training, and no layer is to blame" in found.doubt
    assert tflite.compare(network, files[scheme].path, images, layers=True).doubt is None


def test_a_file_of_another_network_is_a_doubt_too(files, images):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 1))
    x = layers.Flatten()(layers.Conv2D(8, 3, activation="relu")(inputs))
    found = tflite.compare(keras.Model(inputs, layers.Dense(10)(x)), files["int8"].path, images, layers=True)
    assert (found.first, found.to_dict()["doubt"]) == (None, found.doubt)
    assert "the file of another model" in found.doubt


def test_weights_of_every_kind_of_layer_are_known_again(tmp_path):
    """Where a last layer is broken, the others are still those of the model, however the file holds them."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2DTranspose(9, 3, name="transposed")(inputs)
    x = layers.SeparableConv2D(10, 3, name="separable")(x)
    x = layers.Reshape((16, 40), name="rows")(x)
    x = layers.Conv1D(12, 3, name="one")(x)
    x = layers.EinsumDense("abc,cde->abde", (14, 3, 4), name="einsum")(x)
    model = keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten(name="flat")(x)))
    path = tflite.convert(model, tmp_path / "a.tflite").path
    images = np.random.default_rng(0).normal(size=(8, 8, 8, 2)).astype("float32")
    bad = broken(path, tflite.inspect(path).operators[-1].inputs[1].name, tmp_path / "bad.tflite", flip=1)
    found = tflite.compare(model, bad, images, layers=True)
    assert (found.first, found.doubt) == ("out", None)


def test_half_of_the_layers_broken_is_no_other_model(files, network, images, tmp_path):
    """The first one is blamed where most weights are those of the model."""
    path = files["int8"].path
    for number, layer in enumerate(("stage1_a", "stage2_b", "stage3_a")):
        path = broken(path, weights_of(path, f"{layer}_conv"), tmp_path / f"{number}.tflite")
    found = tflite.compare(network, path, images, layers=True)
    assert found.first.startswith("stage1_a_")
    assert found.doubt is None


@pytest.mark.parametrize(("function", "least"), [(keras.ops.sqrt, -1e-6), (keras.ops.log, 0.0)])
def test_a_layer_that_answers_nan_or_infinity_is_the_first_bad_one(function, least, digits, tmp_path):
    """Roots and logarithms of numbers that are not positive; in the Keras model all are."""
    bad = made_of(lambda x: function(layers.ReLU()(x) + least))
    good = made_of(lambda x: function(layers.ReLU()(x) + 1e-6))
    path = tflite.convert(bad, tmp_path / "bad.tflite").path
    found = tflite.compare(good, path, digits.images[:20], layers=True)
    [worst] = [row for row in found.layers if row.operator == function.__name__.upper()]
    assert found.first == worst.layer
    assert worst.sqnr_db == -300
    assert not np.isfinite([worst.mean_error, worst.max_error]).any()
    json.loads(found.to_json(), parse_constant=pytest.fail)


def test_infinities_of_both_are_no_difference(digits, tmp_path):
    """As a mask before a softmax has them."""
    model = made_of(lambda x: keras.ops.log(layers.ReLU()(x)))
    path = tflite.convert(model, tmp_path / "a.tflite").path
    found = tflite.compare(model, path, digits.images[:20], layers=True)
    row = next(row for row in found.layers if row.layer.startswith("log"))
    assert row.sqnr_db is None or row.sqnr_db > 80
    assert row.max_error < 1e-4


def test_decibels():
    signal = np.array([3.0, 4.0, 0.0])
    assert decibels(signal, np.array([3.0, 4.0, 0.5])) == pytest.approx(20.0)  # 25 / 0.25
    assert decibels(signal, signal) == np.inf
    for wrong in (np.nan, np.inf, -np.inf):
        assert decibels(signal, np.array([3.0, 4.0, wrong])) == -300
        assert decibels(np.array([3.0, 4.0, wrong]), signal) == -300
    assert decibels(np.array([3.0, 4.0, np.nan]), np.array([3.0, 4.0, np.nan])) == -300
    assert decibels(np.array([3.0, np.inf]), np.array([2.7, np.inf])) == pytest.approx(20.0)
    assert decibels(np.zeros(3), signal) == -300


def test_a_normalization_of_two_operators_is_one_layer(digits, tmp_path):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 1))
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(8, 3, name="conv")(layers.Rescaling(1 / 64)(inputs)))
    norm = layers.BatchNormalization(name="norm")
    x = layers.ReLU(name="act")(norm(x))
    model = keras.Model(inputs, layers.Dense(3, name="out")(layers.GlobalAveragePooling2D(name="mean")(x)))
    norm.set_weights([np.linspace(1, 2, 8), np.linspace(-1, 1, 8), np.linspace(-1, 1, 8), np.linspace(0.5, 2, 8)])
    path = tflite.convert(model, tmp_path / "a.tflite").path
    assert {"MUL", "ADD"} < {operator.name for operator in tflite.inspect(path).operators}
    found = tflite.compare(model, path, digits.images[:8], layers=True)
    assert found.first is None
    assert [row.layer for row in found.layers] == ["conv", "pool", "act", "mean", "out"]


@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_shared_normalization_is_folded_once_and_once_not(scheme, digits, tmp_path):
    keras.utils.set_random_seed(0)
    norm = layers.BatchNormalization(name="norm")
    inputs = keras.Input((8, 8, 1))
    pooled = layers.MaxPooling2D(3, 1, "same")(
        layers.Conv2D(4, 3, padding="same", activation="relu", name="one")(inputs)
    )
    both = [norm(pooled), norm(layers.Conv2D(4, 3, padding="same", use_bias=False, name="two")(inputs))]
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()(both))
    model = keras.Model(inputs, layers.Dense(3)(x))
    random = np.random.default_rng(0)
    norm.set_weights([random.uniform(0.5, 2.0, 4) for _ in range(4)])
    images = digits.images[:50].astype("float32")
    if scheme == "int8":
        model = tflite.quantize_aware(model)
        tflite.calibrate_ranges(model, images)
    made = tflite.convert(model, tmp_path / "a.tflite", scheme=scheme)
    found = tflite.compare(model, made.path, images, layers=True)
    assert found.first is None
    assert min(row.sqnr_db or np.inf for row in found.layers) > 30


def test_a_quantization_aware_model_has_the_numbers_of_its_file(network, digits, images, tmp_path):
    aware = tflite.quantize_aware(network)
    tflite.calibrate_ranges(aware, digits.images[:100])
    path = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8").path
    found = tflite.compare(aware, path, images, layers=True)
    plain = tflite.compare(network, path, images, layers=True)
    assert found.first is None
    assert len(found.layers) == len(plain.layers)
    mean = {name: np.mean([row.mean_lsb for row in rows.layers]) for name, rows in (("aware", found), ("plain", plain))}
    assert mean["aware"] < 0.5 * mean["plain"]
    bad = broken(path, weights_of(path, "stage2_b_conv"), tmp_path / "bad.tflite")
    assert first_bad(aware, bad, images).startswith("stage2_b_")


def test_the_models_layers_are_left_as_they_were(files, network, images):
    before = {layer.name: vars(layer).get("call") for layer in network.layers}
    tflite.compare(network, files["int8"].path, images[:2], layers=True)
    assert {layer.name: vars(layer).get("call") for layer in network.layers} == before


def test_a_file_for_several_images_at_once(network, images, tmp_path):
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: network(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((8, *images.shape[1:]), "float32"))
    path = tmp_path / "eight.tflite"
    path.write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(concrete)]).convert()
    )
    assert tflite.inspect(path).inputs[0].shape[0] == 8
    found = tflite.compare(network, path, images, layers=True)
    assert found.first is None
    assert found.agreement == 1


def test_accuracy_of_both(files, network, held_out):
    found = tflite.compare(network, files["int8"].path, held_out.images, labels=held_out.labels)
    outputs = np.asarray(network(held_out.images.astype("float32"), training=False))
    assert found.keras_accuracy == np.mean(outputs.argmax(axis=1) == held_out.labels)
    assert found.accuracy == tflite.evaluate(files["int8"].path, (held_out.images, held_out.labels)).accuracy
    some = np.where(np.arange(len(held_out.labels)) < 100, held_out.labels, -1)
    found = tflite.compare(network, files["int8"].path, held_out.images, labels=some)
    assert found.keras_accuracy == np.mean(outputs[:100].argmax(axis=1) == held_out.labels[:100])


def test_json_has_the_layers(files, network, images):
    record = tflite.compare(network, files["int8"].path, images[:4], layers=True).to_dict()
    assert record["first"] is None
    assert record["accuracy"] is None
    assert {"layer", "tensor", "operator", "mean_lsb", "max_lsb", "mean_error", "max_error", "sqnr_db"} == set(
        record["layers"][0]
    )
