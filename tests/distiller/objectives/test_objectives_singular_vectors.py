"""Gradients and exactness of the objective that compares singular vectors."""

import keras
import numpy as np
import pytest
from keras import ops
from references import features as reference
from support.feature_maps import BATCH, draw
from support.gradients import gradients

from distiller.errors import InputError
from distiller.objectives import features


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_singular_vector_gradient_points_downhill_where_singular_values_are_close(rng):
    """The exact gradient has a pole at equal singular values; ours is bounded there."""
    teacher, student = reference.two_layers(rng, BATCH)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(BATCH, 16, 6)))
    student[1] = orthogonal.reshape(BATCH, 4, 4, 6).astype("float32")
    objective = features.SingularVectors()
    _, to_student, _ = gradients(objective, teacher, student)
    assert max(np.abs(g).max() for g in to_student) < 10.0
    slope = sum(np.sum(np.square(g)) for g in to_student)
    assert slope > 0
    moved = [maps - 1e-2 / slope * g for maps, g in zip(student, to_student, strict=True)]
    before, after = (float(ops.sum(objective(teacher, maps))) for maps in (student, moved))
    assert after < before


def test_singular_vectors_of_one_sample_that_is_no_number_leave_the_others(rng):
    teacher, student = reference.two_layers(rng, BATCH)
    expected = ops.convert_to_numpy(features.singular_vectors(teacher, student))
    for network in (teacher, student):
        broken = [maps.copy() for maps in network]
        broken[0][1] = np.nan
        pair = (broken, student) if network is teacher else (teacher, broken)
        found = ops.convert_to_numpy(features.singular_vectors(*pair))
        np.testing.assert_array_equal(np.isnan(found), np.arange(BATCH) == 1)
        np.testing.assert_allclose(np.delete(found, 1), np.delete(expected, 1), rtol=1e-5)


def test_weak_singular_vectors_are_as_exact_as_strong_ones(rng):
    """Maps whose singular values fall by a factor of four each, of which float32 squares would leave little."""

    def maps(height, channels):
        left, right = (np.linalg.qr(rng.normal(size=(BATCH, n, 4)))[0] for n in (height**2, channels))
        return ((left * 4.0 ** -np.arange(4)) @ np.swapaxes(right, 1, 2)).reshape(BATCH, height, height, channels)

    teacher, student = ([maps(6, 5), maps(3, 12)] for _ in range(2))
    expected = reference.singular_vectors(teacher, student, None, rank=3)
    found = features.singular_vectors(
        *keras.tree.map_structure(lambda x: x.astype("float32"), (teacher, student)), rank=3
    )
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=2e-5)


if keras.backend.backend() == "tensorflow":

    def test_singular_vectors_are_the_same_when_compiled(rng):
        import tensorflow as tf

        teacher, student = draw(rng, [(4, 4, 3), (2, 2, 5)]), draw(rng, [(4, 4, 3), (2, 2, 5)])
        compiled = tf.function(features.singular_vectors, jit_compile=True)(teacher, student)
        np.testing.assert_allclose(compiled, features.singular_vectors(teacher, student), rtol=1e-4)


def test_singular_vectors_refuse_a_rank_above_the_map(rng):
    with pytest.raises(InputError, match="rank=7"):
        features.SingularVectors(rank=7)(*reference.two_layers(rng, BATCH))
