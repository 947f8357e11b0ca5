"""Schedules, clipping, averages of weights, early stopping and callbacks of a training plan."""

import csv

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from distiller.data import Split
from distiller.recipes.training import Training
from distiller.runs.fit import fit, learning_rates, optimizer, views
from distiller.utils.progress import Reporter

RNG = np.random.default_rng(5)
TRAIN = Split(RNG.integers(0, 256, (24, 2, 2, 1)).astype("uint8"), RNG.integers(0, 3, 24).astype("int32"))
HELD = Split(RNG.integers(0, 256, (40, 2, 2, 1)).astype("uint8"), RNG.integers(0, 3, 40).astype("int32"))


def network():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((2, 2, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    return keras.Model(pixels, keras.layers.Dense(3, name="logits")(keras.layers.Dense(4, "relu")(x)))


def plan_of(**changes):
    return Training(**{"epochs": 4, "batch_size": 6, "learning_rate": 0.3, "weight_decay": 0.0, **changes})


def train(plan, folder, model=None, callbacks=()):
    model = model or network()
    batches = views(plan, TRAIN, samples=24, seed=3)
    return model, fit(
        model, plan, batches, HELD, folder=folder, reporter=Reporter(), title="by hand", callbacks=callbacks
    )


def curve(plan, steps):
    rates = learning_rates(plan, steps)
    return np.array([float(rates(step)) for step in range(steps)])


def test_constant_and_stepped_rates():
    warm = 0.2 * (1 / 25 + 24 / 25 * np.arange(10) / 10)
    constant = plan_of(learning_rate=0.2, warmup=0.1, schedule="constant")
    np.testing.assert_allclose(curve(constant, 100), [*warm, *[0.2] * 90], rtol=1e-5)
    drops = [{"at": 0.5}, {"at": 0.75, "factor": 0.5}]
    stepped = plan_of(learning_rate=0.2, warmup=0.1, schedule="step", drops=drops)
    np.testing.assert_allclose(curve(stepped, 100), [*warm, *[0.2] * 40, *[0.02] * 25, *[0.01] * 25], rtol=1e-5)
    cold = plan_of(learning_rate=0.2, warmup=0.0, schedule="constant")
    np.testing.assert_allclose(curve(cold, 5), [0.2] * 5, rtol=1e-6)


def test_a_schedule_is_saved_with_its_optimizer():
    made = optimizer(plan_of(schedule="step", drops=[{"at": 0.5}]), 10)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(made))
    assert [float(copy._learning_rate(step)) for step in range(10)] == pytest.approx(
        [float(made._learning_rate(step)) for step in range(10)]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "step"}, "expected drops"),
        ({"drops": [{"at": 0.5}]}, "with the schedule step and no other"),
        ({"schedule": "step", "drops": [{"at": 0.7}, {"at": 0.5}]}, "one after another"),
        ({"schedule": "step", "warmup": 0.5, "drops": [{"at": 0.4}]}, "the first after the warm-up"),
        ({"clip_norm": 1.0, "clip_value": 1.0}, "one of clip_norm and clip_value"),
        ({"ema": 1.0}, "less than 1"),
        ({"early_stopping": {"patience": 0}}, "greater than or equal to 1"),
        ({"callbacks": ["Tensorboard"]}, "TensorBoard"),
    ],
)
def test_plans_that_cannot_be(changes, message):
    with pytest.raises(ValidationError, match=message):
        plan_of(**changes)


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_gradients_are_clipped(kind):
    """One step of SGD without momentum moves by rate × clipped gradient; AdamW has it in its first moment."""
    gradients = [np.array([3.0, 4.0], "float32"), np.array([12.0], "float32")]  # norm 13
    for clip, expected in [
        ({"clip_norm": 6.5}, [g / 2 for g in gradients]),
        ({"clip_value": 3.5}, [np.array([3.0, 3.5]), np.array([3.5])]),
    ]:
        options = {"optimizer": kind, "momentum": 0.0 if kind == "sgd" else 0.9, "learning_rate": 0.1, "warmup": 0.0}
        made = optimizer(plan_of(**options, schedule="constant", **clip), 10)
        variables = [keras.Variable(np.zeros(2, "float32")), keras.Variable(np.zeros(1, "float32"))]
        made.build(variables)
        made.apply([keras.ops.convert_to_tensor(g) for g in gradients])
        if kind == "sgd":
            found = [np.asarray(v) / -0.1 for v in variables]
        else:
            moments = [v for v in made.variables if "momentum" in v.path]
            found = [np.asarray(v) / (1 - 0.9) for v in moments]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)


