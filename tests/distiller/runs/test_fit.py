"""A training by hand: softmax regression with Nesterov's momentum in NumPy, against `fit` on a network of one layer."""

import csv

import keras
import numpy as np
import pytest
from scipy.special import softmax
from support.given import curve

from distiller.data import Split
from distiller.errors import InputError, WorkError
from distiller.recipes.training import Training
from distiller.runs.fit import fit, views
from distiller.utils.progress import Reporter

RNG = np.random.default_rng(0)
TRAIN = Split(RNG.integers(0, 256, (14, 2, 2, 1)).astype("uint8"), RNG.integers(0, 3, 14).astype("int32"))
HELD = Split(RNG.integers(0, 256, (9, 2, 2, 1)).astype("uint8"), RNG.integers(0, 3, 9).astype("int32"))
PLAN = Training(epochs=4, batch_size=4, learning_rate=0.5, warmup=0.25, momentum=0.8, weight_decay=0.1, flip=True)
STEPS = 3  # of an epoch; samples are three batches and a half


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 2, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


class Told(Reporter):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.tasks, self.at, self.said = [], [], []

    def task(self, title, total):
        self.tasks.append((title, total))
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def advance_to(self, step):
        self.at.append(step)

    def say(self, message):
        self.said.append(message)


def train(model, folder, *callbacks, plan=PLAN, reporter=None):
    batches = views(plan, TRAIN, samples=14, seed=3)
    reporter = reporter or Told()
    return fit(model, plan, batches, HELD, folder=folder, reporter=reporter, title="by hand", callbacks=callbacks)


def by_hand():
    """Kernel and bias after the training; of each epoch the mean loss of its batches and the held-out accuracy."""
    batches = views(PLAN, TRAIN, samples=14, seed=3)
    kernel, bias = (weight.astype("float64") for weight in network().get_weights())
    velocity, rates = [np.zeros_like(kernel), np.zeros_like(bias)], curve(0.5, 3, 12)
    rows = []
    for epoch in range(4):
        batches.epoch, losses = epoch, []
        for step in range(STEPS):
            images, labels = batches[step]
            x, rate = images.reshape(4, 4) / 255, rates[epoch * STEPS + step]
            p = softmax(x @ kernel + bias, -1)
            losses.append(-np.log(p[np.arange(4), labels]).mean())
            wrong = (p - np.eye(3)[labels]) / 4
            kernel = kernel * (1 - rate * 0.1)  # a bias does not decay
            for place, gradient in enumerate((x.T @ wrong, wrong.sum(0))):
                velocity[place] = 0.8 * velocity[place] - rate * gradient
                kernel, bias = (
                    weight + (0.8 * velocity[place] - rate * gradient if place == i else 0)
                    for i, weight in enumerate((kernel, bias))
                )
        answers = HELD.images.reshape(9, 4) / 255 @ kernel + bias
        rows.append((np.mean(losses), (answers.argmax(-1) == HELD.labels).mean()))
    return kernel, bias, rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    model, told, rates = network(), Told(), []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda step, logs: rates.append(float(np.asarray(model.optimizer.learning_rate)))
    )
    folder = tmp_path_factory.mktemp("whole")
    return model, train(model, folder, note, reporter=told), told, rates, folder


def test_the_weights_and_the_log_are_those_of_a_training_by_hand(whole):
    model, trained, _, _, folder = whole
    kernel, bias, rows = by_hand()
    for found, expected in zip(model.get_weights(), (kernel, bias), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert [row["epoch"] for row in trained.epochs] == [1, 2, 3, 4]
    for row, (loss, accuracy) in zip(trained.epochs, rows, strict=True):
        assert (row["loss"], row["val_accuracy"]) == pytest.approx((loss, accuracy), rel=1e-4)
        assert 0 < accuracy < 1
    assert trained.last == trained.epochs[3]
    assert trained.steps == 12
    assert trained.seconds == pytest.approx(sum(row["seconds"] for row in trained.epochs))
    with (folder / "metrics.csv").open(newline="") as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == trained.epochs


def test_the_learning_rate_at_every_step_of_a_training(whole):
    np.testing.assert_allclose(whole[3], curve(0.5, 3, 12)[:-1], rtol=1e-5)


def test_progress_is_told_step_by_step(whole):
    _, trained, told, _, _ = whole
    assert told.tasks == [("by hand", 12)]
    assert told.at == list(range(1, 13))
    shown = [f"{name} {trained.last[name]:.4f}" for name in ("accuracy", "loss", "val_accuracy")]
    assert told.said[-1] == f"epoch 4/4 {' '.join(shown)}"


@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_train_batch_end"])
def test_an_interrupted_training_goes_on_with_the_batches_that_would_have_come(whole, moment, tmp_path):
    """Killed in the third epoch, before its first step or after it; a row that was there before is not there twice."""
    broken = network()

    def kill(place, logs=None):
        if broken.optimizer.iterations.numpy() == 2 * STEPS + (moment != "on_epoch_begin"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(broken, tmp_path, keras.callbacks.LambdaCallback(**{moment: kill}))
    again = network()
    trained, (model, expected, *_) = train(again, tmp_path), whole
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    for ours, theirs in zip(trained.epochs, expected.epochs, strict=True):
        assert {**ours, "seconds": 0} == pytest.approx({**theirs, "seconds": 0}, rel=1e-5)


def test_rows_of_epochs_that_are_trained_again_are_replaced(whole, tmp_path):
    """The log is ahead of the restart point where a kill came between the two."""
    train(network(), tmp_path)
    for point in (tmp_path / "state").iterdir():
        point.unlink()
    trained = train(network(), tmp_path)
    assert [row["epoch"] for row in trained.epochs] == [1, 2, 3, 4]


def test_a_loss_that_is_no_number_leaves_no_row(tmp_path):
    with pytest.raises(WorkError, match=r"by hand: the loss is (nan|inf) after epoch 1\. Try a smaller learning rate"):
        train(network(), tmp_path, plan=PLAN.model_copy(update={"learning_rate": 1e38}))
    assert not (tmp_path / "metrics.csv").exists()


def test_a_rate_of_no_layer_is_refused_before_the_training(tmp_path):
    with pytest.raises(InputError, match=r"training\.rates: .*Received: head"):
        train(network(), tmp_path, plan=PLAN.model_copy(update={"rates": {"logits": 2.0, "head": 2.0}}))
