"""Files of quantization-aware models: integer throughout, and as the model answers."""

import keras
import numpy as np
import pytest
from keras import layers
from support.quantizable import NETWORKS

import tflite
from tflite import ModelError
from tflite.conversion.integer import check_integer
from tflite.model_file.interpreter import Runner
from tflite.quantization.floating import floating


def trained(model, digits, *, epochs=3):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(4e-3), loss, metrics=["accuracy"])
    model.fit(digits.images[:1000].astype("float32"), digits.labels[:1000], epochs=epochs, batch_size=50, verbose=0)
    return model


def ranged(model, images, **options):
    made = tflite.quantize_aware(model, **options)
    tflite.calibrate_ranges(made, images)
    return made


@pytest.fixture(scope="module")
def aware(network, digits):
    """ResNet-8 on digits, quantization-aware from its trained weights."""
    return trained(tflite.quantize_aware(network), digits, epochs=1)


@pytest.fixture(scope="module")
def file(aware, tmp_path_factory):
    return tflite.convert(aware, tmp_path_factory.mktemp("aware") / "resnet8.tflite", scheme="int8")


def test_the_file_is_integer_and_takes_raw_pixels(file):
    assert tflite.inspect(file.path).is_integer
    assert (file.input.dtype, file.input.scale, file.input.zero_point) == ("uint8", 1.0, 0)
    assert file.output.dtype == "int8"
    # One operator a unit: normalisation and relu are part of their convolution or sum, the scaling is one operator.
    assert sorted(file.ops) == sorted(
        ["QUANTIZE", "DEPTHWISE_CONV_2D", *["CONV_2D"] * 9, *["ADD"] * 3, "MEAN", "FULLY_CONNECTED"]
    )


def test_the_file_answers_as_the_model(aware, file, held_out):
    found = tflite.compare(aware, file.path, held_out.images)
    assert found.agreement >= 0.995
    assert found.mean_lsb < 0.5
    right = aware.predict(held_out.images.astype("float32"), verbose=0).argmax(-1) == held_out.labels
    of_file = tflite.evaluate(file.path, (held_out.images, held_out.labels)).accuracy
    # How much so little training reaches differs between processors by a few images.
    assert of_file == pytest.approx(right.mean(), abs=0.005)
    assert of_file > 0.85


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_other_kinds_answer_as_their_files(name, digits, held_out, tmp_path):
    keras.utils.set_random_seed(0)
    aware = trained(tflite.quantize_aware(NETWORKS[name]()), digits, epochs=10)
    tflite.match_runtime(aware)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    assert tflite.inspect(made.path).is_integer
    found = tflite.compare(aware, made.path, held_out.images)
    # The runtime computes hard-swish in integers of 16 bits, and the model exactly.
    agreement, steps = (0.99, 0.6) if name == "mobile_v3" else (0.999, 0.005)
    assert found.agreement >= agreement
    assert found.mean_lsb < steps
    assert tflite.evaluate(made.path, (held_out.images, held_out.labels)).accuracy > 0.7


def test_a_model_with_rounded_biases_answers_as_its_file_to_the_last_integer(digits, held_out, tmp_path):
    keras.utils.set_random_seed(0)
    aware = trained(tflite.quantize_aware(NETWORKS["mobile_v2"]()), digits, epochs=1)
    before = tflite.compare(aware, converted(aware, tmp_path), held_out.images).mean_lsb
    weights = [np.asarray(weight) for weight in aware.weights]
    tflite.match_runtime(aware)
    path = converted(aware, tmp_path)
    found = tflite.compare(aware, path, held_out.images)
    assert found.mean_lsb < 0.01 < before
    # Each bias of the file is a whole number of the steps that the model has, and none has moved by more than half.
    for name, kernel in (("stem", "stem_conv"), ("last", "last_conv")):
        norm = aware.get_layer(f"{name}_norm")
        factor = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        old = next(w for w, v in zip(weights, aware.weights, strict=True) if v is norm.beta)
        [operator] = [op for op in tflite.inspect(path).operators if kernel in op.place and op.name == "CONV_2D"]
        steps = np.asarray(operator.inputs[2].scales)
        folded = np.asarray(norm.beta) - np.asarray(norm.moving_mean) * factor
        np.testing.assert_allclose(folded / steps, np.round(folded / steps), atol=0.01)
        assert np.abs(np.asarray(norm.beta) - old).max() <= 0.51 * steps.max()
    again = [np.asarray(weight) for weight in aware.weights]
    tflite.match_runtime(aware)
    for one, other in zip(again, aware.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def converted(aware, folder):
    return tflite.convert(aware, folder / "a.tflite", scheme="int8").path


@pytest.mark.parametrize(("padding", "size"), [("valid", 2), ("same", 3)])
def test_averages_half_way_between_integers(padding, size, tmp_path):
    """Two by two integers have a quarter of their averages in the middle; the runtime rounds away from int8's zero."""
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, layers.AveragePooling2D(size, strides=2, padding=padding)(inputs))
    images = np.random.default_rng(0).uniform(-1, 1.5, (50, 8, 8, 4)).astype("float32")
    aware = ranged(model, images, input_range=(-1.0, 1.5))
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    np.testing.assert_array_equal(made.output.quantize(np.asarray(aware(images))), Runner(made.path).integers(images))