class Weights(keras.callbacks.Callback):
    """Notes the weights after every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([np.array(w) for w in self.model.get_weights()])


def test_the_average_of_weights_is_kept_and_validated(tmp_path):
    plan = plan_of(ema=0.8)
    noted = Weights()
    model, trained = train(plan, tmp_path, callbacks=[noted])
    # Keras's average begins at the weights after the first step.
    average = noted.seen[0]
    for weights in noted.seen[1:]:
        average = [0.8 * a + 0.2 * w for a, w in zip(average, weights, strict=True)]
    for one, other in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert not np.allclose(model.get_weights()[0], noted.seen[-1][0], atol=1e-4)
    logits = model.predict(HELD.images.astype("float32"), verbose=0)
    right = float((logits.argmax(-1) == HELD.labels).mean())
    assert trained.last["val_accuracy"] == pytest.approx(right, abs=1e-6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(HELD.labels, logits)
    assert trained.last["val_loss"] == pytest.approx(float(loss), rel=1e-4)


class Scripted(keras.callbacks.Callback):
    """Puts numbers into the log in place of the measured accuracy, and notes the weights of each epoch."""

    def __init__(self, values):
        super().__init__()
        self.values, self.weights = values, {}

    def on_test_end(self, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        self.weights[epoch] = [np.array(w) for w in self.model.get_weights()]


@pytest.fixture
def scripted(monkeypatch):
    """Lets the accuracy on the validation split be what a test says."""

    def install(values):
        import distiller.runs.fit as module

        original = module.EpochLog.on_epoch_end

        def log(self, epoch, logs=None):
            original(self, epoch, {**(logs or {}), "val_accuracy": values[epoch]})

        monkeypatch.setattr(module.EpochLog, "on_epoch_end", log)
        return Scripted(values)

    return install


def test_early_stopping_keeps_the_best_epoch(tmp_path, scripted):
    noted = scripted([0.3, 0.6, 0.5, 0.6, 0.9, 0.9])
    plan = plan_of(epochs=6, early_stopping={"patience": 2})
    model, trained = train(plan, tmp_path, callbacks=[noted])
    assert [row["epoch"] for row in trained.epochs] == [1, 2, 3, 4]
    assert trained.steps == 4 * 4
    assert (trained.kept, trained.last["val_accuracy"]) == (1, 0.6)
    for one, other in zip(model.get_weights(), noted.weights[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_early_stopping_goes_on_as_if_it_had_not_been_interrupted(tmp_path, scripted):
    values = [0.3, 0.6, 0.5, 0.4, 0.9, 0.9]
    scripted(values)
    plan = plan_of(epochs=6, early_stopping={"patience": 2, "metric": "val_accuracy"}, ema=0.9)
    whole, _ = train(plan, tmp_path / "whole")

    class Killed(BaseException):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise Killed

    with pytest.raises(Killed):
        train(plan, tmp_path / "cut", callbacks=[Kill()])
    resumed, trained = train(plan, tmp_path / "cut")
    assert len(trained.epochs) == 4
    # And once more, after its last epoch: nothing is trained.
    again, told = train(plan, tmp_path / "cut", callbacks=[Kill()])
    assert (len(told.epochs), told.kept) == (4, 1)
    for one, two, three in zip(whole.get_weights(), resumed.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(three, one, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "changes",
    [
        {"ema": 0.9},
        {"optimizer": "adamw", "learning_rate": 0.01, "clip_norm": 0.5},
        {"schedule": "step", "drops": [{"at": 0.5}]},
    ],
)
def test_interrupted_and_resumed_it_ends_with_the_same_weights(changes, tmp_path):
    plan = plan_of(**changes)

    class Killed(BaseException):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise Killed

    whole, _ = train(plan, tmp_path / "whole")
    with pytest.raises(Killed):
        train(plan, tmp_path / "cut", callbacks=[Kill()])
    resumed, _ = train(plan, tmp_path / "cut")
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7)


def test_callbacks_of_keras_write_into_the_folder(tmp_path):
    train(plan_of(epochs=2, callbacks=["TensorBoard", "CSVLogger"]), tmp_path)
    assert list((tmp_path / "tensorboard").rglob("events*"))
    with (tmp_path / "keras.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(0 < float(row["val_loss"]) < 5 for row in rows)
