"""Quantization-aware training by tensorflow-model-optimization, from a student of Keras 3 to its file of integers."""

import keras
import numpy as np
import pytest
from keras import layers

import tflite
from distiller import Distiller, models, objectives
from distiller.errors import InputError
from tflite import ModelError
from tflite.tfmot.network import networks

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def student(digits):
    """A small network with what ResNet and MobileNetV2 are made of."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), name="pixels")
    x = layers.Rescaling(1 / 64, offset=-127.5 / 64, name="scale")(inputs)
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.Activation("relu6")(layers.BatchNormalization(momentum=0.9)(x))
    h = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    h = layers.ReLU(6)(layers.BatchNormalization(momentum=0.9)(h))
    h = layers.Conv2D(8, 1, use_bias=False, kernel_regularizer=keras.regularizers.L2(1e-4))(h)
    x = layers.Add()([x, layers.BatchNormalization(momentum=0.9)(h)])
    x = layers.Activation("relu", name="stage")(x)
    x = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x, name="student")
    model.compile(keras.optimizers.Adam(0.01), LOSS)
    model.fit(digits.images[:1000].astype("float32"), digits.labels[:1000], epochs=4, batch_size=50, verbose=0)
    return model


@pytest.fixture(scope="module")
def trained(student, digits):
    """The quantization-aware student, and the history of its training with a teacher."""
    aware = tflite.quantize_aware(student, engine="tfmot")
    learner = Distiller(
        teacher=student, student=aware, objectives={"soft": objectives.Hinton(temperature=4.0)}, name="learner"
    )
    learner.compile(keras.optimizers.Adam(1e-3), loss=LOSS, metrics=["accuracy"])
    images = digits.images[:1000].astype("float32")
    return aware, learner.fit(images, digits.labels[:1000], batch_size=50, epochs=2, verbose=0).history


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    return tflite.convert(trained[0], tmp_path_factory.mktemp("file") / "aware.tflite", scheme="int8")


def test_it_has_the_weights_inputs_and_outputs_of_the_student(student):
    aware = tflite.quantize_aware(student, engine="tfmot")
    assert (aware.name, aware.input_shape, aware.output_shape) == ("student", (None, 8, 8, 1), (None, 10))
    assert aware.inputs[0].name == "pixels"
    expected = sorted(np.asarray(weight).tobytes() for weight in student.trainable_weights)
    assert sorted(np.asarray(weight).tobytes() for weight in aware.trainable_weights) == expected


def test_it_learns_in_a_distiller(trained, student, digits):
    aware, history = trained
    assert history["loss"][1] < history["loss"][0]
    assert history["soft"][1] < history["soft"][0]
    images, labels = digits.images[1000:].astype("float32"), digits.labels[1000:]
    right = [np.mean(np.asarray(model(images, training=False)).argmax(1) == labels) for model in (student, aware)]
    assert right[1] > right[0] - 0.02


def test_the_file_is_of_integers_and_agrees(trained, file, held_out):
    assert file.ops == (
        "QUANTIZE",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "CONV_2D",
        "ADD",
        "MEAN",
        "FULLY_CONNECTED",
    )
    assert tflite.inspect(file.path).float_operators == ()
    parity = tflite.compare(trained[0], file.path, held_out.images)
    assert parity.agreement > 0.99
    assert parity.mean_lsb < 0.3


def test_the_file_has_the_input_and_output_of_the_native_engines(student, file, digits, tmp_path):
    native = tflite.quantize_aware(student)
    tflite.calibrate_ranges(native, digits.images[:50])
    other = tflite.convert(native, tmp_path / "native.tflite", scheme="int8")
    assert (file.input.dtype, file.input.scale, file.input.zero_point) == ("uint8", 1.0, 0)
    assert file.input == other.input
    assert (file.output.dtype, file.output.shape) == (other.output.dtype, other.output.shape)


def test_it_is_saved_and_loaded_and_learns_on(trained, digits, tmp_path):
    aware, _ = trained
    aware.save(tmp_path / "aware.keras")
    loaded = keras.models.load_model(tmp_path / "aware.keras")
    images = digits.images[:200].astype("float32")
    np.testing.assert_array_equal(loaded(images, training=False), aware(images, training=False))
    assert [w.path for w in loaded.weights] == [w.path for w in aware.weights]
    loaded.compile(keras.optimizers.Adam(1e-3), LOSS)
    losses = loaded.fit(images, digits.labels[:200], batch_size=50, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


def test_weights_are_those_of_the_network_inside(trained):
    copy = keras.models.clone_model(trained[0])
    numbers = [np.full(weight.shape, 0.5, weight.dtype) for weight in copy.weights]
    copy.set_weights(numbers)
    (layer,) = networks(copy)
    assert len(layer.network.weights) == len(numbers)
    for inside in layer.network.weights:
        assert np.all(inside.numpy() == (0 if "optimizer_step" in inside.name else 0.5))
        inside.assign(inside * 2)
    assert all(np.all(w == (0 if "optimizer_step" in w.name else 1)) for w in copy.weights)


def dense():
    """A linear network of raw pixels: its numbers are easily told."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)], name="linear")
    model.layers[-1].bias.assign([0.5, -0.5, 1.0])
    return model