def test_biases_of_a_plain_model_are_not_rounded(network):
    with pytest.raises(ModelError, match=r"Expected a quantization-aware model\. Received: 'resnet8'"):
        tflite.match_runtime(network)


def test_the_same_model_gives_the_same_bytes(aware, file, tmp_path):
    again = tflite.convert(aware, tmp_path / "again.tflite", scheme="int8")
    assert again.path.read_bytes() == file.path.read_bytes()


def test_kernels_and_ranges_are_what_the_formulas_say(tmp_path):
    """A convolution and its normalisation, in float64 from their weights."""
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(5, 3, padding="same", use_bias=False)(inputs)
    model = keras.Model(inputs, layers.BatchNormalization()(x))
    conv, norm = model.layers[1:]
    mean, variance = random.normal(0, 0.2, 5), random.uniform(0.5, 2, 5)
    gamma, beta = random.uniform(0.5, 2, 5) * [1, -1, 1, -1, 1], random.normal(0, 1, 5)
    norm.set_weights([gamma, beta, mean, variance])
    images = random.normal(size=(50, 4, 4, 2)).astype("float32")
    made = tflite.convert(ranged(model, images), tmp_path / "a.tflite", scheme="int8", input_type="int8")
    [operator] = [op for op in tflite.inspect(made.path).operators if op.name == "CONV_2D"]
    kernel = np.asarray(conv.kernel, "float64") * gamma / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(operator.inputs[1].scales, np.abs(kernel).max(axis=(0, 1, 2)) / 127, rtol=1e-5)
    low, high = images.min(), images.max()
    np.testing.assert_allclose(made.input.scale, (high - low) / 255, rtol=1e-5)
    assert made.input.zero_point == np.floor(-low / made.input.scale + 0.5) - 128
    expected = np.asarray(model(images))
    np.testing.assert_allclose(Runner(made.path)(images), expected, atol=0.02 * np.ptp(expected))


def test_equal_biases_keep_the_scale_of_their_channel(tmp_path):
    """The converter gives equal biases the scale of the first channel: here that is a hundredth of the others'."""
    inputs = keras.Input((2, 2, 2))
    model = keras.Model(inputs, layers.Conv2D(3, 1)(inputs))
    kernel = np.array([[0.01, 1.0, -0.9], [0.004, 0.5, 0.7]], "float32").reshape(1, 1, 2, 3)
    model.layers[1].set_weights([kernel, np.full(3, 1.5, "float32")])
    images = np.random.default_rng(0).uniform(-1, 1, (40, 2, 2, 2)).astype("float32")
    made = tflite.convert(ranged(model, images), tmp_path / "a.tflite", scheme="int8")
    assert made.input.dtype == "int8"
    np.testing.assert_allclose(Runner(made.path)(images), np.asarray(model(images)), atol=0.02)


