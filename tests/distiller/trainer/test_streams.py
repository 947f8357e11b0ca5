"""A training sees every batch of what it is given, once: the look at the first uses nothing up."""

import keras
import numpy as np
import pytest
from support.small import CLASSES, batch, distiller, network

from distiller.errors import InputError

# Keras says so where it cannot know how many there are, or that a stream is not shuffled.
pytestmark = pytest.mark.filterwarnings("ignore:.*ran out of data", "ignore:`shuffle=True` was passed")

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
X, Y = batch(32)
BATCHES = [(X[i : i + 4], Y[i : i + 4]) for i in range(0, 32, 4)]


class Numbered(keras.utils.PyDataset):
    """Eight batches by number; says which were asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    @property
    def num_batches(self):
        return len(BATCHES)

    def __getitem__(self, index):
        self.asked.append(index)
        return BATCHES[index]


def as_dataset(make):
    import tensorflow as tf

    return tf.data.Dataset.from_generator(
        make, output_signature=(tf.TensorSpec((None, 5, 5, 1)), tf.TensorSpec((None,), tf.int32))
    )


def one_pass():
    """A stream that goes on where it stopped, however often it is started."""
    rest = iter(BATCHES)
    return as_dataset(lambda: rest)


STREAMS = {
    "generator": lambda: (pair for pair in BATCHES),
    "one pass": one_pass,
    "repeated": lambda: as_dataset(lambda: iter(BATCHES)).repeat(),
    "PyDataset": Numbered,
}


def compiled(**options):
    model = distiller()
    # Its rate tells steps apart: to leave out any of them, or to take one twice, shows in the weights.
    model.compile(keras.optimizers.SGD(0.5), loss=SPARSE, metrics=["accuracy"], **options)
    return model


@pytest.fixture(scope="module")
def expected():
    """The weights after a step on each batch."""
    model = compiled()
    for x, y in BATCHES:
        model.train_on_batch(x, y)
    return model.student.get_weights()


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("kind", STREAMS)
def test_every_batch_is_trained_on_once(kind, steps, expected):
    model = compiled(steps_per_execution=steps)
    model.fit(STREAMS[kind](), steps_per_epoch=8 if kind == "repeated" else None, verbose=0, shuffle=False)
    assert_same(model.student.get_weights(), expected)


def test_a_second_training_goes_on_with_the_stream(expected):
    """Also where everything is built already, and no shape has to be found out."""
    model, stream = compiled(), one_pass()
    model.fit(stream, steps_per_epoch=3, verbose=0)
    before = [np.array(weights) for weights in model.student.get_weights()]
    assert not np.allclose(before[0], expected[0], atol=1e-4)
    model.fit(as_dataset(lambda: iter(BATCHES[3:])), verbose=0)
    assert_same(model.student.get_weights(), expected)


def test_a_dataset_is_started_once_an_epoch():
    """A shuffle buffer, which is filled at the start, is filled as often as it is read."""
    starts = []

    def started():
        starts.append(1)
        return iter(BATCHES)

    # Keras itself finds shapes out on JAX, with a start that it goes on from.
    compiled().fit(as_dataset(started), epochs=2, verbose=0)
    assert len(starts) == 2


def test_validation_begins_with_the_first_batch_of_a_stream():
    model = compiled()
    found = model.fit(X, Y, validation_data=one_pass(), validation_steps=3, verbose=0).history
    first, later = (model.evaluate(X[i : i + 12], Y[i : i + 12], verbose=0, return_dict=True)["loss"] for i in (0, 4))
    assert found["val_loss"] == [pytest.approx(first, rel=1e-5)]
    assert first != pytest.approx(later, rel=1e-3)


class Wrong(Numbered):
    """With a label that is no class."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x, np.where(np.arange(len(y)) == 2, CLASSES, y).astype("int32")


WRONG = {
    "generator": lambda: (pair for pair in Wrong()),
    "dataset": lambda: as_dataset(lambda: iter(Wrong())),
    "PyDataset": Wrong,
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_shows_before_the_first_step(kind):
    model = compiled()
    before = model.student.get_weights()
    with pytest.raises(InputError, match=r"Labels are out of range. Expected classes 0 … 3"):
        model.fit(WRONG[kind](), verbose=0, shuffle=False)
    assert_same(model.student.get_weights(), before)
    model.fit(STREAMS[kind if kind in STREAMS else "one pass"](), verbose=0, shuffle=False)  # it can train again
    assert not np.allclose(model.student.get_weights()[0], before[0], atol=1e-4)


def test_a_step_is_traced_once():
    """A stand-in for the first batch has shapes as open as those of the stream."""
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, inputs, training=None):
            if training:
                traces.append(1)
            return inputs

    inputs = keras.Input((5, 5, 1))
    x = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(Traced()(inputs)))
    student = keras.Model(inputs, x)
    model = distiller(student, network(seed=2))
    traces.clear()
    model.fit(as_dataset(lambda: iter(BATCHES)), epochs=2, verbose=0)
    assert len(traces) == 1
