"""A Distiller that is saved, loaded or interrupted goes on as if nothing had been."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from distiller import Distiller, bridges, models, objectives


@pytest.fixture
def trained():
    """A Distiller with everything that has state: momentum, an adapter, a bridge, a schedule."""
    keras.utils.set_random_seed(1)
    made = Distiller(
        teacher=models.build("wide", 7, (8, 8, 1), widths=(8, 8), stem=4),
        student=models.build("resnet8", 3, (8, 8, 1), width=4),
        objectives={
            "soft": objectives.Hinton(temperature=3.0),
            "hint": objectives.Hint(teacher_layer="stage2", student_layer="stage2"),
        },
        weights={"labels": 0.1, "soft": keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)},
        bridge=bridges.Subset([1, 2, 6]),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss=loss, metrics=["accuracy"])
    fit(made)
    return made


def fit(distiller, **options):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (64, 8, 8, 1)).astype("float32"), rng.integers(-1, 3, 64)
    return distiller.fit(images, labels, batch_size=16, epochs=2, shuffle=False, verbose=0, **options).history


def test_a_loaded_distiller_continues_the_same_trajectory(trained, tmp_path):
    trained.save(tmp_path / "d.keras")
    loaded = keras.saving.load_model(tmp_path / "d.keras")
    assert fit(trained) == fit(loaded)
    for a, b in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_student_is_saved_alone(trained, tmp_path):
    trained.student.save(tmp_path / "s.keras")
    loaded = keras.saving.load_model(tmp_path / "s.keras")
    assert loaded.count_params() == models.build("resnet8", 3, (8, 8, 1), width=4).count_params()
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}


def test_the_adapter_is_trained_and_named(trained):
    adapter = trained.objectives["hint"].trainable_variables
    assert adapter
    assert {id(v) for v in adapter} <= {id(v) for v in trained.trainable_variables}
    assert trained.adapters == {"hint": "1×1 convolution 8 → 8 channels, student map resized 4×4 → 2×2"}


def test_the_teacher_is_not_trained(trained):
    of_teacher = {id(v) for v in trained.teacher.variables}
    assert not of_teacher & {id(v) for v in trained.variables}


def test_losses_of_keras_distillation_give_their_own_number():
    teacher, student = (np.random.default_rng(i).normal(size=(6, 4)).astype("float32") for i in (0, 1))
    loss = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    objective = objectives.FromKeras(loss)
    found = np.asarray(objective(teacher, student))
    assert found.shape == (6,)
    np.testing.assert_allclose(found, loss.compute_loss(teacher, student), rtol=1e-6)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    np.testing.assert_allclose(copy(teacher, student), found)


INTERRUPTED = """
import sys
import keras, numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
from distiller import Distiller, data, models, objectives

split = data.load("digits").train.take(np.arange(96))

class Killed(BaseException):
    pass

def trained(folder, kill_in=None):
    keras.utils.set_random_seed(3)
    made = Distiller(
        teacher=models.build("wide", 10, (8, 8, 1), widths=(8, 8), stem=4),
        student=models.build("resnet8", 10, (8, 8, 1), width=4),
        objectives={
            "soft": objectives.Hinton(keras.optimizers.schedules.PolynomialDecay(8.0, 20, 2.0)),
            "hint": objectives.Hint(teacher_layer="stage2", student_layer="stage2"),
        },
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss=loss)
    batches = data.Batches(split, 16, seed=1, augmentation=data.Augmentation(crop=1))

    def kill(epoch, logs):
        if epoch == kill_in:
            raise Killed

    callbacks = [
        keras.callbacks.BackupAndRestore(folder, delete_checkpoint=False),
        data.Replay(batches),
        keras.callbacks.LambdaCallback(on_epoch_end=kill),
    ]
    made.fit(batches, epochs=4, verbose=0, shuffle=False, callbacks=callbacks)
    return made.get_weights()

whole = trained(sys.argv[1] + "/whole")
try:
    trained(sys.argv[1] + "/parts", kill_in=1)
except Killed:
    pass
parts = trained(sys.argv[1] + "/parts")
assert len(whole) == len(parts) > 20
for a, b in zip(whole, parts, strict=True):
    np.testing.assert_array_equal(a, b)
print("the same bits")
"""


def test_a_resumed_training_has_the_same_weights_bit_for_bit(tmp_path):
    """On one thread: killed after its second epoch and started anew, against one that was not."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}  # whose threads can be counted
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    call = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert call.stdout.strip().endswith("the same bits"), call.stderr[-2000:]
