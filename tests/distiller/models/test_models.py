"""The zoo, its cost, and packaged weights."""

import json
import shutil

import keras
import numpy as np
import pytest

from distiller import models
from distiller.errors import InputError
from distiller.models import trained


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # He et al. 2015, table 6: 0.27, 0.46, 0.85 and 1.7 million weights.
        ("resnet20", 0.27e6),
        ("resnet32", 0.46e6),
        ("resnet56", 0.85e6),
        ("resnet110", 1.7e6),
        # Zagoruyko & Komodakis 2016, tables 4 and 5: 0.7, 2.2 and 36.5 million.
        ("wrn_16_2", 0.7e6),
        ("wrn_40_2", 2.2e6),
        ("wrn_28_10", 36.5e6),
    ],
)
def test_parameters_are_those_of_the_papers(name, parameters):
    assert models.parameters(models.build(name, 10)) == pytest.approx(parameters, rel=0.04)


def test_multiply_adds_of_resnet20_are_those_of_its_layers():
    """A stem, six 3×3 convolutions at each size, the first of the later stages from half the channels, two
    projections, and the last layer."""
    stem = 32 * 32 * 9 * 3 * 16
    stages = 6 * 32 * 32 * 9 * 16 * 16
    stages += 16 * 16 * 9 * 32 * (16 + 5 * 32) + 8 * 8 * 9 * 64 * (32 + 5 * 64)
    skips = 16 * 16 * 16 * 32 + 8 * 8 * 32 * 64
    assert models.multiply_adds(models.build("resnet20", 10)) == stem + stages + skips + 64 * 10


@pytest.mark.parametrize("hidden", ["wrapped", "subclassed"])
def test_multiply_adds_of_what_does_not_show_are_unknown(hidden):
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dense(3)

        def call(self, x):
            return self.inner(self.inner(x))

    inputs = keras.Input((5, 3))
    layer = keras.layers.TimeDistributed(keras.layers.Dense(3)) if hidden == "wrapped" else Block()
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    model(np.zeros((1, 5, 3)))
    assert models.multiply_adds(model) is None


def _open(nested):
    """Two convolutions and a classifier for images of any size; `nested`, inside a model for 12×12."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = keras.layers.SeparableConv2D(6, 3, padding="same")(x)
    x = keras.layers.Conv2DTranspose(2, 2, strides=2)(x)
    model = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))
    if not nested:
        return model
    outer = keras.Input((12, 12, 3))
    return keras.Model(outer, keras.layers.Add()([model(outer), model(outer)]))


def test_multiply_adds_of_a_network_for_any_size_are_those_at_the_size_of_the_images():
    at_12 = 6 * 6 * (9 * 3 * 4 + 9 * 4 + 4 * 6 + 2 * 2 * 6 * 2) + 2 * 5
    assert models.multiply_adds(_open(nested=False), (12, 12, 3)) == at_12
    assert models.multiply_adds(_open(nested=False), (24, 12, 3)) == 2 * (at_12 - 10) + 10
    assert models.multiply_adds(_open(nested=False)) is None
    assert models.multiply_adds(_open(nested=True)) == 2 * at_12


def test_the_size_of_the_images_changes_nothing_where_a_network_says_its_own():
    model = models.build("resnet8", 3, (8, 8, 1))
    assert models.multiply_adds(model, (16, 16, 1)) == models.multiply_adds(model)


def test_multiply_adds_of_channels_first():
    """Its places are the last two of its four sides."""
    inputs = keras.Input((3, 8, 10))
    model = keras.Model(inputs, keras.layers.Conv2D(4, 3, padding="same", data_format="channels_first")(inputs))
    assert models.multiply_adds(model) == 8 * 10 * 9 * 3 * 4


def test_mobilenet_channels_are_multiples_of_8():
    model = models.build("mobilenet_v2", 10, width=0.35)
    channels = {layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert all(c % 8 == 0 for c in channels)


def test_mobilenet_on_photos_is_that_of_the_paper():
    model = models.build("mobilenet_v2", 1000, (224, 224, 3), width=1.0)
    theirs = keras.applications.MobileNetV2(weights=None)
    assert models.multiply_adds(model) == models.multiply_adds(theirs)
    assert models.parameters(model) == models.parameters(theirs)


@pytest.mark.parametrize(
    ("size", "options", "first"),
    [(96, {}, 1), (128, {}, 2), (192, {}, 4), (224, {"reduction": 1}, 1), (32, {"reduction": 2}, 2)],
)
@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v2", "wide", "wrn_16_2"])
def test_large_images_are_made_smaller_first(name, size, options, first):
    model = models.build(name, 3, (size, size, 3), **options)
    layer, halved = {"mobilenet_v2": ("stage2", 1), "wide": ("stage1", 2)}.get(name, ("stage1", 1))
    assert model.get_layer(layer).output.shape[1:3] == (size // first // halved,) * 2


@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v2", "wide", "wrn_16_2"])
def test_saved_models_are_plain_keras_and_answer_alike(name, tmp_path):
    model = models.build(name, 3, (16, 16, 3))
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("float32")
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet9", "classes": 10}, "Did you mean 'resnet8'"),
        ({"name": "resnet8", "classes": 1}, "at least 2"),
        ({"name": "resnet8", "classes": 10, "widht": 3}, "widht"),
        ({"name": "resnet8", "classes": 10, "depth": 9}, "6n\\+2"),
        ({"name": "mobilenet_v2", "classes": 10, "width": 0}, "positive"),
        ({"name": "wide", "classes": 10, "reduction": 3}, "Expected 1, 2 or 4. Received: reduction=3"),
    ],
)
def test_build_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        models.build(**arguments)


class TestPackaged:
    def test_the_teacher_is_what_its_card_says(self):
        model, card = models.load("wide_cifar100"), models.card("wide_cifar100")
        assert model.output_shape == (None, 100)
        assert card["bytes"] <= 8e6
        assert card["test_accuracy"] >= 0.70
        assert len(card["classes"]) == 100
        assert len(card["epochs"]) == card["recipe"]["training"]["epochs"]

    def test_a_damaged_file_is_refused(self, tmp_path, monkeypatch):
        for path in trained._FOLDER.iterdir():
            if path.is_file():
                shutil.copy(path, tmp_path)
        weights = tmp_path / "wide_cifar100.npz"
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
        monkeypatch.setattr(trained, "_FOLDER", tmp_path)
        with pytest.raises(InputError, match="damaged"):
            models.load("wide_cifar100")

    def test_an_unknown_name_has_the_nearest(self):
        with pytest.raises(InputError, match="Did you mean 'wide_cifar100'"):
            models.load("wide_cifar10")

    def test_pack_and_load_round_trip_within_float16(self, tmp_path, monkeypatch):
        model = models.build("resnet8", 4, (8, 8, 1), width=8)
        entry = {"model": {"name": "resnet8", "classes": 4, "input_shape": [8, 8, 1], "options": {"width": 8}}}
        trained.pack(model, entry, tmp_path, "small")
        monkeypatch.setattr(trained, "_FOLDER", tmp_path)
        assert json.loads((tmp_path / "small.json").read_text())["bytes"] == (tmp_path / "small.npz").stat().st_size
        for a, b in zip(model.get_weights(), models.load("small").get_weights(), strict=True):
            np.testing.assert_array_equal(a.astype("float16"), b)
