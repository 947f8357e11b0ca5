"""Errors in the data show before the training or at its first step, in words."""

import threading
import typing

import keras
import numpy as np
import pytest
from support.small import batch, distiller, network

from distiller import Distiller, data, objectives, teachers
from distiller.errors import InputError


class Data(keras.utils.PyDataset):
    """One batch, as a PyDataset."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    @property
    def num_batches(self):
        return 1

    def __getitem__(self, index):
        return self.x, self.y


RELATIONS = [n for n, kind in objectives.OBJECTIVES.items() if kind.compares == "relations"]


def as_tf(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


WAYS = [lambda x, y: (x, y), lambda x, y: (Data(x, y),)]
if keras.backend.backend() == "tensorflow":
    WAYS.append(lambda x, y: (as_tf(x, y),))


@pytest.mark.parametrize("given", WAYS, ids=["arrays", "PyDataset", "tf.data"][: len(WAYS)])
class TestLabels:
    @pytest.mark.parametrize(("wrong", "message"), [(4, "0 … 3.*Received: 0 … 4"), (-2, "Received: -2")])
    def test_out_of_range(self, given, wrong, message):
        x, y = batch()
        y = np.where(np.arange(len(y)) == 3, wrong, y).astype("int32")
        model = distiller()
        before = model.student.get_weights()
        with pytest.raises(InputError, match=message):
            model.fit(*given(x, y), verbose=0, shuffle=False)
        for a, b in zip(before, model.student.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_nan_images(self, given):
        x, y = batch()
        x[1, 2] = np.nan
        with pytest.raises(InputError, match="images hold NaN"):
            distiller().fit(*given(x, y), verbose=0, shuffle=False)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        "categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(),
        keras.losses.CategoricalFocalCrossentropy(),
    ],
)
def test_a_loss_of_probabilities(loss):
    """It would train on the logarithm of clipped logits, without an error."""
    with pytest.raises(InputError, match=r"Crossentropy\(from_logits=True\). Received: .*, which takes probabilities"):
        distiller().compile("sgd", loss=loss)


def test_nan_in_soft_labels():
    x, y = batch()
    soft = np.eye(4, dtype="float32")[y]
    soft[0, 0] = np.nan
    model = distiller()
    model.compile("sgd", loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    with pytest.raises(InputError, match="Labels hold NaN"):
        model.fit(x, soft, verbose=0)


def test_a_teacher_of_nan_is_named():
    teacher = network(seed=2)
    weights = teacher.get_weights()
    weights[-1][0] = np.nan
    teacher.set_weights(weights)
    with pytest.raises(InputError, match="teacher answers NaN"):
        distiller(teacher=teacher).fit(*batch(), verbose=0)


def test_a_loss_that_explodes_at_once_is_named():
    model = distiller(weights={"soft": 1e38}, objectives={"soft": objectives.MeanSquaredLogits()})
    with pytest.raises(InputError, match="Try a smaller"):
        model.fit(batch()[0] * 100, batch()[1], verbose=0)


@pytest.mark.parametrize("batches", ["one", "several"])
@pytest.mark.parametrize("validation", [False, True])
def test_it_ends_after_the_first_step(batches, validation):
    """Also of epochs of a single step, and before anything is evaluated or written."""
    model = distiller(weights={"soft": 1e38}, objectives={"soft": objectives.MeanSquaredLogits()})
    x, y = batch()[0] * 100, batch()[1]
    steps, ends = [], []
    told = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda step, logs: steps.append(step))
    told.on_test_batch_begin = lambda step, logs=None: ends.append("evaluated")
    told.on_epoch_end = lambda epoch, logs=None: ends.append("epoch")
    size = len(x) if batches == "one" else 1
    with pytest.raises(InputError, match="After the first step 'loss' is no finite number"):
        model.fit(
            x, y, batch_size=size, epochs=3, verbose=0, callbacks=[told], validation_data=(x, y) if validation else None
        )
    assert steps == [0]
    assert ends == []


def test_steps_are_not_waited_for():
    """A callback that is safe to call at any time hears of a step beside the training; in JAX."""

    class Told(keras.callbacks.Callback):
        async_safe = True
        threads: typing.ClassVar = []

        def on_train_batch_end(self, batch, logs=None):
            self.threads.append(threading.current_thread())

    distiller().fit(*batch(), verbose=0, callbacks=[Told()])
    beside = keras.backend.backend() == "jax"
    assert [thread is not threading.main_thread() for thread in Told.threads] == [beside]


def test_ids_are_asked_for():
    bank = objectives.Contrastive(
        negatives="memory", samples=8, teacher_layer="features", student_layer="features", dimensions=4
    )
    model = distiller(objectives={"pairs": bank})
    with pytest.raises(InputError, match="remembers samples by their ids"):
        model.fit(*batch(), verbose=0)


@pytest.mark.parametrize("ids", [[-1, 0], [0, 8]])
def test_ids_beyond_what_is_remembered(ids):
    bank = objectives.Contrastive(
        negatives="memory", samples=8, teacher_layer="features", student_layer="features", dimensions=4
    )
    model = distiller(objectives={"pairs": bank})
    x, y = batch(2)
    with pytest.raises(InputError, match=rf"ids 0 … 7 for the 8 samples that objective 'pairs'.* {ids[0]} … {ids[1]}"):
        model.fit(x, {"labels": y, "ids": np.array(ids)}, verbose=0)


@pytest.mark.parametrize("batches", [False, True])
def test_ids_of_later_batches_are_looked_at_too(batches):
    bank = objectives.Contrastive(
        negatives="memory", samples=6, teacher_layer="features", student_layer="features", dimensions=4
    )
    model = distiller(objectives={"pairs": bank})
    x, y = batch(8)
    given = (data.Batches(data.Split(x, y), 2, ids=True),) if batches else (x, {"labels": y, "ids": np.arange(8)}, 2)
    with pytest.raises(InputError, match=r"ids 0 … 5 for the 6 samples that objective 'pairs'.* 0 … 7"):
        model.fit(*given, verbose=0)


def test_an_unknown_part_of_the_targets_is_named():
    x, y = batch()
    with pytest.raises(InputError, match="Did you mean 'ids'"):
        distiller().fit(x, {"labels": y, "id": np.arange(8)}, verbose=0)


@pytest.mark.parametrize("callbacks", [None, keras.callbacks.History(), [keras.callbacks.History()]])
def test_callbacks_stay_as_they_were(callbacks):
    distiller().fit(*batch(), verbose=0, callbacks=callbacks)
    if isinstance(callbacks, list):
        assert len(callbacks) == 1


def test_a_list_of_callbacks_of_keras_is_called_after_the_first_step():
    model = distiller(weights={"soft": 1e38}, objectives={"soft": objectives.MeanSquaredLogits()})
    ends = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(epoch))
    callbacks = keras.callbacks.CallbackList([told], model=model)
    before = list(callbacks.callbacks)
    with pytest.raises(InputError, match="Try a smaller"):
        model.fit(batch()[0] * 100, batch()[1], batch_size=8, verbose=0, callbacks=callbacks)
    assert ends == []
    assert callbacks.callbacks == before


class Undefined(keras.metrics.Metric):
    """A metric that is no number until it has seen what it counts, and of several numbers."""

    def update_state(self, labels, answers, sample_weight=None):
        pass

    def result(self):
        return keras.ops.convert_to_tensor([float("nan"), 1.0])


def test_a_metric_may_be_no_number():
    model = distiller()
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=[Undefined()])
    history = model.fit(*batch(), verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_labels_out_of_range_behind_the_first_batch():
    x, y = batch()
    for wrong in (4, -5):
        labels = np.where(np.arange(len(y)) == len(y) - 1, wrong, y)
        with pytest.raises(InputError, match=f"Labels are out of range. Expected classes 0 … 3, .*{wrong}"):
            distiller().fit(x, labels, batch_size=2, verbose=0)


def test_negative_numbers_are_no_shares_of_classes():
    """They would count as unlabelled; of a loss of numbers any number is welcome."""
    model = distiller()
    model.compile("sgd", loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    x, y = batch()
    targets = np.eye(4, dtype="float32")[y]
    targets[0] = -1
    model.fit(x, targets, verbose=0)
    targets[1, 2] = -0.5
    with pytest.raises(InputError, match=r"Labels hold negative numbers. .*Received: -0.5"):
        model.fit(x, targets, verbose=0)


def test_labels_in_a_list_are_left_to_keras():
    x, y = batch()
    with pytest.raises(ValueError, match="Unrecognized data type"):
        distiller().fit(x, y.tolist(), verbose=0)


def test_an_objective_that_asks_a_teacher_needs_one():
    with pytest.raises(InputError, match=r"teacher for the objectives \['soft'\]"):
        Distiller(student=network(), objectives={"soft": "hinton", "virtual": teachers.Virtual()})


@pytest.mark.parametrize("name", [*RELATIONS, "projector"])
def test_relations_need_company(name):
    """A batch of one has none."""
    x, y = batch()
    model = distiller(objectives={"it": {"name": name, "teacher_layer": "features", "student_layer": "features"}})
    with pytest.raises(InputError, match="'it' cannot compare a batch of 1"):
        model.fit(x, y, batch_size=1, verbose=0)


@pytest.mark.parametrize("name", [*RELATIONS, "projector"])
def test_the_rest_of_an_epoch_may_be_too_few_to_relate(name):
    """Nine samples in batches of eight: the last one has no company, and its term is 0."""
    x, y = batch()
    model = distiller(objectives={"it": {"name": name, "teacher_layer": "features", "student_layer": "features"}})
    model.fit(np.concatenate([x, x[:1]]), np.concatenate([y, y[:1]]), batch_size=8, verbose=0)
    model.reset_metrics()
    alone = model.train_on_batch(x[:1], y[:1], return_dict=True)
    assert alone["it"] == 0
    assert np.isfinite(alone["loss"])


def test_before_it_is_compiled():
    model = Distiller(teacher=network(), student=network(), objectives={"soft": "hinton"})
    with pytest.raises(InputError, match="Call `compile` before `fit`"):
        model.fit(*batch(), verbose=0)
