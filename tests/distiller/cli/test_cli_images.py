"""A folder's images get the size that a model takes."""

import keras
import numpy as np
import pytest

import tflite
from distiller import data
from distiller.cli import images
from distiller.errors import InputError


def network(shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(inputs)))


class Subclassed(keras.Model):
    """A network that is no graph of layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        return self.head(keras.ops.mean(inputs, axis=(1, 2)))


@pytest.fixture
def saved(tmp_path):
    def save(model):
        model.save(tmp_path / "model.keras")
        return tmp_path / "model.keras"

    return save


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (network((20, 12, 3)), (20, 12)),
        (keras.Sequential([keras.Input((20, 12, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]), (20, 12)),
        (network((None, None, 3)), (32, 32)),
    ],
    ids=["functional", "sequential", "open"],
)
def test_of_a_keras_file(saved, model, expected):
    path = saved(model)
    assert images.size_for(path, None) == expected
    assert images.size_for(str(path), 48) == (48, 48)


def test_of_a_subclassed_network(saved):
    model = Subclassed()
    model(np.zeros((1, 20, 12, 3), "float32"))
    assert images.size_for(saved(model), None) == (20, 12)


def test_the_classes_of_a_file_have_its_order(tmp_path):
    made = tflite.convert(network((8, 8, 3)), tmp_path / "model.tflite", labels=["zebra", "ant", "bee"])
    split = data.Split(np.zeros((3, 8, 8, 3), "uint8"), np.arange(3, dtype="int32"))
    dataset = data.Dataset("photos", split, split, split, ("ant", "bee", "zebra"))
    with pytest.raises(InputError, match=r"--classes zebra,ant,bee. Received: ant, bee, zebra"):
        images.check_file(dataset, made.path)
    images.check_file(dataset.only(["zebra", "ant", "bee"]), made.path)
    plain = tflite.convert(network((8, 8, 3)), tmp_path / "plain.tflite")
    images.check_file(dataset, plain.path)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (("3", "5", "8"), ("3", "6", "8"), r"the file's classes, 3, 5, 8\. .*class 1 is '5' there and '6' here"),
        (("ant", "bee", "cat"), ("ant", "bee", "eel"), "class 2 is 'cat' there and 'eel' here"),
        (("ant", "bee", "cat"), ("0", "1", "2"), None),
        (("0", "1", "2"), ("ant", "bee", "cat"), None),
    ],
)
def test_the_classes_of_a_file_have_its_names(tmp_path, labels, classes, message):
    """Names that are only numbers are those of images, or of a file, without names."""
    made = tflite.convert(network((8, 8, 3)), tmp_path / "model.tflite", labels=labels)
    split = data.Split(np.zeros((3, 8, 8, 3), "uint8"), np.arange(3, dtype="int32"))
    dataset = data.Dataset("photos", split, split, split, classes)
    if message is None:
        images.check_file(dataset, made.path)
    else:
        with pytest.raises(InputError, match=message):
            images.check_file(dataset, made.path)


def test_of_a_tflite_file(tmp_path):
    made = tflite.convert(network((20, 12, 3)), tmp_path / "model.tflite")
    assert images.size_for(made.path, None) == (20, 12)


@pytest.mark.parametrize("name", ["wide_cifar100", "none.keras", "none.tflite", "words.keras", "words.tflite"])
def test_of_what_cannot_be_opened(tmp_path, name):
    """That is told by who opens it."""
    (tmp_path / "words.keras").write_text("words")
    (tmp_path / "words.tflite").write_text("words")
    assert images.size_for(tmp_path / name, None) == (32, 32)


def test_a_folder_is_read_in_the_size_of_the_model(command, tmp_path, monkeypatch):
    """From a teacher's file, and for a file of the student: no size is named."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog", "eel"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            pixels = generator.integers(0, 256, (30, 40, 3), "uint8")
            keras.utils.save_img(tmp_path / "photos" / name / f"{number}.png", pixels, scale=False)
    model = network((20, 12, 3))
    model.save(tmp_path / "teacher.keras")
    asked = []
    monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe))
    images_of = ["--data", tmp_path / "photos"]
    code, _, errors = command("distill", tmp_path / "teacher.keras", "resnet8", *images_of, "--out", tmp_path / "run")
    assert code == 0, errors
    assert asked[0].data.image_size == (20, 12)
    code, told, errors = command(
        "convert", tmp_path / "teacher.keras", tmp_path / "a.tflite", "--scheme", "int8", *images_of
    )
    assert code == 0, errors
    code, told, errors = command("evaluate", tmp_path / "a.tflite", *images_of)
    assert code == 0, errors
    assert "Accuracy" in told
