"""An objective from a Python file of the user's, by the name that a recipe gives it."""

import numpy as np
import pytest

from distiller import objectives, recipes
from distiller.errors import InputError
from distiller.runs import digests

CODE = """
from keras import ops
from distiller import objectives

class SquaredDifference(objectives.Objective):
    compares = "logits"

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, teacher, student, labels=None):
        return self.scale * ops.sum(ops.square(teacher - student), axis=-1)

def not_a_class(): ...
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_it_is_made_with_its_arguments(file):
    own = objectives.get({"name": f"{file}:SquaredDifference", "scale": 3.0})
    teacher, student = np.array([[2.0, 0.0], [1.0, 1.0]], "float32"), np.array([[0.0, 1.0], [1.0, 0.5]], "float32")
    np.testing.assert_allclose(np.asarray(own(teacher, student)), [3 * (4 + 1), 3 * 0.25])


def test_what_is_no_objective_is_refused(file):
    with pytest.raises(InputError, match=r"a class that derives from distiller\.objectives\.Objective"):
        objectives.get(f"{file}:not_a_class")
    with pytest.raises(InputError, match=r"'Squared'. Known: SquaredDifference"):
        objectives.get(f"{file}:Squared")


def test_a_run_reads_the_file(file):
    change = f"arms.distilled.objectives.soft={{name: '{file}:SquaredDifference'}}"
    assert str(file) in digests.used(recipes.read_run("cifar100_to_cifar10", [change]), None)