def test_ranges_start_with_the_first_batch_and_follow_slowly_and_only_in_training():
    model = dense()
    aware = tflite.quantize_aware(model, engine="tfmot", input_range=(0.0, 255.0))
    rng = np.random.default_rng(0)
    images = [rng.integers(0, high, (8, 4, 4, 1)).astype("float32") for high in (256, 100, 256)]
    kernel, bias = (np.asarray(weight, "float64") for weight in model.weights)
    step = np.abs(kernel).max() / 127
    outputs = [batch.reshape(8, -1) @ (np.round(kernel / step) * step) + bias for batch in images]
    ranges = [(min(0, output.min()), max(0, output.max())) for output in outputs]

    def measured():
        named = {weight.name: float(np.asarray(weight)) for weight in aware.weights if "post_activation" in weight.name}
        return [named[name] for name in sorted(named, reverse=True)]

    assert measured() == [-6.0, 6.0]
    aware(images[0], training=True)
    np.testing.assert_allclose(measured(), ranges[0], rtol=1e-5)
    aware(images[1], training=True)
    slow = [0.999 * before + 0.001 * now for before, now in zip(*ranges[:2], strict=True)]
    np.testing.assert_allclose(measured(), slow, rtol=1e-5)
    got = np.asarray(aware(images[2], training=False))
    np.testing.assert_allclose(measured(), slow, rtol=1e-5)
    # An output is its number rounded to one of 255 steps of the range, moved by less than a step to hold zero.
    size = (slow[1] - slow[0]) / 255
    inside = np.clip(outputs[2], slow[0] + size, slow[1] - size)
    assert np.abs(got - inside).max() < 1.5 * size
    assert len(np.unique(np.round(got / size, 3) % 1 % 0.999)) == 1


def test_a_network_that_does_not_rescale_measures_its_input(tmp_path):
    aware = tflite.quantize_aware(dense(), engine="tfmot")
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1)).astype("float32")
    images = np.clip(images, 0, 250)  # the brightest pixel need not be among the images
    aware(images, training=True)
    made = tflite.convert(aware, tmp_path / "pixels.tflite", scheme="int8")
    assert (made.input.dtype, made.input.scale, made.input.zero_point) == ("uint8", 1.0, 0)
    assert tflite.compare(aware, made.path, images).mean_lsb < 1.5
    aware(np.full_like(images, -5), training=True)
    made = tflite.convert(aware, tmp_path / "numbers.tflite", scheme="int8")
    step = (images.max() + 5) / 255
    assert (made.input.dtype, made.input.scale) == ("int8", pytest.approx(step, rel=1e-6))
    assert made.input.zero_point == -128 + round(5 / step)
    with pytest.raises(ModelError, match=r"raw pixels in \[0, 255\] for input_type='uint8'.* inputs in \[-5, 250\]"):
        tflite.convert(aware, tmp_path / "a.tflite", scheme="int8", input_type="uint8")


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v2"])
def test_networks_of_the_zoo(name):
    width = {"resnet20": 4, "mobilenet_v2": 0.1}[name]
    model = models.build(name, 3, (8, 8, 1), width=width)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)  # frozen, it keeps its statistics
    aware = tflite.quantize_aware(model, engine="tfmot")
    assert len(aware.trainable_weights) == len(model.trainable_weights)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype("float32")
    rounded, exact = np.asarray(aware(images, training=True)), np.asarray(model(images, training=True))
    assert np.corrcoef(rounded.ravel(), exact.ravel())[0, 1] > 0.99


def test_conversion_asks_for_what_the_model_is(trained, digits, tmp_path):
    aware, _ = trained
    path = tmp_path / "a.tflite"
    for options, message in [
        ({"scheme": "float32"}, "Expected scheme='int8', for which 'student' was made .*Received: scheme='float32'"),
        ({"scheme": "int8", "representative": digits.images[:5]}, "no `representative` images: 'student'"),
    ]:
        with pytest.raises(ModelError, match=message):
            tflite.convert(aware, path, **options)
    untrained = tflite.quantize_aware(dense(), engine="tfmot")
    with pytest.raises(ModelError, match=r"measured ranges of activations. Received: 'linear'.* Train the model"):
        tflite.convert(untrained, path, scheme="int8")
    assert list(tmp_path.iterdir()) == []


def test_it_is_quantization_aware_already(trained):
    for engine in ("native", "tfmot"):
        with pytest.raises(ModelError, match="'student', which is quantization-aware already"):
            tflite.quantize_aware(trained[0], engine=engine)


def test_layers_inside_are_out_of_reach_of_a_distiller(trained, student):
    hint = objectives.Hint(teacher_layer="stage", student_layer="stage")
    with pytest.raises(InputError, match=r"student layer 'stage'.*: pixels, student_in_keras_2"):
        Distiller(teacher=student, student=trained[0], objectives={"hint": hint})
