"""Networks by name: keras.applications, keras-hub, files and functions of a user."""

import sys
import types

import keras
import numpy as np
import pytest

import tflite
from distiller import models
from distiller.errors import InputError, WorkError


def images(size, channels=3):
    return np.random.default_rng(0).integers(0, 256, (4, size, size, channels)).astype("float32")


# One of each way to preprocess: none, [-1, 1], means with blue first, means and deviations a channel; and a last
# normalization of its own.
@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("MobileNetV3Small", "mobilenet_v3"),
        ("MobileNetV2", "mobilenet_v2"),
        ("VGG16", "vgg16"),
        ("DenseNet121", "densenet"),
    ],
)
def test_keras_networks_preprocess_as_keras_does(name, module):
    """The same weights behind Keras's own `preprocess_input` give the same features."""
    options = {"alpha": 0.35} if name == "MobileNetV2" else {}
    made = models.build(f"keras:{name}", 7, (32, 32, 3), **options)
    assert made.output_shape == (None, 7)
    mine = keras.Model(made.input, made.get_layer("features").output)
    theirs = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg", **options
    )
    weights = mine.get_weights()
    if name == "VGG16":  # its weights are for blue, green, red
        weights[0] = weights[0][:, :, ::-1]
    theirs.set_weights(weights)
    preprocess = getattr(keras.applications, module).preprocess_input
    expected = theirs.predict(preprocess(images(32)), verbose=0)
    found = mine.predict(images(32), verbose=0)
    assert np.std(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_its_head_is_new_and_its_numbers_are_of_the_policy():
    made = models.build("keras:MobileNetV2", 5, (32, 32, 3), alpha=0.35, dtype="mixed_bfloat16")
    assert [layer.name for layer in made.layers[-2:]] == ["features", "logits"]
    assert made.get_layer("Conv1").compute_dtype == "bfloat16"
    assert made.get_layer("logits").compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_moving_statistics_follow_a_short_training(tmp_path):
    """Keras's momentum of 0.999 leaves 0.999^60, most, of the initial ones after 60 steps."""
    made = models.build("keras:MobileNetV2", 3, (32, 32, 3), alpha=0.35)
    made.save(tmp_path / "m.keras")
    layer = keras.models.load_model(tmp_path / "m.keras").get_layer("bn_Conv1")
    x = np.random.default_rng(0).normal(5.0, 2.0, (64, 2, 2, 16)).astype("float32")
    for _ in range(60):
        layer(x, training=True)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), x.mean((0, 1, 2)), rtol=0.01)
    np.testing.assert_allclose(np.asarray(layer.moving_variance), x.var((0, 1, 2)), rtol=0.01)