def test_channels_that_are_always_zero(tmp_path):
    inputs = keras.Input((4, 4, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(inputs))
    model = keras.Model(inputs, layers.BatchNormalization()(layers.ReLU()(layers.MaxPooling2D()(x))))
    for norm in (model.layers[2], model.layers[-1]):
        norm.gamma.assign([1.0, 0.0, 1e-9, 1.0])
        norm.beta.assign([0.1, 0.7, -0.4, 0.0])
    images = np.random.default_rng(0).normal(size=(40, 4, 4, 3)).astype("float32")
    aware = ranged(model, images)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    steps = np.abs(Runner(made.path)(images) - np.asarray(aware(images))) / made.output.scale
    assert steps.mean() < 0.1
    assert steps.max() < 2


def test_pixels_enter_unchanged_where_the_offset_is_between_two_steps(tmp_path):
    """(p − 127.5) / 64 has every pixel in the middle between two integers; the model says which it is, and the file."""
    inputs = keras.Input((16, 16, 1))
    model = keras.Model(inputs, layers.Rescaling(1 / 64, -127.5 / 64)(inputs))
    images = np.arange(256, dtype="float32").reshape(1, 16, 16, 1)
    aware = ranged(model, images)
    answers = np.asarray(aware(images))
    np.testing.assert_allclose(answers, (images - 128) / 64, atol=1e-6)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    np.testing.assert_array_equal(Runner(made.path)(images), answers)


@pytest.mark.parametrize("types", [("int8", "int8"), ("float32", "float32"), ("uint8", "uint8")])
def test_interfaces(aware, file, held_out, tmp_path, types):
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8", input_type=types[0], output_type=types[1])
    assert (made.input.dtype, made.output.dtype) == types
    # They are the same inside.
    expected = Runner(file.path)(held_out.images)
    np.testing.assert_allclose(Runner(made.path)(held_out.images), expected, atol=1e-5)


def test_scaled_images_have_int8_by_default(tmp_path):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    images = np.random.default_rng(0).uniform(0, 1, (50, 4, 4, 1)).astype("float32")
    aware = ranged(model, images)
    assert tflite.convert(aware, tmp_path / "a.tflite", scheme="int8").input.dtype == "int8"
    with pytest.raises(ModelError, match=r"raw pixels in \[0, 255\] for input_type='uint8'.*in \[0, 0\.99"):
        tflite.convert(aware, tmp_path / "a.tflite", scheme="int8", input_type="uint8")
    made = tflite.convert(ranged(model, 250 * images), tmp_path / "b.tflite", scheme="int8")
    assert (made.input.dtype, made.input.scale, made.input.zero_point) == ("uint8", 1.0, 0)


@pytest.mark.parametrize("scheme", ["int16x8", "dynamic"])
def test_other_schemes(scheme, network, digits, held_out, tmp_path):
    aware = tflite.quantize_aware(network, scheme=scheme)
    if scheme != "dynamic":
        tflite.calibrate_ranges(aware, digits.images[:200])
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme=scheme)
    assert tflite.inspect(made.path).is_integer == (scheme == "int16x8")
    assert tflite.compare(aware, made.path, held_out.images).agreement >= 0.995


def test_what_cannot_be_converted(network, aware, digits, tmp_path):
    path = tmp_path / "a.tflite"
    with pytest.raises(ModelError, match=r"measured ranges of activations. Received: '.*' without one. Train the mod"):
        tflite.convert(tflite.quantize_aware(network), path, scheme="int8")
    with pytest.raises(ModelError, match=r"Expected scheme='int8', for which 'resnet8' was made.*scheme='float16'"):
        tflite.convert(aware, path, scheme="float16")
    with pytest.raises(ModelError, match="Expected no `representative` images: 'resnet8' is quantization-aware"):
        tflite.convert(aware, path, scheme="int8", representative=digits.images[:10])
    assert not path.exists()


class TestExclude:
    """What the integer runtime has no kernel for computes in floating point, and the rest in integers."""

    @staticmethod
    def network(odd):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((8, 8, 1))
        x = layers.Rescaling(1 / 64, -2.0)(inputs)
        x = layers.Conv2D(8, 3, activation="relu", name="first")(x)
        attends = isinstance(odd, layers.MultiHeadAttention)
        x = odd(y := layers.Reshape((-1, 8))(x), y) if attends else odd(x)
        x = layers.Flatten()(x)
        return keras.Model(inputs, layers.Dense(10, name="logits")(x))

    @pytest.mark.parametrize(
        ("kind", "options", "scheme"),
        [
            (layers.ELU, {}, "int8"),
            (layers.ELU, {}, "int4"),
            (layers.LayerNormalization, {}, "int8"),
            (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, "int8"),
            (layers.Activation, {"activation": "mish"}, "int16x8"),
        ],
    )
    def test_of_a_layer_without_an_integer_kernel(self, kind, options, scheme, digits, tmp_path):
        aware = ranged(self.network(kind(**options, name="odd")), digits.images[:200], scheme=scheme, exclude=["odd"])
        made = tflite.convert(aware, tmp_path / "a.tflite", scheme=scheme)
        in_float = {op.place.split("/")[0] for op in tflite.inspect(made.path).float_operators if op.place}
        assert not in_float & {"first", "logits"}
        assert {"CONV_2D", "FULLY_CONNECTED"} <= set(made.ops)
        found = tflite.compare(aware, made.path, digits.images[200:400])
        assert found.agreement >= 0.98
        assert found.mean_lsb is None or found.mean_lsb < 0.6

    def test_that_makes_a_file_which_does_not_run_is_refused(self, digits, tmp_path):
        """The converter gives the inner products of attention integers and weights in floating point."""

        class Attending(layers.MultiHeadAttention):
            """Another class, which may compute something else, is not written out."""

        aware = ranged(self.network(Attending(2, 3, name="odd")), digits.images[:50], exclude=["odd"])
        with pytest.raises(tflite.ConversionError, match=r"the runtime refuses.*fully_connected"):
            tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
        assert not (tmp_path / "a.tflite").exists()

    def test_of_another_layer_is_no_excuse(self, digits, tmp_path):
        """An operator that nobody excluded is refused still."""
        aware = ranged(self.network(layers.ELU(name="odd")), digits.images[:50], exclude=["odd"])
        assert floating(aware) == {"odd"}
        made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
        with pytest.raises(tflite.ConversionError, match="1× ELU; layers 'odd'"):
            check_integer(tflite.inspect(made.path), "int8", aware, ("first", "odd", "logits"), allowed={"first"})


