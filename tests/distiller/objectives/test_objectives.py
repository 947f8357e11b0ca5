"""The contract that every line of the table of objectives keeps, and each objective's numbers."""

import keras
import numpy as np
import pytest
from keras import ops
from references import features, relations
from references import logits as reference
from support.gradients import gradients

from distiller import objectives
from distiller.errors import InputError

BATCH = 6
NAMES = list(objectives.OBJECTIVES)
# Where the definition is not 0 for a student that equals its teacher, or not before adapters have learned.
NOT_ZERO_AT_EQUALITY = {
    "activation_boundaries",  # asks for a margin
    "contrastive",  # its bound of the mutual information is not 0
    "hint",  # always has a regressor
    "factor_transfer",  # always has a translator
    "knowledge_review",  # always has its fusion
    "overhaul",  # compares with what the margin leaves of the teacher
    "projector",  # always has a projector
    "refined",  # corrects a teacher that is wrong
    "singular_vectors",  # compares correlations of different layers' vectors
    "ttm",  # 0 where the student is the transformed teacher
    "variational_information",  # the variance is part of it
    "wttm",
}
EXAMPLES = {**features.EXAMPLES, **relations.EXAMPLES}


def inputs(name, rng, classes=5, scale=3.0, dtype="float32"):
    """A teacher and a student that the objective of that name can compare."""
    if name in EXAMPLES:
        pair = EXAMPLES[name](rng, BATCH)
    else:
        pair = tuple(rng.normal(scale=scale, size=(BATCH, classes)) for _ in range(2))
    return keras.tree.map_structure(lambda array: array.astype(dtype), tuple(pair))


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_config_round_trip(self, name):
        objective = objectives.get(name)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
        assert type(copy) is type(objective)
        assert copy.get_config() == objective.get_config()

    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_one_float32_loss_a_sample(self, name, rng, dtype):
        loss = objectives.get(name)(*inputs(name, rng, dtype=dtype), np.arange(BATCH) % 5)
        assert tuple(loss.shape) == (BATCH,)
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        assert np.isfinite(ops.convert_to_numpy(loss)).all()

    def test_the_student_learns_and_the_teacher_does_not(self, name, rng):
        to_teacher, to_student, to_adapters = gradients(objectives.get(name), *inputs(name, rng), np.arange(BATCH) % 5)
        assert all(found is None or not found.any() for found in to_teacher)
        assert any(found.any() for found in to_student)
        assert all(found is not None for found in to_adapters)

    @pytest.mark.parametrize("classes", [2, 5])
    def test_finite_at_200(self, name, rng, classes):
        pair = keras.tree.map_structure(lambda x: np.sign(x) * 200, inputs(name, rng, classes))
        labels = np.arange(BATCH) % classes
        loss = ops.convert_to_numpy(objectives.get(name)(*pair, labels))
        _, to_student, _ = gradients(objectives.get(name), *pair, labels)
        assert np.isfinite(loss).all()
        assert all(np.isfinite(found).all() for found in to_student)

    def test_takes_soft_labels(self, name, rng):
        soft = np.full((BATCH, 5), 0.2, "float32")
        assert np.isfinite(ops.convert_to_numpy(objectives.get(name)(*inputs(name, rng), soft))).all()

    def test_table_says_where_it_comes_from(self, name):
        kind = objectives.OBJECTIVES[name]
        assert kind.compares in ("logits", "features", "relations")
        assert kind.source


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_ZERO_AT_EQUALITY])
def test_zero_when_the_student_equals_the_teacher(name, rng):
    teacher, _ = inputs(name, rng)
    loss = objectives.get(name)(teacher, teacher, np.arange(BATCH) % 5)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), 0.0, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_hinton_equals_the_reference(rng, temperature, classes):
    teacher, student = inputs("hinton", rng, classes)
    expected = reference.hinton(teacher, student, None, temperature)
    np.testing.assert_allclose(objectives.hinton(teacher, student, temperature), expected, rtol=1e-4, atol=1e-6)


def test_hinton_gradient_is_the_difference_of_probabilities(rng):
    """1503.02531, equation 2: for the scaled loss, temperature · (q − p)."""
    from scipy.special import softmax

    teacher, student = inputs("hinton", rng)
    _, (to_student,), _ = gradients(objectives.get("hinton"), teacher, student)
    expected = 4.0 * (softmax(student / 4.0, axis=-1) - softmax(teacher / 4.0, axis=-1))
    np.testing.assert_allclose(to_student, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_hinton_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(InputError, match="temperature"):
        objectives.Hinton(temperature=temperature)


def test_unknown_objective_names_the_nearest():
    with pytest.raises(InputError, match="Did you mean 'hinton'"):
        objectives.get("hintn")


def test_unknown_argument_is_named():
    with pytest.raises(InputError, match="temprature"):
        objectives.get({"name": "hinton", "temprature": 3})
