"""What `quantize_aware` makes of a model: names, weights, where it rounds, and what it refuses."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.quantizable import NETWORKS

import tflite
from tflite import ModelError
from tflite.quantization import is_aware
from tflite.quantization.kernels import AWARE
from tflite.quantization.layers import FakeQuant
from tflite.quantization.ranges import fake_quants

RANDOM = np.random.default_rng(0)


def images(shape=(8, 8, 3), n=20):
    return RANDOM.normal(size=(n, *shape)).astype("float32")


def built(function, shape=(8, 8, 3)):
    """A model of a function of its input, with normalisation that does something."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, function(inputs), name="built")
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(RANDOM.normal(0, 0.3, layer.moving_mean.shape))
            layer.moving_variance.assign(RANDOM.uniform(0.5, 2, layer.moving_mean.shape))
    return model


def rounded(model):
    """The names of the layers whose results are rounded."""
    graph = {}
    for layer in model.layers:
        if isinstance(layer, FakeQuant):
            graph[layer.name] = layer.input._keras_history.operation.name
    return list(graph.values())


def test_weights_names_inputs_and_outputs_survive(network):
    before = [np.array(weight) for weight in network.get_weights()]
    aware = tflite.quantize_aware(network)
    assert is_aware(aware)
    assert not is_aware(network)
    assert aware.input_shape == network.input_shape
    assert aware.output_shape == network.output_shape
    assert aware.name == network.name
    for layer in network.layers:
        twin = aware.get_layer(layer.name)
        assert isinstance(twin, AWARE.get(type(layer), type(layer)))
        assert twin is not layer
        for weights, copied in zip(layer.get_weights(), twin.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, copied)
    for weights, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, now)
    assert len(aware.trainable_variables) == len(network.trainable_variables)
    assert all(
        type(layer) is layers.BatchNormalization for layer in aware.layers if "norm" in layer.name.split("_")[-1:]
    )


