"""A Keras 3 model written anew in Keras 2: it computes the same, and trains the same."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import tflite
from distiller import models
from tflite import ModelError
from tflite.tfmot.rebuild import rebuild

ZOO = {
    "resnet8": {"width": 4},
    "resnet20": {"width": 4},
    "mobilenet_v2": {"width": 0.1},
    "wide": {"widths": (8, 8), "stem": 8},
    "wrn_16_2": {"width": 1},
}


def shaken(model):
    """The model with other numbers than those that layers start with."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def pixels(shape, n=4):
    return np.random.default_rng(1).integers(0, 256, (n, *shape)).astype("float32")


def assert_same(model, images, **options):
    expected = np.asarray(model(images, training=False))
    got = rebuild(model, **options).network(images, training=False).numpy()
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo(name):
    assert_same(shaken(models.build(name, 3, (8, 8, 1), **ZOO[name])), pixels((8, 8, 1)))


def nested(x):
    inner = keras.Sequential([keras.Input(x.shape[1:]), layers.Conv2D(3, 3), layers.ReLU()])
    return inner(layers.Conv2D(x.shape[-1], 1)(x))


def shared(x):
    layer = layers.Conv2D(x.shape[-1], 3, padding="same")
    return layer(layer(x))


LAYERS = {
    "stride and dilation": lambda x: layers.Conv2D(3, 3, dilation_rate=2, padding="same")(
        layers.Conv2D(4, 3, strides=2, padding="same")(x)
    ),
    "groups": lambda x: layers.Conv2D(4, 3, groups=2, activation="tanh")(x),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same")(x),
    "transposed": lambda x: layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu6")(x),
    "separable": lambda x: layers.SeparableConv2D(3, 3, depth_multiplier=2, activation="relu6")(x),
    "one-dimensional": lambda x: layers.SeparableConv1D(3, 3)(layers.Conv1D(3, 3)(layers.Reshape((-1, 4))(x))),
    "normalisation": lambda x: layers.LayerNormalization()(layers.BatchNormalization(scale=False)(x)),
    "pooling": lambda x: layers.AveragePooling2D(2, 1, padding="same")(layers.MaxPooling2D(3, 2, padding="same")(x)),
    "global": lambda x: layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)]),
    "shapes": lambda x: layers.Permute((2, 3, 1))(layers.ZeroPadding2D((1, 0))(layers.Cropping2D(1)(x))),
    "flat": lambda x: layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(layers.Flatten()(x))),
    "upsampling": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "merging": lambda x: layers.Maximum()([layers.Average()([x, layers.PReLU()(x)]), layers.Multiply()([x, x])]),
    "leaky": lambda x: layers.Conv2D(3, 1, activation="leaky_relu")(layers.LeakyReLU(0.1)(x - layers.ELU()(x))),
    "clipped": lambda x: layers.ReLU(4.0, negative_slope=0.1, threshold=0.5)(x),
    "silu": lambda x: layers.Conv2D(3, 1, activation="silu")(layers.Activation("gelu")(x)),
    "operations": lambda x: ops.mean(ops.concatenate([ops.relu6(x), ops.sigmoid(x + x)], axis=-1), axis=(1, 2)),
    "softmax": lambda x: layers.Softmax(axis=1)(ops.stop_gradient(x)),
    "rescaling": lambda x: layers.Rescaling(0.5, -1.0)(x),
    "nested": nested,
    "shared": shared,
}


def one(build, images):
    inputs = keras.Input(images.shape[1:])
    return shaken(keras.Model(inputs, build(inputs)))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    images = np.random.default_rng(1).normal(0, 3, (4, 6, 6, 4)).astype("float32")
    assert_same(one(LAYERS[name], images), images)


@pytest.mark.parametrize("name", ["separable", "leaky", "silu", "transposed"])
def test_layers_that_quantization_takes_apart(name):
    images = np.random.default_rng(1).normal(0, 3, (4, 6, 6, 4)).astype("float32")
    assert_same(one(LAYERS[name], images), images, pixels=(0.0, 255.0))


