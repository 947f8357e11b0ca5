"""A teacher stays as it was: what a student shares with it is refused by name, unless it is not trained."""

import re

import keras
import numpy as np
import pytest
from support.small import CLASSES, batch, distiller, network

from distiller.errors import InputError

X, Y = batch()


def body():
    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Conv2D(4, 3, name="low")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Flatten()(keras.layers.Dropout(0.3, name="drop")(x))
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="head")(keras.layers.Dense(6, name="high")(x)))


def early_exit(teacher):
    """A head on the teacher's own first layers."""
    x = keras.layers.Flatten()(teacher.get_layer("norm").output)
    return keras.Model(teacher.input, keras.layers.Dense(CLASSES, name="exit")(x))


def shared_embedding():
    table = keras.layers.Embedding(9, 4, name="table")
    made = []
    for _ in range(2):
        inputs = keras.Input((3,), dtype="int32")
        made.append(keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(table(inputs)))))
    return made


def nested(teacher):
    inputs = keras.Input((5, 5, 1))
    return keras.Model(inputs, keras.layers.Dense(CLASSES, name="own")(teacher(inputs)))


@pytest.mark.parametrize(
    ("pair", "names"),
    [
        (lambda t: (t, early_exit(t)), "'low', 'norm'"),
        (lambda t: (t, t), "'low', 'norm', 'high', 'head'"),
        (lambda t: shared_embedding(), "'table'"),
        (lambda t: (t, nested(t)), "'low', 'norm', 'high', 'head'"),
        (lambda t: (nested(t), t), "'low', 'norm', 'high', 'head'"),
    ],
    ids=["early exit", "itself", "embedding", "student around it", "teacher around it"],
)
def test_shared_layers_are_named(pair, names):
    teacher, student = pair(body())
    with pytest.raises(InputError, match=r"shares layers with the teacher, .*: '.*'. Pass a copy") as raised:
        distiller(teacher=teacher, student=student)
    assert set(re.findall(r"'\w+'", str(raised.value))) == set(names.split(", "))


def test_a_copy_teaches_and_stays():
    """The way out, as the message says it."""
    teacher = body()
    student = early_exit(teacher)
    copy = keras.models.clone_model(teacher)
    copy.set_weights(teacher.get_weights())
    before = np.array(copy(X))
    distiller(teacher=copy, student=student).fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_array_equal(copy(X), before)
    assert not np.allclose(teacher(X), before, atol=1e-4)  # it is the student that has moved


def test_what_is_not_trained_may_be_shared():
    teacher = body()
    for name in ("low", "norm"):
        teacher.get_layer(name).trainable = False
    student, before = early_exit(teacher), np.array(teacher(X))
    if keras.backend.backend() == "jax":  # there a step takes the values out of all variables of its student
        with pytest.raises(InputError, match="trained with it: 'low', 'norm'"):
            distiller(teacher=teacher, student=student)
        return
    own = np.array(student(X))
    distiller(teacher=teacher, student=student).fit(X, Y, epochs=2, verbose=0)
    np.testing.assert_array_equal(teacher(X), before)
    assert not np.allclose(student(X), own, atol=1e-4)


def test_moving_statistics_are_shared_too():
    """A normalization without scale and offset has nothing to train, and changes all the same."""
    norm = keras.layers.BatchNormalization(scale=False, center=False, name="norm")
    made = []
    for _ in range(2):
        inputs = keras.Input((5, 5, 1))
        made.append(keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(norm(inputs)))))
    with pytest.raises(InputError, match="trained with it: 'norm'"):
        distiller(teacher=made[0], student=made[1])


def test_many_are_not_all_listed():
    layers = [keras.layers.Dense(5, name=f"layer{n}") for n in range(8)]
    teacher = keras.Sequential([keras.Input((5, 5, 1)), keras.layers.Flatten(), *layers, keras.layers.Dense(CLASSES)])
    with pytest.raises(InputError, match="'layer4' and 4 more"):
        distiller(teacher=teacher, student=teacher)


def test_others_are_apart():
    assert distiller(teacher=network(seed=3), student=network(seed=3)).fit(X, Y, verbose=0).history["soft"][0] < 1e-6
