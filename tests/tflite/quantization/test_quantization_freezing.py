"""Ranges of activations that stay from a step or an epoch on."""

import keras
import numpy as np
import pytest

import tflite
from distiller import Distiller, models, objectives
from tflite.quantization.ranges import fake_quants


@pytest.fixture
def aware():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(5, activation="relu")(inputs)))
    return tflite.quantize_aware(model)


class Ranges(keras.callbacks.Callback):
    """The highest number of every range after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([float(layer.high) for layer in fake_quants(self.model)])


def growing():
    """Six batches, each of larger numbers than the one before."""
    images = np.random.default_rng(0).normal(size=(6, 8, 4)) * np.arange(1, 7)[:, None, None]
    return images.reshape(48, 4).astype("float32"), np.zeros(48, "int32")


def trained(model, freeze, epochs=1):
    ranges = Ranges()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if not model.compiled:
        model.compile(keras.optimizers.SGD(1e-6), loss)
    model.fit(*growing(), batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=[freeze, ranges])
    return np.array(ranges.seen)


def test_from_a_step_on_the_ranges_stay(aware):
    seen = trained(aware, tflite.FreezeRanges(step=3))
    assert (np.diff(seen[:3], axis=0) > 0).any(axis=-1).all()
    np.testing.assert_array_equal(seen[2:], np.tile(seen[2], (4, 1)))


def test_from_an_epoch_on_the_ranges_stay(aware):
    seen = trained(aware, tflite.FreezeRanges(epoch=1), epochs=2)
    assert (seen[5] != seen[0]).any()
    np.testing.assert_array_equal(seen[5:], np.tile(seen[5], (7, 1)))


def test_a_training_that_goes_on_counts_the_steps_of_before(aware):
    trained(aware, tflite.FreezeRanges(step=100))
    seen = trained(aware, tflite.FreezeRanges(step=8))
    assert (seen[1] != seen[0]).any()
    np.testing.assert_array_equal(seen[1:], np.tile(seen[1], (5, 1)))


def test_a_range_that_was_never_measured_is_set_by_the_first_batch(aware):
    """It would be empty, and everything in it zero."""
    seen = trained(aware, tflite.FreezeRanges(step=0))
    assert (seen[0][1:] > 0).all()  # behind the input of the model every number may be below zero, not these
    np.testing.assert_array_equal(seen, np.tile(seen[0], (6, 1)))


def test_another_training_lets_them_move_again(aware):
    trained(aware, tflite.FreezeRanges(step=0))
    seen = trained(aware, tflite.FreezeRanges(step=100))
    assert (seen[5] != seen[0]).any()


def test_the_student_of_a_distiller_is_found():
    keras.utils.set_random_seed(0)
    student = tflite.quantize_aware(models.build("resnet8", 3, (8, 8, 1), width=4))
    teacher = models.build("resnet8", 3, (8, 8, 1), width=4)
    learner = Distiller(teacher=teacher, student=student, objectives={"soft": objectives.Hinton()})
    learner.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 1)).astype("float32")
    learner.fit(images, np.zeros(16), batch_size=8, verbose=0, callbacks=[tflite.FreezeRanges(step=1)])
    assert {float(layer.frozen) for layer in fake_quants(student)} == {1.0}


def test_what_does_not_fit_is_refused(aware):
    for wrong in ({}, {"epoch": 1, "step": 1}, {"step": -1}):
        with pytest.raises(tflite.ModelError, match="one of `epoch` and `step`"):
            tflite.FreezeRanges(**wrong)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(tflite.ModelError, match="quantization-aware model"):
        trained(plain, tflite.FreezeRanges(step=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"scheme": "dynamic"}, "of scheme='dynamic', whose file"), ({"engine": "tfmot"}, "of engine='tfmot', which")],
)
def test_a_model_without_ranges_to_hold_is_told_apart(options, message):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    aware = tflite.quantize_aware(model, **options)
    with pytest.raises(tflite.ModelError, match=message):
        trained(aware, tflite.FreezeRanges(step=1))
    with pytest.raises(tflite.ModelError, match=message):
        tflite.calibrate_ranges(aware, np.zeros((2, 4), "float32"))