def test_grey_images_are_three_equal_channels():
    keras.utils.set_random_seed(0)
    grey = models.build("keras:MobileNetV3Small", 3, (32, 32, 1), minimalistic=True)
    keras.utils.set_random_seed(0)
    colour = models.build("keras:MobileNetV3Small", 3, (32, 32, 3), minimalistic=True)
    x = images(32, 1)
    found, expected = grey.predict(x, verbose=0), colour.predict(np.repeat(x, 3, axis=-1), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_keras_network_becomes_a_file_of_integers(tmp_path):
    made = models.build("keras:MobileNetV2", 5, (32, 32, 3), alpha=0.35)
    tflite.convert(made, tmp_path / "s.tflite", scheme="int8", representative=images(32))
    found = tflite.inspect(tmp_path / "s.tflite")
    assert found.is_integer
    assert found.inputs[0].dtype == "uint8"


def test_names_options_and_sizes_that_do_not_fit():
    for name, options, message in [
        ("keras:MobileNetV3Smal", {}, "Did you mean 'MobileNetV3Small'"),
        ("keras:MobileNetV2", {"alfa": 1}, "Did you mean 'alpha'"),
        ("keras:MobileNetV2", {"weights": "cifar"}, "Expected weights of imagenet or none"),
        ("nets.py:student", {}, "The Python file 'nets.py' does not exist"),
        ("no_such_module_here:student", {}, "cannot be imported: ModuleNotFoundError"),
        ("none.keras", {}, "The model file 'none.keras' does not exist"),
    ]:
        with pytest.raises(InputError, match=message):
            models.check(name, options)
    with pytest.raises(InputError, match=r"keras.applications.InceptionV3 refuses images of 32×32 .* 75"):
        models.build("keras:InceptionV3", 5, (32, 32, 3))
    with pytest.raises(InputError, match="1 or 3 channels"):
        models.build("keras:MobileNetV2", 5, (32, 32, 4))


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def fails(*arguments, **options):
        raise Exception("URL fetch failure on https://storage.googleapis.com/… : None -- [Errno 111] refused")

    module = sys.modules[keras.applications.MobileNetV2.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", fails)
    with pytest.raises(WorkError, match=r"keras:MobileNetV2 cannot be downloaded: .* weights: none"):
        models.build("keras:MobileNetV2", 5, (32, 32, 3), weights="imagenet")


def test_a_saved_network_is_a_student_with_its_weights(tmp_path):
    saved = models.build("resnet8", 4, (8, 8, 3), width=4)
    path = tmp_path / "mine.keras"
    saved.save(path)
    made = models.build(str(path), 4, (8, 8, 3))
    np.testing.assert_allclose(made.predict(images(8), verbose=0), saved.predict(images(8), verbose=0), rtol=1e-5)
    assert models.files_of(str(path)) == [str(path)]
    with pytest.raises(InputError, match=r"logits of 5 classes from .*mine.keras'. Received: outputs \(None, 4\)"):
        models.build(str(path), 5, (8, 8, 3))
    with pytest.raises(InputError, match=r"images of shape \(9, 9, 3\)"):
        models.build(str(path), 4, (9, 9, 3))
    with pytest.raises(InputError, match="Expected no options for a network from a file"):
        models.build(str(path), 4, (8, 8, 3), width=2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
def test_a_saved_model_has_no_layers_and_it_is_said(tmp_path):
    models.build("resnet8", 4, (8, 8, 3), width=4).export(tmp_path / "served", verbose=False)
    for refused in (models.check, lambda name: models.build(name, 4, (8, 8, 3))):
        with pytest.raises(InputError, match=r"SavedModel made to be served.*model\.save\('model\.keras'\)"):
            refused(str(tmp_path / "served"))


CODE = """
import keras

def student(classes, input_shape, units=8):
    pixels = keras.Input(input_shape)
    x = keras.layers.Dense(units)(keras.layers.Flatten()(pixels))
    return keras.Model(pixels, keras.layers.Dense(classes)(x))

def counted(num_classes, input_shape):
    return student(num_classes, input_shape)

def words(classes):
    return "no network"

def fails(classes):
    raise RuntimeError("of its own")

def asks(classes, secret):
    pass
"""


def test_a_network_of_a_users_own_code(tmp_path):
    path = tmp_path / "nets.py"
    path.write_text(CODE)
    made = models.build(f"{path}:student", 4, (5, 5, 3), units=6)
    assert made.output_shape == (None, 4)
    assert made.count_params() == 75 * 6 + 6 + 6 * 4 + 4
    assert models.files_of(f"{path}:student") == [str(path)]
    assert models.build(f"{path}:counted", 4, (5, 5, 3)).output_shape == (None, 4)
    for function, message in [
        ("studnet", "Did you mean 'student'"),
        ("words", "Expected a keras.Model from .* Received: str"),
        ("fails", "failed in line 16: RuntimeError: of its own"),
        ("asks", "also asks for secret"),
    ]:
        with pytest.raises(InputError, match=message):
            models.build(f"{path}:{function}", 4, (5, 5, 3))


def test_layers_without_names_are_called_alike_in_every_call(tmp_path):
    """A recipe names layers once, for the students of all seeds; and what is made around them has other names."""
    (tmp_path / "nets.py").write_text(CODE)
    pixels = keras.Input((5, 5, 3))
    outer = keras.layers.Dense(3)
    built = [models.build(f"{tmp_path / 'nets.py'}:student", 4, (5, 5, 3)) for _ in range(2)]
    for one in built:
        assert [layer.name for layer in one.layers] == ["input_layer", "flatten", "dense", "dense_1"]
    later = keras.layers.Dense(3)
    assert later.name not in (outer.name, "dense", "dense_1")
    assert keras.Model(pixels, later(keras.layers.Flatten()(outer(pixels)))).output_shape == (None, 3)


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for keras-hub: a backbone of two layers, and a converter that scales to [-1, 1]."""

    class Backbone:
        @staticmethod
        def from_preset(preset, load_weights, image_shape, dtype):
            if preset != "tiny":
                raise ValueError(f"no preset {preset}")
            pixels = keras.Input(image_shape)
            kernel = "ones" if load_weights else "zeros"
            x = keras.layers.Conv2D(2, 3, kernel_initializer=kernel, dtype=dtype)(pixels)
            return keras.Model(pixels, keras.layers.BatchNormalization(momentum=0.999, epsilon=0.0, name="norm")(x))

    converter = types.SimpleNamespace(scale=1 / 127.5, offset=-1.0)
    module = types.ModuleType("keras_hub")
    module.models = types.SimpleNamespace(Backbone=Backbone)
    module.layers = types.SimpleNamespace(ImageConverter=types.SimpleNamespace(from_preset=lambda preset: converter))
    monkeypatch.setitem(sys.modules, "keras_hub", module)


def test_a_preset_of_keras_hub_is_scaled_as_its_preprocessor_scales(hub):
    made = models.build("hub:tiny", 3, (8, 8, 3))
    features = keras.Model(made.input, made.get_layer("features").output).predict(images(8), verbose=0)
    scaled = images(8) / 127.5 - 1
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (3, 3), axis=(1, 2)).sum(axis=(-1, -2, -3))
    np.testing.assert_allclose(features, np.repeat(windows.mean(axis=(1, 2))[:, None], 2, axis=1), rtol=1e-4)
    momenta = [
        next(layer for layer in one.layers if isinstance(layer, keras.Model)).get_layer("norm").momentum
        for one in (made, models.build("hub:tiny", 3, (8, 8, 3), weights="none"))
    ]
    assert momenta == [0.99, 0.9]
    with pytest.raises(WorkError, match="preset 'other' of keras-hub cannot be had: ValueError: no preset other"):
        models.build("hub:other", 3, (8, 8, 3))


def test_without_keras_hub_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(WorkError, match="pip install keras-hub"):
        models.check("hub:resnet_18_imagenet")
