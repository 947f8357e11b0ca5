"""Random layers of Keras and decoded images, as options of `distiller distill`."""

import numpy as np
import pytest
from PIL import Image

from distiller.cli.distill import random_layer
from distiller.errors import InputError
from distiller.recipes import checked


def test_distill_says_layers_and_the_folder_of_images_in_its_recipe(command, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            pixels = random.integers(0, 256, (9, 9, 3), dtype="uint8")
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    asked = []
    monkeypatch.setattr(
        "distiller.cli.run.execute", lambda recipe, *_, dataset, **__: asked.append((recipe, dataset.train.images))
    )
    code, _, errors = command(
        *("distill", "wide_cifar100", tmp_path / "photos", "--student", "resnet8", "--out", tmp_path / "run"),
        *("--bridge", "fine_tune", "--augment", "RandomRotation:factor=0.05", "--augment", "RandAugment"),
        *("--cache-dir", tmp_path / "decoded"),
    )
    assert code == 0, errors
    ((recipe, images),) = asked
    expected = [{"name": "RandomRotation", "factor": 0.05}, {"name": "RandAugment"}]
    assert recipe.training.augmentation == expected
    assert recipe.bridge.training.augmentation == expected
    assert [type(layer).__name__ for layer in recipe.training.views().layers.layers] == [
        "RandomRotation",
        "RandAugment",
    ]
    assert isinstance(images, np.memmap)
    assert len(list((tmp_path / "decoded").iterdir())) == 1


@pytest.mark.parametrize("text", [":factor=1", "RandomRotation:factor"])
def test_a_layer_that_is_not_said_whole_is_refused(text):
    with pytest.raises(InputError, match=r"Expected --augment LAYER:KEY=VALUE"):
        random_layer(text)


def test_a_recipe_names_the_layer_that_does_not_exist():
    recipe = {"kind": "train", "summary": "a", "name": "a", "data": {"name": "digits"}, "model": {"name": "resnet8"}}
    with pytest.raises(InputError, match=r"training: augmentation: .*RandomRotation"):
        checked({**recipe, "training": {"epochs": 1, "augmentation": [{"name": "RandomRotatio"}]}}, "a", kind="train")
