"""What the bridges of a run are shown, and how many answers are stored for its students."""

import keras
import numpy as np
import pytest
from support.given import record

from distiller import models, recipes
from distiller.recipes.bridges import FineTuneBridge
from distiller.runs.bridges import RecipeBridges, asked_bridges
from distiller.runs.building import load_data, only_labelled
from distiller.runs.folder import RunFolder
from distiller.runs.students import StudentTrainer
from distiller.runs.teacher_cache import TeacherCaches
from distiller.utils.progress import Reporter


class Kept:
    """In place of the bridges of a run: keeps the images that one would be fitted to, and the seed."""

    def fit(self, section, teacher, labelled, held_out, seed, train, stage):
        self.labelled, self.seed, self.drawn = labelled, seed, np.asarray(keras.random.normal((3,)))
        return {}


@pytest.mark.parametrize("own_seed", [0, 1])
def test_a_second_copy_sees_no_label_that_the_student_does_not(own_seed, tmp_path):
    """The members of an ensemble differ by their seeds, and learn from the labels of one student."""
    recipe = recipes.read_run("demo")
    dataset, kept = load_data(recipe.data, None), Kept()
    trainer = StudentTrainer(recipe, dataset, None, kept, Reporter())
    section = FineTuneBridge.model_validate({"name": "fine_tune", "seed": own_seed, "training": {"epochs": 1}})
    keras.utils.set_random_seed(99)
    trainer._fit_bridge("bridge-fine_tune", section, 3, tmp_path)
    student = only_labelled(trainer.few_labels(3))
    assert len(student) == 25
    np.testing.assert_array_equal(np.asarray(kept.labelled.images), np.asarray(student.images))
    assert kept.seed == 3 + own_seed
    keras.utils.set_random_seed(kept.seed)
    np.testing.assert_array_equal(kept.drawn, np.asarray(keras.random.normal((3,))))


def test_answers_are_stored_for_every_pass_over_the_images(monkeypatch, tmp_path):
    """25 images in 3 epochs of 18 steps of 32, as those of all 605 images are: 70 passes, the last not whole."""
    recorded, asked = record(monkeypatch), []

    def options(self, distiller, images, plan, outputs, passes, *, title):
        asked.append((title, distiller.student.name, len(images), outputs["soft"].labels_seed, passes))
        return {"views": 9, "cycle": 40}

    monkeypatch.setattr(TeacherCaches, "options", options)
    small = "student={name: wide, options: {widths: [4], stem: 4}}"
    recipe = recipes.read_run(
        "demo", [small, "training.epochs=3", "arms.distilled.unlabelled=false", "bridge=null", "cache={}"]
    )
    dataset = load_data(recipe.data, None)
    teacher = models.build("wide", 5, (8, 8, 1), widths=[4], stem=4)
    trainer = StudentTrainer(
        recipe, dataset, teacher, RecipeBridges(asked_bridges(recipe), dataset.classes, lambda: None), Reporter()
    )
    trainer.fit_student("distilled", 2, RunFolder(tmp_path), tmp_path / "distilled-2")
    batches = recorded["distilled-2"].batches
    assert asked == [("distilled", "wide", 25, 2, 70)]
    assert (batches.views, batches.cycle, batches.seed, batches.num_batches) == (9, 40, 2, 18)
