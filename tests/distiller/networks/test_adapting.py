"""Networks for images of another size or other colours."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from distiller import Distiller, data, models
from distiller.errors import InputError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 16, 16, 3)).astype("uint8")


def network(shape, name):
    keras.utils.set_random_seed(0)
    pixels = keras.Input(shape)
    x = keras.layers.Conv2D(4, 3, name="features")(keras.layers.Rescaling(1 / 255)(pixels))
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(keras.layers.BatchNormalization()(x))
    return keras.Model(pixels, keras.layers.Dense(3)(x), name=name)


def test_images_are_resized_as_tensorflow_resizes():
    small = network((6, 8, 3), "small")
    found = models.adapted(small, (16, 16, 3)).predict(PIXELS.astype("float32"), verbose=0)
    resized = tf.image.resize(PIXELS, (6, 8), antialias=True).numpy()
    np.testing.assert_allclose(found, small.predict(resized, verbose=0), rtol=1e-4, atol=1e-6)


def test_grey_is_that_of_pillow():
    grey = network((16, 16, 1), "grey")
    found = models.adapted(grey, (16, 16, 3)).predict(PIXELS.astype("float32"), verbose=0)
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in PIXELS])[..., None]
    # Pillow rounds to whole numbers.
    np.testing.assert_allclose(found, grey.predict(expected.astype("float32"), verbose=0), atol=5e-3)
    colour = network((16, 16, 3), "colour")
    found = models.adapted(colour, (16, 16, 1)).predict(expected.astype("float32"), verbose=0)
    threefold = np.repeat(expected.astype("float32"), 3, axis=-1)
    np.testing.assert_allclose(found, colour.predict(threefold, verbose=0), rtol=1e-5, atol=1e-6)


def test_it_stays_in_its_mode_without_being_told():
    """Called without `training`, what follows computes as in inference, with its moving statistics."""
    small = network((8, 8, 3), "small")
    adapted = models.adapted(small, (16, 16, 3))
    x = PIXELS.astype("float32")
    np.testing.assert_allclose(np.asarray(adapted(x)), np.asarray(adapted(x, training=False)), rtol=1e-6)


def test_layers_and_weights_are_shared_under_their_names():
    small = network((8, 8, 3), "small")
    adapted = models.adapted(small, (16, 16, 3))
    assert adapted.get_layer("features") is small.get_layer("features")
    assert len(adapted.weights) == len(small.weights)
    assert models.adapted(small, (8, 8, 3)) is small
    anything = network((None, None, 3), "anything")
    assert models.adapted(anything, (8, 8, 3)) is anything


def test_one_view_teaches_a_smaller_grey_student():
    """The terms of the loss are those of the student alone, on images made small and grey by hand."""
    student, teacher = network((8, 8, 1), "student"), network((16, 16, 3), "teacher")
    shown = tf.image.resize((PIXELS * np.array([0.299, 0.587, 0.114])).sum(-1, keepdims=True), (8, 8), antialias=True)
    of_student = student.predict(shown.numpy(), verbose=0)
    of_teacher = teacher.predict(PIXELS.astype("float32"), verbose=0)
    model = Distiller(
        teacher=teacher,
        student=models.adapted(student, (16, 16, 3)),
        objectives={
            "soft": {"name": "hinton", "temperature": 2.0},
            "near": {"name": "similarity_preserving", "teacher_layer": "pooled", "student_layer": "pooled"},
        },
    )
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    # One batch and one step: the terms are of the weights before it. Statistics of the batch would not be by hand.
    student.get_layer(index=3).trainable = False
    split = data.Split(PIXELS, np.array([0, 1, 2, 0, 1, 2], "int32"))
    before = student.get_weights()
    history = model.fit(data.Batches(split, 6), verbose=0).history

    def softened(logits):
        odds = np.exp(logits / 2)
        return odds / odds.sum(-1, keepdims=True)

    p, q = softened(of_teacher), softened(of_student)
    assert history["soft"][0] == pytest.approx(4 * (p * np.log(p / q)).sum(-1).mean(), rel=1e-3)
    assert history["near"][0] > 0
    assert any(not np.allclose(one, other) for one, other in zip(before, student.get_weights(), strict=True))


def test_what_cannot_be_adapted():
    vectors = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(InputError, match="Expected a network of images"):
        models.adapted(vectors, (8, 8, 3))
    with pytest.raises(InputError, match="Expected images of 3 channels, or 1 for 3"):
        models.adapted(network((8, 8, 3), "n"), (8, 8, 4))


def test_it_is_saved_and_loaded(tmp_path):
    adapted = models.adapted(network((8, 8, 3), "small"), (16, 16, 3))
    adapted.save(tmp_path / "a.keras")
    again = keras.saving.load_model(tmp_path / "a.keras")
    x = PIXELS.astype("float32")
    np.testing.assert_allclose(again.predict(x, verbose=0), adapted.predict(x, verbose=0), rtol=1e-6)
