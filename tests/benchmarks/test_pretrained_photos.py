"""Photos for a pretrained teacher and student: what is written, and what both arms share."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import pretrained_photos
from benchmarks.documents import pretrained_photos as documented
from benchmarks.results import lines
from distiller import data


@pytest.fixture
def images():
    shades = np.arange(12, dtype="uint8")[:, None, None, None] * 20
    labels = np.arange(12, dtype="int32") % 2
    split = data.Split(np.broadcast_to(shades, (12, 8, 8, 3)).copy(), labels)
    return data.Dataset("cifar10", split, split, split, ("cat", "dog"))


@pytest.mark.parametrize(("size", "written"), [(None, (8, 8)), (24, (24, 24))])
def test_the_first_photos_of_each_class_are_written(images, tmp_path, size, written):
    pretrained_photos.write_photos(images, tmp_path, training=3, tested=2, size=size)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")}
    dogs = {"train/dog/00001.jpg", "train/dog/00003.jpg", "train/dog/00005.jpg", "test/dog/00001.jpg"}
    assert len(found) == 10
    assert dogs < found
    with Image.open(tmp_path / "train/dog/00003.jpg") as photo:
        assert photo.size == written
        np.testing.assert_allclose(np.asarray(photo), 60, atol=2)


def test_both_students_begin_with_imagenet_and_have_the_same_plan(tmp_path):
    recipe = pretrained_photos.recipe_of(tmp_path, [0, 1, 2])
    assert (recipe.student.name, recipe.student.options) == ("efficientnet_lite0", {"weights": "imagenet"})
    teacher = recipe.teacher.train
    assert (teacher.model.name, teacher.model.options) == ("efficientnet_lite1", {"weights": "imagenet"})
    assert teacher.data == recipe.data
    assert recipe.plan("hard_labels") == recipe.plan("distilled")
    assert recipe.plan("distilled").epochs == 3
    longer = pretrained_photos.recipe_of(tmp_path, [0], pretrained_photos.LONG)
    assert (
        longer.plan("hard_labels")
        == longer.plan("distilled")
        == recipe.plan("distilled").model_copy(update={"epochs": 12})
    )
    assert longer.teacher.train.training.epochs == 12
    assert (recipe.export.schemes, recipe.data.image_size) == (["int8"], (96, 96))


def test_the_table_has_both_students(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    common = {"variant": "100 photos a class", "data": {"train": 900}, "budget": {"steps": 84, "batch_size": 32}}
    common |= {"recipe": {"training": {"learning_rate": 0.0004}}, "teacher": {"accuracy": 0.75}}
    made = [
        common
        | {"arm": arm, "seed": seed, "test_accuracy": accuracy}
        | {"tflite": [{"scheme": "int8", "accuracy": accuracy - 0.02}]}
        for arm, base in (("hard_labels", 0.6), ("distilled", 0.64))
        for seed, accuracy in enumerate((base, base + 0.02))
    ]
    lines.append(tmp_path / "pretrained_photos.jsonl", made)
    row = (
        "| 100 photos a class, 900 for training | distilled | 84 of 32 | 0.0004 | 65.00 ± 1.41 | +4.00 | 63.00 ± 1.41 |"
    )
    assert f"{row} 75.00 | 2 |" in documented.table()
