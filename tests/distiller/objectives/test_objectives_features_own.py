"""Properties of single objectives on features: paraphraser, margins, projector, pooled features."""

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


def test_knowledge_review_takes_pooled_features_as_the_deepest_map(rng):
    teacher, student = [(8, 8, 4), (6,)], [(8, 8, 3), (5,)]
    objective = features.KnowledgeReview()
    pair = draw(rng, teacher), draw(rng, student)
    objective(*pair)
    weights = [ops.convert_to_numpy(variable) for variable in objective.trainable_variables]
    maps = [[first, vectors.reshape(BATCH, 1, 1, -1)] for first, vectors in pair]
    expected = reference.knowledge_review(*maps, None, weights=weights)
    np.testing.assert_allclose(ops.convert_to_numpy(objective(*pair)), expected, rtol=1e-4)
    with pytest.raises(InputError, match=r"teacher's features to have shape .*\(batch, height, width, channels\)"):
        features.KnowledgeReview()(draw(rng, teacher), draw(rng, [(8, 8, 3), (2, 2, 5)]))


class TestFactorTransfer:
    def test_paraphraser_makes_the_factor_and_is_not_trained(self, rng):
        paraphraser = keras.Sequential([keras.Input((8, 8, 6)), keras.layers.Conv2D(3, 3, 2, "same")])
        objective = features.FactorTransfer(paraphraser=paraphraser)
        teacher, student = draw(rng, (8, 8, 6)), draw(rng, (4, 4, 5))
        loss = objective(teacher, student)
        weights = [ops.convert_to_numpy(variable) for variable in objective.trainable_variables]
        assert len(weights) == 9
        factor = ops.convert_to_numpy(paraphraser(teacher))
        expected = reference.factor_transfer(factor, student, None, weights=weights)
        np.testing.assert_allclose(ops.convert_to_numpy(loss), expected, rtol=1e-4)

    def test_paraphraser_is_in_the_configuration(self):
        paraphraser = keras.Sequential([keras.Input((8, 8, 6)), keras.layers.Conv2D(3, 3, 2, "same")])
        objective = features.FactorTransfer(paraphraser=paraphraser)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
        assert copy.paraphraser.output_shape == (None, 4, 4, 3)

    def test_refuses_a_paraphraser_that_is_not_a_layer(self):
        with pytest.raises(InputError, match="paraphraser"):
            features.FactorTransfer(paraphraser="conv")


class TestOverhaul:
    def test_margin_of_a_batch_normalization_is_the_mean_of_its_negative_half(self):
        layer = keras.layers.BatchNormalization()
        layer.build((None, 4))
        layer.set_weights([np.array([1.0, -2.0, 0.5, 1.0]), np.array([0.0, 1.0, -1.0, 9.0]), np.zeros(4), np.ones(4)])
        expected = [*(reference.expected_negative(o, s) for o, s in ((0.0, 1.0), (1.0, 2.0), (-1.0, 0.5))), -3.0]
        np.testing.assert_allclose(features.margin_of(layer), expected, rtol=1e-5)

    def test_margin_of_needs_a_batch_normalization(self):
        with pytest.raises(InputError, match="Dense"):
            features.margin_of(keras.layers.Dense(3))

    @pytest.mark.parametrize("margin", [0.1, float("nan"), [-1.0, 1.0]])
    def test_refuses_margins_above_zero(self, margin):
        with pytest.raises(InputError, match="margin"):
            features.Overhaul(margin=margin)

    def test_refuses_another_number_of_margins(self, rng):
        with pytest.raises(InputError, match="6 channels"):
            features.Overhaul(margin=[-1.0, -1.0])(draw(rng, (4, 4, 6)), draw(rng, (4, 4, 6)))


class TestProjector:
    def test_mean_is_the_logarithm_of_the_whole_batch_and_so_is_its_gradient(self, rng):
        """Finite differences of the log of the sum against the gradient of the mean of the shares."""
        objective = features.Projector()
        teacher, student = draw(rng, (6,)), draw(rng, (6,))
        objective(teacher, student)
        kernel = ops.convert_to_numpy(objective.trainable_variables[0])

        def log_sum(student):
            return np.mean(reference.projector(teacher, student, None, weights=[kernel]))

        _, (to_student,), _ = gradients(objective, teacher, student, reduce=ops.mean)
        step = np.zeros_like(student, "float64")
        step[1, 2] = 1e-5
        expected = (log_sum(student + step) - log_sum(student - step)) / 2e-5
        np.testing.assert_allclose(to_student[1, 2], expected, rtol=1e-3)

    def test_agreement_is_finite(self, rng):
        same = draw(rng, (6,))
        assert np.isfinite(ops.convert_to_numpy(features.projector(same, same))).all()
