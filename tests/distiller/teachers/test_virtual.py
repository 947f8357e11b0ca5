"""The teacher made of the label."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from distiller import Distiller, objectives
from distiller.errors import InputError
from distiller.teachers import Virtual, silent
from distiller.teachers.virtual import virtual

LOGITS = np.random.default_rng(0).normal(size=(5, 4)).astype("float32") * 4
LABELS = np.array([2, 0, -1, 3, 1], "int32")


def reference(student, p, temperature):
    """KL(softmax(p / temperature) ‖ softmax(student)) in float64."""
    target, log_q = softmax(p / temperature, -1), log_softmax(student.astype("float64"), -1)
    return (target * (np.log(target) - log_q)).sum(-1)


def teacher(labels, correct, classes=4):
    p = np.full((len(labels), classes), (1 - correct) / (classes - 1))
    p[np.arange(len(labels)), labels] = correct
    return p


@pytest.mark.parametrize(("correct", "temperature", "scale"), [(0.99, 20.0, 1), (0.9, 0.2, 1), (1.0, 1.0, 50)])
def test_is_the_divergence_from_the_softened_label(correct, temperature, scale):
    expected = reference(LOGITS * scale, teacher(LABELS, correct), temperature) * (LABELS >= 0)
    for labels in (LABELS, LABELS[:, None]):
        found = keras.ops.convert_to_numpy(Virtual(correct, temperature=temperature)(LOGITS, LOGITS * scale, labels))
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_of_mixed_labels_is_the_mean_of_the_virtual_teachers():
    mixed = np.array([[0.3, 0, 0.7, 0], [0, 1, 0, 0], [-1, -1, -1, -1]], "float32")
    p = np.stack([0.3 * teacher([0], 0.9)[0] + 0.7 * teacher([2], 0.9)[0], teacher([1], 0.9)[0], teacher([0], 0.9)[0]])
    expected = reference(LOGITS[:3], p, 0.5) * [1, 1, 0]
    found = keras.ops.convert_to_numpy(virtual(LOGITS[:3], mixed, 0.9, 0.5))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_the_target_is_that_of_the_authors_setting():
    """0.99 of 10 classes at a temperature of 20, as its docstring says."""
    assert softmax(teacher([0], 0.99, 10) / 20, -1)[0, 0] == pytest.approx(0.105, abs=5e-4)


def test_trains_without_a_teacher_and_is_saved(tmp_path):
    keras.utils.set_random_seed(3)
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    x = np.random.default_rng(1).normal(size=(5, 6)).astype("float32")
    made = Distiller(
        teacher=silent(student),
        student=student,
        objectives={"virtual": Virtual(0.9, temperature=2.0)},
        weights={"labels": 0.9, "virtual": 0.1},
    )
    z = np.asarray(keras.ops.convert_to_numpy(student(x)))
    expected = (reference(z, teacher(LABELS, 0.9), 2.0) * (LABELS >= 0)).mean()
    made.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert made.train_on_batch(x, LABELS, return_dict=True)["virtual"] == pytest.approx(expected, rel=1e-4)
    made.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    assert loaded.objectives["virtual"].get_config() == made.objectives["virtual"].get_config()
    results = [model.train_on_batch(x, LABELS, return_dict=True) for model in (made, loaded)]
    assert results[0] == pytest.approx(results[1])


def test_the_silent_teacher_says_nothing():
    inputs = [keras.Input((3,), dtype="int32"), keras.Input((2, 2, 1))]
    x = keras.layers.Concatenate()([keras.layers.Rescaling(1.0)(inputs[0]), keras.layers.Flatten()(inputs[1])])
    nothing = silent(keras.Model(inputs, keras.layers.Dense(5)(x)))
    found = keras.ops.convert_to_numpy(nothing([np.ones((7, 3), "int32"), np.ones((7, 2, 2, 1))]))
    np.testing.assert_array_equal(found, np.zeros((7, 5)))
    assert not nothing.variables


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Virtual(0.0), "correct=0"),
        (lambda: Virtual(temperature=-1.0), "temperature=-1"),
        (
            lambda: Virtual(0.25)(LOGITS, LOGITS, LABELS),
            "more than 0.25, the chance of 4 classes, and at most 1.*=0.25",
        ),
        (lambda: Virtual(1.1)(LOGITS, LOGITS, LABELS), "at most 1. Received: correct=1.1"),
        (lambda: Virtual()(LOGITS, LOGITS[:, :1], LABELS), "two classes or more"),
        (lambda: Virtual()(LOGITS, LOGITS, np.ones((5, 3))), r"\(batch,\) or \(batch, 4\). Received: .*\(5, 3\)"),
        (lambda: silent(keras.Sequential([keras.layers.Dense(3)])), "student to be built"),
        (lambda: silent(keras.Sequential([keras.Input((3,)), keras.layers.Softmax()])), "student to return logits"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_is_an_objective_of_logits():
    assert Virtual.compares == "logits"
    assert isinstance(Virtual(), objectives.Objective)