def test_nothing_is_rounded_before_a_range_is_measured_but_kernels(network, held_out):
    aware = tflite.quantize_aware(network)
    batch = held_out.images[:20].astype("float32")
    rounded_kernels = keras.models.clone_model(network)
    rounded_kernels.set_weights(network.get_weights())
    for layer in rounded_kernels.layers:
        if type(layer) in AWARE:
            exact = np.asarray(layer.kernel, "float64")
            scale = np.abs(exact).max(axis=tuple(range(exact.ndim - 1)), keepdims=True) / 127
            layer.kernel.assign(np.rint(exact / scale) * scale)
    # The rescaled input is on its grid from the beginning: half a pixel away.
    shifted = rounded_kernels(batch - 0.5)
    np.testing.assert_allclose(np.asarray(aware(batch)), np.asarray(shifted), atol=2e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_written_out_networks_compute_the_same(name):
    """With the rounding of kernels taken away and no ranges, what is left is the network."""
    from tflite.keras_graph.copying import copied
    from tflite.keras_graph.graph import read, write
    from tflite.quantization.decompose import decompose

    model = NETWORKS[name]()
    graph = read(model)
    decompose(graph)
    batch = RANDOM.uniform(0, 255, (10, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(np.asarray(write(graph, copied)(batch)), np.asarray(model(batch)), atol=1e-5)


def test_where_activations_are_rounded():
    def network(x):
        x = layers.Conv2D(4, 3, use_bias=False, name="conv")(x)
        x = layers.ReLU(6.0, name="relu")(layers.BatchNormalization(name="norm")(x))
        y = layers.Conv2D(4, 1, name="skip")(layers.Dropout(0.1, name="drop")(x))
        x = layers.ReLU(name="sum_relu")(layers.Add(name="sum")([x, y]))
        x = layers.MaxPooling2D(name="pool")(layers.ZeroPadding2D(name="pad")(x))
        x = layers.Activation("silu", name="silu")(layers.BatchNormalization(name="alone")(x))
        x = layers.Concatenate(name="both")([x, layers.Conv2D(2, 1, name="part")(x)])
        x = layers.Flatten(name="flat")(x)
        return layers.Softmax(name="probabilities")(layers.Dense(3, name="dense")(x))

    aware = tflite.quantize_aware(built(network))
    assert rounded(aware) == [
        aware.inputs[0].name,
        *("relu", "skip", "sum_relu", "alone", "silu_sigmoid", "silu", "both", "dense"),
    ]
    assert aware.get_layer("silu_sigmoid_quantized").fixed == (0.0, 255 / 256)


def test_layers_that_are_several_operators_keep_their_name_and_result():
    def network(x):
        x = layers.SeparableConv2D(6, 3, activation="relu", depth_multiplier=2, name="separable")(x)
        x = layers.Average(name="average")([x, x * 2.0, x / 4.0])
        x = layers.Conv2D(4, 1, activation="hard_sigmoid", name="gate")(x)
        return layers.Add(name="sum")([x, x, x * ops.relu6(x + 3.0) / 6.0])

    model = built(network)
    aware = tflite.quantize_aware(model, scheme="dynamic")
    batch = images()
    for name in ("separable", "average", "gate", "sum"):
        exact = np.asarray(keras.Model(model.input, model.get_layer(name).output)(batch))
        got = np.asarray(keras.Model(aware.input, aware.get_layer(name).output)(batch))
        np.testing.assert_allclose(got, exact, atol=0.02 * np.ptp(exact))
    kinds = [type(layer).__name__ for layer in aware.layers]
    assert kinds.count("AwareDepthwiseConv2D") == 1
    assert "SeparableConv2D" not in kinds
    assert [layer.activation.__name__ for layer in aware.layers if isinstance(layer, layers.Activation)] == [
        "relu",
        "hard_silu",
    ]


def test_nested_and_shared_models_are_written_out():
    inner_input = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 3, padding="same", name="conv")(inner_input)
    x = layers.Dropout(0.5, name="drop")(layers.BatchNormalization(name="norm")(x))
    inner = keras.Model(inner_input, layers.ReLU(name="relu")(x), name="inner")
    tail = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 1, name="conv"), layers.Flatten()], name="tail")
    model = built(lambda x: layers.Dense(2, name="conv")(tail(inner(inner(x)))))
    batch = images()
    aware = tflite.quantize_aware(model)
    names = [layer.name for layer in aware.layers]
    assert len(names) == len(set(names))
    assert {"inner", "tail", "conv", "inner_conv", "tail_conv"} <= set(names)
    assert sum(type(layer).__name__ == "AwareConv2D" for layer in aware.layers) == 2
    assert len(aware.trainable_variables) == len(model.trainable_variables)
    exact = np.asarray(model(batch))
    np.testing.assert_allclose(np.asarray(aware(batch)), exact, atol=0.05 * np.ptp(exact))
    tflite.calibrate_ranges(aware, batch)
    np.testing.assert_allclose(np.asarray(aware(batch)), exact, atol=0.1 * np.ptp(exact))


def test_inputs_and_outputs_keep_their_structure():
    left = keras.Input((4,), name="left")
    x = layers.Dense(3, activation="relu")(layers.Concatenate()([left, left]))
    outputs = {"a": layers.Dense(2, name="a")(x), "b": layers.Dense(1, name="b")(x)}
    model = keras.Model({"left": left}, outputs)
    aware = tflite.quantize_aware(model)
    batch = {"left": images((4,))}
    found, exact = aware(batch), model(batch)
    assert found.keys() == exact.keys()
    np.testing.assert_allclose(np.asarray(found["a"]), np.asarray(exact["a"]), atol=0.05)


def test_what_no_file_can_be_made_of_is_refused_before_a_training():
    open_sizes = keras.Input((None, None, 3))
    with pytest.raises(ModelError, match=r"fixed input shape.*\(None, None, 3\).*set_weights"):
        tflite.quantize_aware(keras.Model(open_sizes, layers.Conv2D(2, 3)(open_sizes)))


@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_weights_that_keras_quantized_are_refused(mode, tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first")])
    model.layers[0].quantize(mode)
    told = rf"model\.quantize\('{mode}'\) replaced those of 'first'.*scheme='int8'"
    with pytest.raises(ModelError, match=told):
        tflite.quantize_aware(model)
    with pytest.raises(ModelError, match=told):
        tflite.convert(model, tmp_path / "a.tflite")


def test_outputs_in_a_list_keep_their_names(tmp_path):
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="relu")(inputs)
    tail = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="nested")
    outputs = [layers.Dense(10, name="digits")(x), layers.Dense(2, activation="relu", name="parity")(x)]
    outputs += [layers.ELU(name="odd")(x), tail(x)]
    model = keras.Model(inputs, outputs)
    assert model.output_names == ["digits", "parity", "odd", "nested"]
    aware = tflite.quantize_aware(model, exclude=("odd",))
    answers = [np.zeros((16, size), "float32") for size in (10, 2, 3, 2)]
    aware.save(tmp_path / "a.keras")
    for one in (aware, tflite.load_model(tmp_path / "a.keras")):
        assert one.output_names == model.output_names
        one.compile(loss=dict.fromkeys(one.output_names, "mse"), metrics={"parity": ["mae"]})
        found = one.evaluate(images((4,), 16), answers, verbose=0, return_dict=True)
        assert {"digits_loss", "nested_loss", "parity_mae"} <= found.keys()


