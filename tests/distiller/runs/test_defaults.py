"""The budget of `distiller distill` where nothing is said of it."""

import numpy as np
import pytest

from distiller import data
from distiller.runs import defaults


@pytest.mark.parametrize(
    ("images", "batch_size"),
    [(20, 16), (383, 16), (384, 32), (450, 32), (767, 32), (768, 64), (1536, 128), (45_000, 128)],
)
def test_a_pass_has_a_dozen_steps_where_batches_of_16_allow_it(images, batch_size):
    found = defaults.training(images)
    assert found["batch_size"] == batch_size
    assert found["learning_rate"] == pytest.approx(0.1 * batch_size / 128)
    assert found["epochs"] >= 30
    steps = max(1, images // batch_size)
    assert found["epochs"] * steps >= 600 or found["epochs"] == 30
    assert (found["epochs"] - 1) * steps < 600 or found["epochs"] == 30


def test_what_is_given_stays():
    assert defaults.training(450, epochs=2, batch_size=8, learning_rate=0.5) == {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 0.5,
    }
    assert defaults.training(450, batch_size=64)["learning_rate"] == pytest.approx(0.05)
    assert defaults.training(450, batch_size=1000)["learning_rate"] == pytest.approx(0.1)


def test_the_command_asks_for_them(command, monkeypatch):
    split = data.Split(np.zeros((500, 8, 8, 1), "uint8"), (np.arange(500) % 10).astype("int32"))
    dataset = data.Dataset("photos", split, split, split, tuple("0123456789"))
    monkeypatch.setattr("distiller.cli.images.after_names", lambda *_: dataset)
    asked = []
    monkeypatch.setattr("distiller.cli.run.execute", lambda recipe, *_, **__: asked.append(recipe.training))
    call = ["distill", "wide_cifar100", "resnet8", "--data", "digits"]
    code, _, told = command(*call, "--bridge", "fine_tune", "--flip")
    assert code == 0
    assert "500 training images: 40 epochs of 15 steps of 32 images, at a rate of 0.025" in told
    command(*call, "--epochs", "3", "--batch-size", "50", "--learning-rate", "0.01")
    plans = [(plan.epochs, plan.batch_size, plan.learning_rate, plan.flip) for plan in asked]
    assert plans == [(40, 32, 0.025, True), (3, 50, 0.01, False)]
