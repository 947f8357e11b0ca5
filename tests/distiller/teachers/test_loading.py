"""Teachers from files."""

import keras
import numpy as np
import pytest

from distiller import teachers
from distiller.errors import InputError

IMAGES = np.random.default_rng(0).uniform(0, 255, (6, 4, 4, 3)).astype("float32")


def softmaxed(*last):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(5, "relu"), *last]
    return keras.Sequential([keras.Input((4, 4, 3)), *layers])


@pytest.mark.parametrize(
    "last",
    [
        [keras.layers.Dense(3, "softmax")],
        [keras.layers.Dense(3), keras.layers.Softmax()],
        [keras.layers.Dense(3), keras.layers.Activation("softmax")],
        [keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")]), keras.layers.Dropout(0.5)],
    ],
    ids=["activation", "layer", "activation layer", "nested, behind dropout"],
)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_softmax_that_is_seen_is_taken_off_and_said(tmp_path, last, ending):
    network = softmaxed(*[type(layer).from_config(layer.get_config()) for layer in last])
    path = tmp_path / f"teacher{ending}"
    network.save(path)
    said = []
    teacher = teachers.load(path, say=said.append)
    logits, probabilities = teacher.predict(IMAGES, verbose=0), network.predict(IMAGES, verbose=0)
    assert logits.min() < 0
    exponents = np.exp(logits.astype("float64"))
    np.testing.assert_allclose(exponents / exponents.sum(-1, keepdims=True), probabilities, rtol=1e-4)
    assert len(said) == 1
    assert f"The softmax at the end of '{path}' is taken off" in said[0]


def test_of_a_student_it_is_left_and_refused(tmp_path):
    softmaxed(keras.layers.Dense(3, "softmax")).save(tmp_path / "student.keras")
    with pytest.raises(InputError, match=r"Expected the student to return logits. .* is a softmax"):
        teachers.load(tmp_path / "student.keras", role="student")


def test_of_logits_nothing_is_said(tmp_path):
    network = softmaxed(keras.layers.Dense(3))
    network.save(tmp_path / "teacher.keras")
    said = []
    teacher = teachers.load(tmp_path / "teacher.keras", say=said.append)
    np.testing.assert_allclose(teacher.predict(IMAGES, verbose=0), network.predict(IMAGES, verbose=0), rtol=1e-5)
    assert said == []
