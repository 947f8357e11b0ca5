"""Properties that the papers of refined logits and of the α-β-divergence claim, and values computed by hand."""

import numpy as np
import pytest
from references import logits as reference
from support.logit_objectives import BATCH, gradient, pair, values

from distiller import objectives
from distiller.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(5)


class TestRefined:
    # A teacher that puts class 0 above the label, 1: p = (.5, .25, .15, .1). The student has q = (.4, .2, .2, .2).
    TEACHER, STUDENT = np.log([[0.5, 0.25, 0.15, 0.1]]), np.log([[0.4, 0.2, 0.2, 0.2]])

    def test_by_hand(self):
        """Half beside a fifth for the label; of the classes below it (.6, .4) beside (.5, .5)."""
        confidence = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.8)
        correlation = 0.6 * np.log(0.6 / 0.5) + 0.4 * np.log(0.4 / 0.5)
        loss = objectives.refined(self.TEACHER, self.STUDENT, np.array([1]), 2.0, 3.0, 1.0)
        np.testing.assert_allclose(values(loss), [2 * confidence + 3 * correlation], rtol=1e-5)

    def test_a_wrong_teacher_teaches_nothing_of_its_mistake(self):
        """Of the classes at or above the label, MCD has no gradient; SCD alone moves mass to the label."""
        step = gradient(lambda s: objectives.refined(self.TEACHER, s, np.array([1]), 0.0), self.STUDENT)
        np.testing.assert_allclose(step[0, :2], 0.0, atol=1e-7)
        assert abs(step[0, 2:]).min() > 1e-3
        step = gradient(lambda s: objectives.refined(self.TEACHER, s, np.array([1]), beta=0.0), self.STUDENT)
        assert step[0, 1] < 0 < step[0, 0]

    def test_of_a_teacher_that_is_right_it_is_decoupled(self, rng):
        teacher, student = pair(rng, 10)
        expected = reference.decoupled(teacher, student, teacher.argmax(axis=-1), 1.5, 3.0, 2.0)
        found = objectives.refined(teacher, student, teacher.argmax(axis=-1), 1.5, 3.0, 2.0)
        np.testing.assert_allclose(values(found), expected, rtol=1e-4)

    @pytest.mark.parametrize("labels", [np.full(BATCH, -1), np.full((BATCH, 5), 0.2), np.full((BATCH, 5), -1), None])
    def test_labels_that_name_no_class_correct_nothing(self, rng, labels):
        teacher, student = pair(rng, 5)
        expected = reference.refined(teacher, student, teacher.argmax(axis=-1))
        np.testing.assert_allclose(values(objectives.refined(teacher, student, labels)), expected, rtol=1e-4)

    @pytest.mark.parametrize("other", [0.0, 0.1, 0.4], ids=["hard", "smoothed", "mixed"])
    def test_soft_labels_mean_the_most_probable_class(self, rng, other):
        teacher, student = pair(rng, 5)
        labels = rng.integers(5, size=BATCH)
        soft = (1 - other) * np.eye(5)[labels] + other * np.eye(5)[(labels + 1) % 5]
        expected = reference.refined(teacher, student, labels)
        np.testing.assert_allclose(values(objectives.refined(teacher, student, soft)), expected, rtol=1e-4)

    def test_where_the_label_is_last_only_its_confidence_counts(self, rng):
        teacher, student = pair(rng, 5)
        last = teacher.argmin(axis=-1)
        with_both = values(objectives.refined(teacher, student, last, beta=1e3))
        np.testing.assert_allclose(with_both, reference.refined(teacher, student, last, beta=0.0), rtol=1e-4)

    @pytest.mark.parametrize("argument", ["alpha", "beta"])
    def test_refuses_a_negative_weight(self, argument):
        with pytest.raises(InputError, match=f"`{argument}`.*≥ 0.*Received: {argument}=-1"):
            objectives.Refined(**{argument: -1.0})

    def test_refuses_labels_that_do_not_fit(self, rng):
        with pytest.raises(InputError, match=r"labels of shape \(batch,\) or \(batch, 5\)"):
            objectives.refined(*pair(rng, 5), np.zeros((BATCH, 3)))


class TestAlphaBeta:
    @pytest.mark.parametrize(
        ("exponents", "expected"), [((0.5, 0.5), 0.16), ((1.0, 1.0), 0.0784), ((2.0, 1.0), 0.0392)]
    )
    def test_by_hand(self, exponents, expected):
        """Of (.64, .36) and (.36, .64): −4 (2 · .48 − 1); half the squared distance; and −½ (Σ p²q − ⅔ p³ − ⅓ q³)."""
        teacher, student = np.log([[0.64, 0.36]]), np.log([[0.36, 0.64]])
        np.testing.assert_allclose(
            values(objectives.alpha_beta(teacher, student, *exponents, 1.0)), [expected], rtol=1e-5
        )

    def test_corners_are_the_two_kullback_leibler_divergences(self, rng):
        """1, 0 is Hinton's objective without its factor temperature²; 0, 1 with teacher and student changed over."""
        teacher, student = pair(rng, 10)
        forward, reverse = reference.hinton(teacher, student, None) / 16, reference.hinton(student, teacher, None) / 16
        np.testing.assert_allclose(values(objectives.alpha_beta(teacher, student, 1.0, 0.0)), forward, rtol=1e-4)
        np.testing.assert_allclose(values(objectives.alpha_beta(teacher, student, 0.0, 1.0)), reverse, rtol=1e-4)

    @pytest.mark.parametrize("exponents", [(0.7, 0.0), (0.0, 0.7)])
    def test_edges_are_limits(self, rng, exponents):
        teacher, student = pair(rng, 10)
        close = [max(one, 1e-5) for one in exponents]
        expected = reference.alpha_beta(teacher, student, None, *close)
        np.testing.assert_allclose(
            values(objectives.alpha_beta(teacher, student, *exponents)), expected, rtol=1e-3, atol=1e-6
        )

    def test_a_class_that_the_teacher_rules_out_at_the_edge(self):
        """p = (1, 0) and q = (½, ½): log 2 of the forward divergence, also in its gradient."""
        teacher, student = np.array([[0.0, -np.inf]]), np.zeros((1, 2))
        np.testing.assert_allclose(
            values(objectives.alpha_beta(teacher, student, 1.0, 0.0, 1.0)), [np.log(2)], rtol=1e-5
        )
        step = gradient(lambda s: objectives.alpha_beta(teacher, s, 1.0, 0.0, 1.0), student)
        np.testing.assert_allclose(step, [[-0.5, 0.5]], rtol=1e-5)

    def test_refuses_exponents_that_compare_nothing(self):
        with pytest.raises(InputError, match="alpha or beta above 0"):
            objectives.AlphaBeta(alpha=0.0, beta=0.0)
        with pytest.raises(InputError, match=r"`beta`.*≥ 0.*beta=-0\.5"):
            objectives.AlphaBeta(beta=-0.5)
