"""Quantization-aware copies of networks as users write them: what is merged, shared, fused and penalised."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from tflite import ConversionError, ModelError
from tflite.quantization.ranges import calibrate_ranges

IMAGES = np.random.default_rng(0).normal(size=(32, 8, 8, 3)).astype("float32")


def network(make, name=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.Dense(5)(layers.GlobalAveragePooling2D()(make(inputs)))
    return keras.Model(inputs, x, name=name)


def convolved(x, channels=4, activation=None):
    return layers.Conv2D(channels, 3, padding="same", activation=activation)(x)


def steps_apart(model, path, *, scheme="int8", **options):
    """The largest distance of a file from its quantization-aware model, in steps of the output."""
    aware = tflite.quantize_aware(model, scheme=scheme, **options)
    tflite.calibrate_ranges(aware, IMAGES)
    made = tflite.convert(aware, path, scheme=scheme)
    return tflite.compare(aware, made.path, IMAGES).max_lsb


def floating(x):
    return layers.Activation("elu", name="odd")(convolved(x, 8))


def floating_alone(x):
    return layers.Concatenate()([floating(x), convolved(x)])


def floating_of_a_layer(x):
    return layers.Concatenate()([layers.ELU(name="odd")(convolved(x)), convolved(x)])


def floating_twice(x):
    a = floating(x)
    return layers.Concatenate()([a, convolved(a)])


def floating_beside_what_is_taken_twice(x):
    b = convolved(x, 4, "relu")
    return layers.Add()([convolved(layers.Concatenate()([floating(x), b])), convolved(b)])


@pytest.mark.parametrize(
    "make", [floating_alone, floating_of_a_layer, floating_twice, floating_beside_what_is_taken_twice]
)
def test_what_stays_in_floating_point_is_concatenated(make, tmp_path):
    assert steps_apart(network(make), tmp_path / "a.tflite", exclude="odd") <= 3


@pytest.mark.parametrize("layer", [layers.ELU(name="odd"), layers.Activation("elu", name="odd")])
@pytest.mark.parametrize("merged", [True, False])
def test_a_layer_in_floating_point_is_called_twice(layer, merged, tmp_path):
    def make(x):
        first, second = layer(convolved(x)), layer(convolved(x))
        return layers.Concatenate()([first, second if merged else convolved(second)])

    assert steps_apart(network(make), tmp_path / "a.tflite", exclude="odd") <= 3


@pytest.mark.parametrize("between", [layers.Dropout(0.5), layers.Identity()])
def test_a_bounded_activation_is_merged_twice_behind_what_does_nothing(between, tmp_path):
    def make(x):
        bounded = between(layers.Activation("sigmoid")(convolved(x)))
        both = layers.Concatenate()([bounded, convolved(x, 4, "relu")])
        return layers.Maximum()([convolved(both), bounded])

    assert steps_apart(network(make), tmp_path / "a.tflite") <= 3


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax"])
@pytest.mark.parametrize("merge", [layers.Concatenate, layers.Maximum])
def test_a_bounded_activation_is_merged_twice(activation, merge, tmp_path):
    def make(x):
        bounded = layers.Activation(activation)(convolved(x))
        both = layers.Concatenate()([bounded, convolved(x, 4, "relu")])
        return merge()([convolved(both), bounded])

    assert steps_apart(network(make), tmp_path / "a.tflite") <= 3


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, activation="relu", activity_regularizer=keras.regularizers.L1(1.0)),
        layers.SeparableConv2D(4, 3, activity_regularizer=keras.regularizers.L1(1.0)),
        layers.SeparableConv2D(4, 3, activation="relu", activity_regularizer=keras.regularizers.L1(1.0)),
        layers.Activation("silu", activity_regularizer=keras.regularizers.L1(1.0)),
        layers.Conv2D(4, 3, activation="silu", activity_regularizer=keras.regularizers.L1(1.0)),
    ],
)
def test_what_a_layer_computes_is_penalised(layer, tmp_path):
    model = network(layer)
    aware = tflite.quantize_aware(model)
    model(IMAGES)
    aware(IMAGES)  # with no range measured activations are not rounded, and kernels in 8 bits
    assert len(aware.losses) == 1
    assert float(aware.losses[0]) == pytest.approx(float(model.losses[0]), rel=0.02)
    aware.save(tmp_path / "a.keras")
    loaded = tflite.load_model(tmp_path / "a.keras")
    loaded(IMAGES)
    assert float(loaded.losses[0]) == pytest.approx(float(aware.losses[0]))


def test_a_rescaling_that_is_called_twice(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    base = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 127.5, -1.0), layers.Conv2D(4, 3)])
    views = (inputs, layers.MaxPooling2D(3, strides=1, padding="same")(inputs))
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(base(one)) for one in views])
    model = keras.Model(inputs, layers.Dense(3)(both))
    aware = tflite.quantize_aware(model)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3)).astype("float32")
    exact = np.asarray(model(pixels))
    np.testing.assert_allclose(aware(pixels), exact, atol=0.05 * np.abs(exact).max())
    assert len(set(map(id, aware.layers))) == len({layer.name for layer in aware.layers})


@pytest.mark.parametrize("layer", [layers.UpSampling1D(), layers.RepeatVector(3)])
def test_repeated_numbers_have_no_kernel_of_16_bits(layer):
    inputs = keras.Input((4,) if isinstance(layer, layers.RepeatVector) else (4, 3))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(inputs))))
    with pytest.raises(ModelError, match=r"activations of 16 bits. Received: .*Use scheme='int8'"):
        tflite.quantize_aware(model, scheme="int16x8")


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.Conv2D(4, 3, activation=layers.LeakyReLU(negative_slope=0.3))(x),
        lambda x: layers.Conv2D(4, 3, activation="relu")(inputs=x),
        lambda x: layers.SeparableConv2D(4, 3)(inputs=x),
        lambda x: convolved(x / np.float32(127.5)),
    ],
    ids=["activation that is a layer", "keyword", "keyword of two convolutions", "number of NumPy"],
)
def test_other_ways_to_write_it(make, tmp_path):
    model = network(make)
    assert steps_apart(model, tmp_path / "a.tflite") <= 1
    exact = np.asarray(model(IMAGES))
    np.testing.assert_allclose(tflite.quantize_aware(model)(IMAGES), exact, atol=0.05 * np.abs(exact).max())


def with_a_dead_channel(layer):
    """A kernel of which one channel is almost nothing, with a bias."""
    model = network(layer)
    kernel, bias = layer.get_weights()
    kernel[..., 1] *= 1e-7
    bias[1] = 2.0
    layer.set_weights([kernel, bias])
    return model


def test_biases_that_32_bits_do_not_hold_are_told(tmp_path):
    model = with_a_dead_channel(layers.Conv2D(4, 3, name="dead"))
    with pytest.raises(ConversionError, match=r"dead.* in the channels 1, whose kernels are almost zero"):
        steps_apart(model, tmp_path / "a.tflite", scheme="int16x8")
    assert steps_apart(model, tmp_path / "a.tflite") <= 1


def test_a_dead_channel_does_not_keep_a_kernel_in_8_bits(tmp_path):
    model = with_a_dead_channel(layers.Conv2D(4, 3, name="dead"))
    assert steps_apart(model, tmp_path / "a.tflite", scheme="int4") <= 1
    kinds = [tensor.dtype for one in tflite.inspect(tmp_path / "a.tflite").operators for tensor in one.inputs[1:2]]
    assert kinds.count("int4") == 2


def test_a_kernel_of_8_bits_with_few_weights_stays_in_8_bits(tmp_path):
    """One weight a channel is a whole number of 4-bit steps by itself."""
    layer = layers.Conv2D(16, 1, name="sparse")
    model = network(lambda x: convolved(layer(convolved(x, 8))))
    kernel, bias = layer.get_weights()
    kernel[:, :, 1:, :9] = 0.0
    layer.set_weights([kernel, bias])
    steps_apart(model, tmp_path / "a.tflite", scheme="int4", overrides={"sparse": "int8"})
    kinds = {one.inputs[1].name: one.inputs[1].dtype for one in tflite.inspect(tmp_path / "a.tflite").operators[:3]}
    assert sorted(kinds.values()) == ["int4", "int4", "int8"]


def test_labels_that_calibration_does_not_use_may_be_anything(tmp_path):
    model = network(convolved)
    one_hot = np.eye(5)[np.arange(32) % 5]
    options = {"scheme": "int8", "input_type": "int8"}
    plain = tflite.convert(model, tmp_path / "a.tflite", representative=IMAGES, **options)
    labelled = tflite.convert(model, tmp_path / "b.tflite", representative=(IMAGES, one_hot), **options)
    assert plain.path.read_bytes() == labelled.path.read_bytes()
    calibrate_ranges(tflite.quantize_aware(model), (IMAGES, one_hot))


def test_what_a_normalization_was_adapted_to_stays():
    norm = layers.Normalization()
    norm.adapt(10 * IMAGES + 50)
    model = network(lambda x: convolved(norm(10 * x + 50)))
    exact = np.asarray(model(IMAGES))
    np.testing.assert_allclose(tflite.quantize_aware(model)(IMAGES), exact, atol=0.05 * np.abs(exact).max())


class Doubled(layers.Dense):
    """Computes something with its activation inside."""

    def call(self, x):
        return 2 * super().call(x)


@pytest.mark.parametrize(
    "layer",
    [
        layers.LSTM(6, name="odd"),
        layers.GRU(6, name="odd"),
        layers.SimpleRNN(6, name="odd"),
        layers.Bidirectional(layers.LSTM(3), name="odd"),
        Doubled(4, activation="tanh", name="odd"),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("options", [{"scheme": "dynamic"}, {"exclude": "odd"}], ids=["dynamic", "exclude"])
def test_an_activation_that_is_not_the_last_thing_stays_inside(layer, options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 3))
    x = layer(inputs)
    model = keras.Model(inputs, layers.Dense(5)(x if len(x.shape) == 2 else layers.Flatten()(x)))
    images = IMAGES[:, 0]
    exact = np.asarray(model(images))
    np.testing.assert_allclose(tflite.quantize_aware(model, **options)(images), exact, atol=0.01 * np.ptp(exact))


def test_what_cannot_be_quantized_has_the_name_that_it_was_given():
    """Also where a part of it is meant."""
    odd = layers.EinsumDense("bhwc,cd->bhwd", (None, None, 4), activation="relu", name="odd")
    model = network(odd)
    with pytest.raises(ModelError, match=r"the layer 'odd' \(EinsumDense\).*exclude=\('odd',\)"):
        tflite.quantize_aware(model)
    aware = tflite.quantize_aware(model, exclude=("odd",))
    exact = np.asarray(model(IMAGES))
    np.testing.assert_allclose(aware(IMAGES), exact, atol=0.05 * np.abs(exact).max())


def test_ranges_are_measured_on_numbers():
    images = IMAGES.copy()
    images[3, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match="NaN or infinity"):
        calibrate_ranges(tflite.quantize_aware(network(convolved)), images)