def test_schemes_and_patterns(network):
    aware = tflite.quantize_aware(network, overrides={"stage*": "int4", "stage3_*": "int8"}, exclude=["stem_*"])
    bits = {layer.name: layer.bits for layer in aware.layers if isinstance(layer, tuple(AWARE.values()))}
    assert bits["stage1_a_conv"] == bits["stage2_b_conv"] == 4
    assert bits["stage3_a_conv"] == bits["logits"] == 8
    assert type(aware.get_layer("stem_conv")) is layers.Conv2D
    wide = tflite.quantize_aware(network, scheme="int16x8")
    assert {layer.bits for layer in fake_quants(wide)} == {16}
    assert fake_quants(tflite.quantize_aware(network, scheme="dynamic")) == []


def test_patterns_are_of_what_a_layer_becomes():
    """Of the convolution of a layer with an activation, of both of a separable one, and of all in a nested model."""
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3, name="inside")], name="backbone")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    x = layers.SeparableConv2D(5, 3, activation="relu", name="apart")(inner(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="probs")(layers.Flatten()(x)))

    def aware(**options):
        made = tflite.quantize_aware(model, **options)
        return {layer.name: layer.bits for layer in made.layers if isinstance(layer, tuple(AWARE.values()))}

    kernels = {"first_linear", "inside", "apart_depthwise", "apart_pointwise_linear", "probs_linear"}
    every = aware()
    assert len(every) == len(kernels) == 5
    narrow = {
        name for name, bits in aware(scheme="int8", overrides={"first": "int4", "apart": "int4"}).items() if bits == 4
    }
    assert narrow == {name for name in every if name.startswith(("first", "apart"))}
    for pattern, gone in (("probs", "probs"), ("apart", "apart"), ("backbone", "inside"), ("back*", "inside")):
        assert aware(exclude=[pattern]).keys() == {name for name in every if not name.startswith(gone)}


def test_what_has_several_outputs_may_stay_in_floating_point():
    inputs = keras.Input((8, 8, 4))
    halves = keras.ops.split(layers.Conv2D(6, 3)(inputs), 2, axis=-1)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Add()(halves))))
    (split,) = (operation.name for operation in model.operations if operation.name.startswith("split"))
    with pytest.raises(ModelError, match=rf"exclude=\('{split}'"):
        tflite.quantize_aware(model)
    aware = tflite.quantize_aware(model, exclude=[split])
    given = np.random.default_rng(0).normal(size=(4, 8, 8, 4)).astype("float32")
    tflite.calibrate_ranges(aware, given)
    np.testing.assert_allclose(aware(given), model(given), atol=0.15)