def error_of_file(model, digits, tmp_path, scheme="int8"):
    """How far a file is from the floating-point model on other images, as a share of the deviation of its answers."""
    aware = ranged(model, digits.images[:100], scheme=scheme)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme=scheme)
    assert tflite.inspect(made.path).is_integer
    images = digits.images[100:200]
    exact = np.asarray(model(images.astype("float32")))
    return np.abs(Runner(made.path)(images) - exact).mean() / exact.std()


def built(make):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    x = layers.Rescaling(1 / 8, -1.0)(inputs)
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(make(layers.Conv2D(4, 3, padding="same")(x)))))


def test_averages_that_are_merged_are_of_numbers_in_their_own_range(tmp_path):
    """In the range of what they are merged to, the peaks before an average would be cut."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    peaks = layers.Conv2D(4, 3, padding="same", kernel_initializer="orthogonal")(inputs)
    small = layers.Conv2D(4, 1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.05))
    both = [layers.UpSampling2D(2, interpolation="bilinear")(peaks), small(layers.UpSampling2D(2)(inputs))]
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Concatenate()(both)))
    images = np.random.default_rng(0).normal(size=(200, 8, 8, 3)).astype("float32")
    aware = ranged(keras.Model(inputs, x), images)
    made = tflite.convert(aware, tmp_path / "a.tflite", scheme="int8")
    answers = np.asarray(aware(images[:100]))
    assert np.abs(Runner(made.path)(images[:100]) - answers).max() < 0.02 * np.abs(answers).max()


def twice(layer, x):
    return layers.Add()([layer(x), layer(layer(x))])


def on_two(layer, x):
    return layers.Add()([layer(layers.MaxPooling2D()(x)), layer(layers.AveragePooling2D(2)(x))])


def normalized_apart(x):
    """One convolution, and a normalisation of its own for each of its two calls."""
    shared = layers.Conv2D(4, 3, padding="same", use_bias=False)
    return layers.Add()([layers.BatchNormalization()(shared(x)), layers.BatchNormalization(epsilon=1.0)(shared(x))])


SHARED = {
    "convolution": lambda x: twice(layers.Conv2D(4, 3, padding="same"), x),
    "convolution of sequences": lambda x: twice(layers.Conv1D(4, 3, padding="causal"), layers.Reshape((64, 4))(x)),
    "convolution with two normalisations": normalized_apart,
    "normalisation": lambda x: on_two(layers.BatchNormalization(), x),
    "resizing": lambda x: on_two(layers.UpSampling2D(), x),
}


@pytest.mark.parametrize("name", SHARED)
def test_layers_that_are_called_twice(name, digits, tmp_path):
    assert error_of_file(built(SHARED[name]), digits, tmp_path) < 0.05


@pytest.mark.parametrize(
    "make",
    [
        layers.Activation("hard_swish"),
        layers.Activation("hard_sigmoid"),
        lambda x: x + 1.0,
        lambda x: 1.0 + x,
        lambda x: x - 1.0,
        lambda x: 1.0 - x,
        layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
    ],
    ids=["hard_swish", "hard_sigmoid", "x + 1", "1 + x", "x - 1", "1 - x", "transposed"],
)
def test_sums_with_a_number_and_transposed_convolutions_in_16_bits(make, digits, tmp_path):
    assert error_of_file(built(make), digits, tmp_path, "int16x8") < 0.02


def test_padding_with_another_number_than_zero_is_refused():
    """The range of the tensor need not hold it, and the file would pad with the nearest number that it does."""
    padded = built(lambda x: keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=5.0))
    with pytest.raises(ModelError, match=r"padding with zeros.*constant_values=5\.0.*exclude="):
        tflite.quantize_aware(padded)
    tflite.quantize_aware(built(lambda x: keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])))


@pytest.mark.parametrize("layer", [layers.BatchNormalization(axis=1), layers.Normalization(axis=(1, 2, 3))])
def test_normalisation_of_something_else_than_channels_is_refused(layer):
    with pytest.raises(ModelError, match=r"normalisation along the last axis. Received: '.*normalization"):
        tflite.quantize_aware(built(layer))
