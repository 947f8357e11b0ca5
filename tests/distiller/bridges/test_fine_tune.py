"""The fine-tuned copy: what of it is trained, in which precision, and what it is given."""

import keras
import numpy as np
import pytest
from support.label_spaces import images, network

from distiller import bridges, teachers
from distiller.errors import InputError

CLASSES = 3


def test_all_of_the_copy_is_trained_though_the_teacher_is_not():
    teacher = network()
    teacher.trainable = False
    copy = bridges.FineTune().prepare(teacher, CLASSES)
    assert len(copy.trainable_weights) == len(teacher.weights)
    assert not teacher.trainable_weights


def test_a_frozen_teacher_has_a_copy_that_is_trained():
    copy = bridges.FineTune().prepare(teachers.frozen(network()), CLASSES)
    assert len(copy.trainable_weights) == len(copy.weights) > 2


@pytest.mark.parametrize("nested", [False, True])
def test_the_copy_computes_in_the_precision_that_is_asked(nested):
    teacher = network()
    if nested:
        teacher = keras.Sequential([keras.Input(teacher.input_shape[1:]), teacher, keras.layers.Dense(4)])
    copy = bridges.FineTune().prepare(teacher, CLASSES, precision="mixed_bfloat16")
    inner = [layer for layer in copy._flatten_layers() if layer.weights and not isinstance(layer, keras.Model)]
    assert [layer.compute_dtype for layer in inner] == ["bfloat16"] * (len(inner) - 1) + ["float32"]
    assert {weight.dtype for weight in copy.weights} == {"float32"}
    for own, theirs in zip(copy.weights[:-2], teacher.weights[:-2], strict=True):  # all but the new last layer
        np.testing.assert_array_equal(own, theirs)
    same = bridges.FineTune().prepare(teacher, CLASSES)
    assert {layer.compute_dtype for layer in same._flatten_layers() if layer.weights} == {"float32"}


@pytest.mark.parametrize("pair", [tuple, list])
def test_a_pair_of_images_and_labels_is_learned_without_the_unlabelled(pair):
    x, _ = images()
    y = np.full((len(x), 1), -1)  # as keras.datasets has labels
    y[: len(x) // 2, 0] = np.arange(len(x) // 2) % CLASSES
    seen = []
    teacher = network()
    step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["accuracy"]))
    bridges.FineTune().fit(teacher, pair((x, y)), CLASSES, batch_size=len(x) // 2, verbose=0, callbacks=[step])
    assert len(seen) == 1


@pytest.mark.parametrize("kind", [tuple, list])
def test_what_is_no_pair_is_refused(kind):
    x, y = images()
    with pytest.raises(InputError, match=rf"Expected a pair \(images, labels\), .* Received: a {kind.__name__} of 3"):
        bridges.FineTune().fit(network(), kind((x, y % CLASSES, np.ones(len(x)))), CLASSES)


@pytest.mark.parametrize("make", [bridges.FineTune, bridges.Probe, bridges.Transport])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda n: np.eye(CLASSES)[np.arange(n) % CLASSES], r"one class for each of .* Received: shape \(\d+, 3\)"),
        (lambda n: np.arange(n - 1) % CLASSES, "one class for each of"),
        (lambda n: np.arange(n) % CLASSES + 0.0, "integers, the classes. Received: float64"),
        (lambda n: np.full(n, -1), "labelled images. Received: none"),
        (lambda n: np.arange(n) % (CLASSES + 1), "below 3, the number of classes. Received: 3"),
    ],
)
def test_labels_that_are_no_classes_are_refused(make, labels, message):
    x, _ = images()
    pair = x, labels(len(x))
    held = [] if make is bridges.FineTune else [pair]
    with pytest.raises(InputError, match=message):
        make().fit(network(), pair, *held, CLASSES)