def test_a_known_range_of_16_bits_holds_both_ends(tmp_path):
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    aware = tflite.quantize_aware(model, scheme="int16x8", input_range=(-3.0, 1.0))
    given = np.random.default_rng(0).uniform(-3, 1, (20, 8, 8, 1)).astype("float32")
    tflite.calibrate_ranges(aware, given)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int16x8")
    found = tflite.model_file.interpreter.Runner(made.path)(given)
    np.testing.assert_allclose(found, model(given), atol=0.02 * np.abs(model(given)).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "int-8"}, r"`scheme`. Expected one of \['int8', .*Received: scheme='int-8'. Did you mean 'int8'\?"),
        ({"engine": "nativ"}, r"`engine`.*Did you mean 'native'\?"),
        ({"exclude": ["stage9*"]}, r"`exclude`.*Received: exclude='stage9\*'. Did you mean 'stage"),
        ({"momentum": 5.0}, r"`momentum`. Expected 0 ≤ momentum < 1. Received: momentum=5.0"),
        ({"exclude": "logit"}, r"Received: exclude='logit'. Did you mean 'logits'\?"),
        ({"overrides": {"stem": "int4"}}, r"Received: overrides='stem'"),
        ({"overrides": {"logits": "int5"}}, r"Received: overrides\['logits'\]='int5'. Did you mean 'int"),
        ({"overrides": {"logits": "int16x8"}}, r"overrides of one of \['int8', 'int4'\].*'logits': 'int16x8'"),
        ({"input_range": (1, 2)}, r"`input_range`. Expected \(low, high\) with low ≤ 0 < high. Received: .*\(1, 2\)"),
    ],
)
def test_arguments(network, options, message):
    with pytest.raises(ModelError, match=message):
        tflite.quantize_aware(network, **options)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="sub")
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_models_that_cannot_be_quantized(network):
    called = Subclassed()
    called(np.zeros((1, 4), "float32"))
    integers = keras.Input((4,), dtype="int32")
    broken = built(lambda x: layers.Dense(2, name="dense")(x), (4,))
    broken.get_layer("dense").bias.assign([0.0, np.nan])
    first = layers.Conv2D(2, 1, data_format="channels_first", name="first")
    for model, message in [
        (called, "functional or sequential model. Received: 'sub' of the subclass Subclassed"),
        (Subclassed(), "Expected a built model. Received: 'sub'"),
        (built(lambda x: called(x), (4,)), "functional or sequential model. Received: 'sub' of the subclass"),
        (built(layers.Lambda(lambda x: x, name="code")), "the Lambda layer 'code'"),
        (keras.Model(integers, layers.Rescaling(0.1)(integers)), "float32 inputs. Received: .* of int32"),
        (broken, "Expected finite weights. Received: 'dense/bias' with values that are not"),
        (tflite.quantize_aware(network), "Received: 'resnet8', which is quantization-aware already"),
        (keras.Model(first_input := keras.Input((3, 4, 4)), first(first_input)), "Received: 'first' with 'channels_f"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.quantize_aware(model)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.ELU(name="odd"), r"layer 'odd' \(elu\). Use relu, hard_swish or silu in its place, or keep it in floa"),
        (layers.Activation("softplus", name="odd"), r"'odd' \(softplus\)"),
        (layers.Activation("mish", name="odd"), r"'odd' \(mish\)"),
        (layers.LayerNormalization(name="odd"), r"'odd' \(LayerNormalization\). Use BatchNormalization"),
        (layers.ReLU(1.0, 0.1, name="odd"), r"'odd' \(leaky_clipped\). Replace it"),
        (layers.MultiHeadAttention(2, 2, name="odd"), r"'odd' \(MultiHeadAttention\)"),
    ],
)
def test_layers_without_an_integer_kernel_are_named(layer, message):
    def network(x):
        x = layers.Conv2D(4, 1)(x)
        x = layer(x, x) if isinstance(layer, layers.MultiHeadAttention) else layer(x)
        return layers.Conv2D(2, 1)(x)

    with pytest.raises(ModelError, match=rf"{message}.*exclude=\('odd',\)"):
        tflite.quantize_aware(built(network))


def test_calibration(network, digits):
    aware = tflite.quantize_aware(network)
    tflite.calibrate_ranges(aware, digits.images[:50])
    stem = aware.get_layer("stem_relu_quantized")
    before = np.asarray(keras.Model(aware.input, stem.input)(digits.images[:50].astype("float32")))
    np.testing.assert_allclose(stem.range(), (0.0, before.max()), rtol=1e-6)
    tflite.calibrate_ranges(aware, [digits.images[50:60], digits.images[60:70]])
    assert stem.range()[1] >= before.max()
    for weights, now in zip(network.get_weights(), _plain_weights(aware, network), strict=True):
        np.testing.assert_array_equal(weights, now)
    with pytest.raises(ModelError, match=r"quantization-aware model\. Received: 'resnet8'"):
        tflite.calibrate_ranges(network, digits.images[:5])
    with pytest.raises(ModelError, match="Expected images to measure ranges on"):
        tflite.calibrate_ranges(aware, digits.images[:0])


def _plain_weights(aware, network):
    return [weights for layer in network.layers for weights in aware.get_layer(layer.name).get_weights()]


def test_another_process_loads_a_saved_model(tmp_path):
    aware = tflite.quantize_aware(NETWORKS["mobile_v2"](), scheme="int4")
    aware.save(tmp_path / "a.keras")
    code = "import sys, tflite; print(len(tflite.load_model(sys.argv[1]).layers))"
    call = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.keras"], capture_output=True, text=True, check=True
    )
    assert int(call.stdout) == len(aware.layers)
