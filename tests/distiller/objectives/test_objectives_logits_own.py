"""Properties that the papers of single logit objectives claim."""

import keras
import numpy as np
import pytest
from references import logits as reference
from support.logit_objectives import BATCH, NAMES, build, gradient, pair, values

from distiller import objectives
from distiller.errors import InputError
from distiller.objectives import logits
from distiller.objectives.logits.z_score import z_score
from distiller.objectives.objective import Objective


@pytest.fixture
def rng():
    return np.random.default_rng(5)


class TestDecoupled:
    def test_with_the_weights_of_equation_6_it_is_hinton(self, rng):
        """2203.08679, equation 6: KD = TCKD + (1 − p_target) · NCKD, for one sample."""
        teacher, student = pair(rng, 10)
        labels = rng.integers(10, size=BATCH)
        rest = 1 - reference.probabilities(teacher, 4.0)[np.arange(BATCH), labels]
        combined = [
            values(logits.decoupled(teacher[i : i + 1], student[i : i + 1], labels[i : i + 1], 1.0, rest[i]))[0]
            for i in range(BATCH)
        ]
        np.testing.assert_allclose(combined, reference.hinton(teacher, student, None), rtol=1e-4)

    def test_two_classes_leave_the_binary_divergence(self, rng):
        teacher, student = pair(rng, 2)
        loss = logits.decoupled(teacher, student, np.zeros(BATCH, "int32"), beta=1e6)
        np.testing.assert_allclose(values(loss), reference.hinton(teacher, student, None), rtol=1e-4)

    @pytest.mark.parametrize("labels", [np.full(BATCH, -1), np.full((BATCH, 5), 0.2), np.full((BATCH, 5), -1), None])
    def test_labels_that_name_no_class_leave_it_to_the_teacher(self, rng, labels):
        teacher, student = pair(rng, 5)
        expected = reference.decoupled(teacher, student, teacher.argmax(axis=-1))
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, labels)), expected, rtol=1e-4)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_one_hot_and_smoothed_labels_mean_their_class(self, rng, smoothing):
        teacher, student = pair(rng, 5)
        labels = rng.integers(5, size=BATCH)
        soft = np.eye(5)[labels] * (1 - smoothing) + smoothing / 5
        expected = reference.decoupled(teacher, student, labels)
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, soft)), expected, rtol=1e-4)

    def test_mixed_labels_have_two_targets(self, rng):
        teacher, student = pair(rng, 5)
        mixed = 0.7 * np.eye(5)[[0, 1, 2, 3, 4, 0]] + 0.3 * np.eye(5)[[1, 2, 3, 4, 0, 2]]
        expected = reference.decoupled(teacher, student, mixed)
        np.testing.assert_allclose(values(logits.decoupled(teacher, student, mixed)), expected, rtol=1e-4)
        assert not np.allclose(expected, reference.decoupled(teacher, student, mixed.argmax(axis=-1)))

    def test_labels_may_come_as_a_column(self, rng):
        teacher, student = pair(rng, 5)
        labels = rng.integers(5, size=BATCH)
        column = values(logits.decoupled(teacher, student, labels[:, None]))
        np.testing.assert_array_equal(column, values(logits.decoupled(teacher, student, labels)))

    def test_refuses_labels_of_other_classes(self, rng):
        with pytest.raises(InputError, match=r"\(batch,\) or \(batch, 5\).*Received: labels of shape \(6, 3\)"):
            logits.decoupled(*pair(rng, 5), np.zeros((BATCH, 3)))