def test_pixels_are_rescaled_in_one_convolution_with_an_offset_that_is_a_number_of_pixels():
    model = shaken(models.build("resnet8", 3, (8, 8, 1), width=4))
    made = rebuild(model, pixels=(0.0, 255.0))
    kernel, bias = made.network.get_layer("scale").get_weights()
    assert kernel.ravel().tolist() == [1 / 64]
    assert bias.tolist() == [-127 / 64]
    # The network with that offset is the same.
    model.get_layer("scale").offset = -127 / 64
    images = pixels((8, 8, 1))
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(made.network(images, training=False), expected, atol=3e-6 * np.abs(expected).max())


def trained_twice():
    """The same network twice: as it is, and in Keras 2; with a regularizer, a constraint and a frozen layer."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 6, 1))
    x = layers.Rescaling(1 / 64, -2.0)(inputs)
    x = layers.Conv2D(4, 3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1), name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.5, name="norm")(x))
    x = layers.Conv2D(4, 1, trainable=False, name="frozen")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.5), name="logits")(x)
    model = keras.Model(inputs, x)
    return model, tflite.prune(model, final_sparsity=0.0, end_step=100)


def test_training_is_that_of_keras_3():
    model, adopted = trained_twice()
    before = {weight.path: np.array(weight) for weight in model.weights}
    images, labels = pixels((6, 6, 1), 32), np.arange(32) % 3
    losses = []
    for network in (model, adopted):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(keras.optimizers.Adam(0.01), loss)
        losses.append(network.fit(images, labels, batch_size=16, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for one, other in zip(model.weights, tflite.plain(adopted).weights, strict=True):
        # Keras 2 keeps the unbiased variance: n / (n - 1) of 16 images of 4×4 numbers, half of it from each batch.
        rtol = 1 / 255 if "variance" in one.path else 0
        np.testing.assert_allclose(other, one, atol=1e-6, rtol=rtol, err_msg=one.path)
        assert np.array_equal(before[one.path], other) == one.path.startswith("frozen")


class Own(layers.Layer):
    def call(self, x):
        return x * 2


def test_a_dropout_drops_what_it_dropped():
    """Whole channels of one image, where that is the shape of its noise."""
    inputs = keras.Input((6, 6, 4))
    model = keras.Model(inputs, layers.Dropout(0.5, noise_shape=(None, 1, 1, None))(inputs))
    got = rebuild(model).network(np.ones((50, 6, 6, 4), "float32"), training=True).numpy()
    np.testing.assert_array_equal(got, np.broadcast_to(got[:, :1, :1], got.shape))
    assert set(np.unique(got)) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: Own(name="mine")(x), r"the layer 'mine' \(Own\)\. Replace it, or use engine='native'"),
        (lambda x: layers.Conv2D(2, 1, activity_regularizer="l2", name="c")(x), "'c' .Conv2D. with an activity regul"),
        (lambda x: layers.BatchNormalization(synchronized=True, name="n")(x), "'n' .* with synchronized=True"),
        (lambda x: layers.Activation("mish", name="m")(x), r"'m' \(Activation\) with the activation mish"),
        (lambda x: layers.Conv2D(2, 1, activation="hard_silu", name="c")(x), "with the activation hard_silu"),
        (lambda x: x * 2.0, r"the operation 'multiply.*' \(Multiply\)"),
        (lambda x: ops.mean(x, axis=-1), r"the operation 'mean.*' \(Mean\)"),
        (lambda x: [x, layers.ReLU()(x)], "one input and one output. Received: 'model' with 1 and 2"),
    ],
)
def test_what_cannot_be_written(build, message):
    inputs = keras.Input((6, 6, 4))
    with pytest.raises(ModelError, match=message):
        rebuild(keras.Model(inputs, build(inputs), name="model"))
