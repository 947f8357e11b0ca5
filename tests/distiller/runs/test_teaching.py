"""What the bridges of a run are shown."""

import keras
import numpy as np
import pytest

from distiller import recipes
from distiller.runs.building import load_data, only_labelled
from distiller.utils.progress import Reporter
from distiller.recipes.bridges import FineTuneBridge
from distiller.runs.students import Teaching


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
    teaching = Teaching(recipe, dataset, None, kept, Reporter())
    section = FineTuneBridge.model_validate({"name": "fine_tune", "seed": own_seed, "training": {"epochs": 1}})
    keras.utils.set_random_seed(99)
    teaching._fit_bridge("bridge-fine_tune", section, 3, tmp_path)
    student = only_labelled(teaching.few_labels(3))
    assert len(student) == 25
    np.testing.assert_array_equal(np.asarray(kept.labelled.images), np.asarray(student.images))
    assert kept.seed == 3 + own_seed
    keras.utils.set_random_seed(kept.seed)
    np.testing.assert_array_equal(kept.drawn, np.asarray(keras.random.normal((3,))))