class TestDist:
    def test_mean_is_the_loss_of_the_paper(self, rng):
        teacher, student = pair(rng, 10)
        p, q = reference.probabilities(teacher, 4.0), reference.probabilities(student, 4.0)
        inter = np.mean(1 - reference.dist_columns(p.T, q.T))
        intra = np.mean(1 - reference.dist_columns(p, q))
        loss = values(logits.dist(teacher, student, beta=2.0, gamma=3.0))
        np.testing.assert_allclose(loss.mean(), 16 * (2 * inter + 3 * intra), rtol=1e-4)
        assert (loss >= 0).all()

    @pytest.mark.parametrize("shares", ["one a sample", "one for all"])
    def test_invariant_to_affine_maps_of_probabilities(self, rng, shares):
        """A row mixed with the uniform distribution is an affine map of it; with one share for all, so are columns."""
        teacher, _ = pair(rng, 10)
        share = rng.uniform(0.2, 0.9, size=(BATCH, 1) if shares == "one a sample" else (1, 1))
        student = np.log(share * reference.probabilities(teacher) + (1 - share) / 10)
        gamma = 0.0 if shares == "one a sample" else 1.0
        loss = logits.dist(teacher, student, gamma=gamma, temperature=1.0)
        np.testing.assert_allclose(values(loss), 0.0, atol=1e-5)

    def test_a_batch_of_one_has_no_intra_term(self, rng):
        one = pair(rng, 10, batch=1)
        np.testing.assert_array_equal(values(logits.dist(*one, gamma=5.0)), values(logits.dist(*one, gamma=0.0)))

    def test_a_constant_row_costs_a_half(self, rng):
        teacher, student = pair(rng, 10)
        loss = logits.dist(teacher, np.zeros_like(student), beta=1.0, gamma=0.0, temperature=1.0)
        np.testing.assert_allclose(values(loss), 0.5, rtol=1e-5)

    def test_classes_that_the_whole_batch_finds_improbable_still_count(self, rng):
        teacher, student = pair(rng, 10)
        for x in (teacher, student):
            x[:, 3] -= 150.0
        p = reference.probabilities(teacher.astype("float64"))
        q = reference.probabilities(student.astype("float64"))
        expected = np.mean(1 - reference.dist_columns(p * 1e60, q * 1e60))
        loss = values(logits.dist(teacher, student, beta=0.0, gamma=1.0, temperature=1.0))
        np.testing.assert_allclose(loss.mean(), expected, rtol=1e-4)


class TestTransformedTeacher:
    @pytest.mark.parametrize("name", ["ttm", "wttm"])
    def test_zero_where_the_student_is_the_softened_teacher(self, rng, name):
        teacher, _ = pair(rng, 10)
        np.testing.assert_allclose(values(build(name, 4.0)(teacher, teacher / 4.0 + 1.0, None)), 0.0, atol=1e-5)

    def test_is_hinton_less_the_entropy_of_the_student(self, rng):
        """2402.11148, equation 15, with Rényi's entropy of order 1 / temperature."""
        teacher, student = pair(rng, 10)
        temperature, q = 4.0, reference.probabilities(student)
        renyi = np.log(np.sum(q ** (1 / temperature), axis=-1)) / (1 - 1 / temperature)
        shannon = reference.entropy(reference.probabilities(teacher, temperature), axis=-1)
        classic = reference.hinton(teacher, student, None, temperature) / temperature
        expected = classic - (temperature - 1) * (renyi - shannon)
        np.testing.assert_allclose(values(logits.ttm(teacher, student, temperature)), expected, rtol=1e-4)

    def test_gradient_is_the_difference_of_probabilities(self, rng):
        """2402.11148, equation 20."""
        teacher, student = pair(rng, 10)
        expected = reference.probabilities(student) - reference.probabilities(teacher, 10.0)
        steps = gradient(lambda x: logits.ttm(teacher, x), student)
        np.testing.assert_allclose(steps, expected, rtol=1e-4, atol=1e-6)

    def test_weight_is_between_a_sure_teacher_and_one_that_cannot_tell(self, rng):
        teacher, student = np.array([[200.0] + 9 * [0.0], 10 * [0.0]], "float32"), pair(rng, 10, batch=2)[1]
        ratio = values(logits.wttm(teacher, student, 4.0)) / values(logits.ttm(teacher, student, 4.0))
        np.testing.assert_allclose(ratio, [1.0, 10**0.75], rtol=1e-4)


class TestStandardized:
    @pytest.mark.parametrize("inside", [name for name in NAMES if name != "standardized"])
    def test_invariant_to_shift_and_scale(self, rng, inside):
        teacher, student = pair(rng, 10)
        labels = rng.integers(10, size=BATCH)
        objective = objectives.get({"name": "standardized", "objective": inside})
        scale, shift = rng.uniform(0.2, 3.0, size=(2, BATCH, 1)), rng.normal(scale=5.0, size=(2, BATCH, 1))
        moved = objective(scale[0] * teacher + shift[0], scale[1] * student + shift[1], labels)
        np.testing.assert_allclose(values(moved), values(objective(teacher, student, labels)), rtol=1e-3, atol=1e-5)

    def test_two_classes_leave_which_one_leads(self, rng):
        teacher, student = np.array([[3.0, 1.0], [3.0, 1.0]]), np.array([[0.2, 0.1], [0.1, 0.2]])
        loss = values(objectives.get("standardized")(teacher, student, None))
        expected = reference.hinton([[1.0, -1.0]] * 2, [[1.0, -1.0], [-1.0, 1.0]], None, 2.0)
        np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize(
        "inside", [None, "decoupled", {"name": "hinton", "temperature": 3.0}, logits.Dist(gamma=0)]
    )
    def test_round_trip_with_what_is_inside(self, inside):
        objective = logits.Standardized(objective=inside)
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
        assert type(copy.objective) is type(objective.objective)
        assert copy.get_config() == objective.get_config()

    def test_tracks_what_is_inside(self):
        objective = logits.Standardized(objective="decoupled")
        assert objective.objective in objective._flatten_layers()

    def test_refuses_what_does_not_compare_logits(self):
        class Features(Objective):
            compares = "features"

        with pytest.raises(InputError, match=r"compares logits\. Received: Features, of features"):
            logits.Standardized(objective=Features())

    def test_refuses_taps_that_would_not_count(self):
        with pytest.raises(InputError, match=r"on Standardized.*teacher_layer='head'"):
            logits.Standardized(objective=logits.Hinton(teacher_layer="head"))

    def test_unknown_objective_names_the_nearest(self):
        with pytest.raises(InputError, match="Did you mean 'hinton'"):
            logits.Standardized(objective="hintn")


class TestZScore:
    def test_zeros_where_nothing_varies(self):
        equal = np.full((2, 97), 199.97, "float32")
        np.testing.assert_array_equal(values(z_score(equal, -1)), 0.0)
        np.testing.assert_array_equal(gradient(lambda x: z_score(x, -1), equal), 0.0)

    def test_mean_0_and_deviation_1(self, rng):
        scores = values(z_score(pair(rng, 10, scale=0.01)[0], -1))
        np.testing.assert_allclose(scores.mean(axis=-1), 0.0, atol=1e-5)
        np.testing.assert_allclose(scores.std(axis=-1), 1.0, rtol=1e-4)


class TestMultiLevel:
    def test_mean_is_the_loss_of_the_paper(self, rng):
        teacher, student = pair(rng, 10)
        p, q = reference.probabilities(teacher, 2.0), reference.probabilities(student, 2.0)
        expected = (
            reference.hinton(teacher, student, None, 2.0).mean()
            + np.sum((p @ p.T - q @ q.T) ** 2) / BATCH
            + np.sum((p.T @ p - q.T @ q) ** 2) / 10
        )
        np.testing.assert_allclose(values(logits.multi_level(teacher, student, [2.0])).mean(), expected, rtol=1e-4)

    @pytest.mark.parametrize("temperatures", [[], 4.0, "4", [4.0, -1.0]])
    def test_refuses_temperatures_that_are_not_positive_numbers(self, temperatures):
        with pytest.raises(InputError, match=r"temperatures.*positive number.*Received"):
            logits.MultiLevel(temperatures=temperatures)
