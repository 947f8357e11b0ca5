"""Measurements of a diagnosis against hand-made cases and references written from the papers."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from support.diagnosed import linear_teacher, random_logits

from distiller import models
from distiller.errors import InputError
from distiller.teachers.diagnosis import gap, soft_targets
from distiller.teachers.diagnosis.calibration import best_temperature, calibrate
from distiller.teachers.diagnosis.mutual_information import between_pairs, choose, mutual_information
from distiller.teachers.diagnosis.smoothing import marks, score


class TestMutualInformation:
    @pytest.mark.parametrize("examples", [2, 7, 100])
    def test_examples_that_views_do_not_mix_give_the_logarithm_of_their_number(self, examples):
        views = np.random.default_rng(0).normal(size=(examples, 20))
        apart = 1000.0 * np.arange(examples)[:, None] + views
        assert mutual_information(apart) == pytest.approx(math.log(examples))

    def test_collapsed_classes_tell_the_class_alone(self):
        views = np.random.default_rng(0).normal(size=20)
        clusters = np.where(np.arange(60) < 30, 500.0, -500.0)[:, None] + views
        assert mutual_information(clusters) == pytest.approx(math.log(2))
        uneven = np.where(np.arange(60) < 15, 500.0, -500.0)[:, None] + views
        assert mutual_information(uneven) == pytest.approx(math.log(4) / 4 + 3 * math.log(4 / 3) / 4)

    def test_examples_with_the_same_views_tell_nothing(self):
        same = np.tile(np.random.default_rng(0).normal(size=20), (50, 1))
        assert mutual_information(same) == pytest.approx(0, abs=1e-12)
        assert mutual_information(np.zeros((5, 3))) == 0
        assert mutual_information(np.full((5, 3), 1e20)) == pytest.approx(0, abs=1e-12)

    def test_views_that_change_nothing(self):
        assert mutual_information(np.array([[1.0] * 3, [1.0] * 3, [2.0] * 3, [3.0] * 3])) == pytest.approx(
            (2 * math.log(2) + 2 * math.log(4)) / 4
        )

    @pytest.mark.parametrize(("examples", "draws", "spread"), [(2, 2, 1.0), (30, 10, 0.5), (40, 5, 20.0)])
    def test_against_the_formula(self, examples, draws, spread):
        generator = np.random.default_rng(examples)
        f = (generator.normal(size=(examples, 1)) * spread + generator.normal(size=(examples, draws))).astype("float64")
        mu = [sum(row) / draws for row in f]
        variance = sum((f[x, v] - mu[x]) ** 2 for x in range(examples) for v in range(draws)) / (examples * draws)
        total = 0.0
        for x in range(examples):
            for v in range(draws):
                mixture = sum(math.exp(-((f[x, v] - m) ** 2) / (2 * variance)) for m in mu) / examples
                total += -((f[x, v] - mu[x]) ** 2) / (2 * variance) - math.log(mixture)
        assert mutual_information(f) == pytest.approx(total / (examples * draws), rel=1e-10)

    def test_of_a_gaussian_channel(self):
        """Gaussian signal of deviation 3 in Gaussian noise of 1: 0.5 log(1 + 9) nats, Cover & Thomas, chapter 9."""
        generator = np.random.default_rng(0)
        f = generator.normal(scale=3, size=(300, 1)) + generator.normal(size=(300, 50))
        assert mutual_information(f) == pytest.approx(0.5 * math.log(10), abs=0.05)

    @pytest.mark.parametrize("shape", [(1, 5), (5, 1), (4,), (2, 2, 2)])
    def test_too_little(self, shape):
        with pytest.raises(InputError, match="with two or more of each"):
            mutual_information(np.zeros(shape))

    def test_the_choice_of_samples(self):
        labels = np.array([3, 1, -1, 3, 1, 3, 0, 3])
        np.testing.assert_array_equal(choose(labels, classes=9, examples=4, seed=0), [6, 1, 4, 0, 3])
        some = choose(np.repeat(np.arange(30), 5), classes=10, examples=6, seed=1)
        assert len(some) == 30
        assert len(np.unique(some // 5)) == 10

    def test_mean_over_pairs_of_equal_parts(self):
        """Classes 0 and 1 are apart from each other and from the single sample of class 2, but alike within."""
        labels = np.array([0, 0, 0, 1, 1, 2])
        logits = (
            np.zeros((4, 6, 3))
            + 1000.0 * np.eye(3)[labels]
            + np.array([1.0, -1.0, 1.0, -1.0])[:, None, None]
            * [
                1,
                2,
                3,
            ]
        )
        found = between_pairs(logits, labels)
        assert [(pair.classes, pair.examples) for pair in found.pairs] == [((0, 1), 4), ((0, 2), 2), ((1, 2), 2)]
        np.testing.assert_allclose([pair.nats for pair in found.pairs], math.log(2))
        assert found.nats == pytest.approx(math.log(2))
        assert found.share == pytest.approx((0.5 + 1 + 1) / 3)
        assert found.draws == 4


class TestCalibration:
    def test_error_by_hand(self):
        """Bins of 1/15: three samples at 0.9 (two right), two at 0.62 (one right), one at 0.5 (wrong).

        3/6 · |2/3 − 0.9| + 2/6 · |1/2 − 0.62| + 1/6 · |0 − 0.5| = 0.24.
        """
        confidence = np.array([0.9, 0.9, 0.9, 0.62, 0.62, 0.5])
        logits = np.log(np.stack([confidence, 1 - confidence], axis=1))
        found = calibrate(logits, np.array([0, 0, 1, 0, 1, 1]))
        assert found.error == pytest.approx(0.24)
        assert found.confidence == pytest.approx(confidence.mean())
        assert [(b.samples, b.accuracy) for b in found.bins] == [
            (1, 0),
            (2, 0.5),
            (3, pytest.approx(2 / 3)),
        ]
        assert (found.bins[0].low, found.bins[0].high) == pytest.approx((7 / 15, 8 / 15))
        assert found.nll == pytest.approx(-np.mean(np.log([0.9, 0.9, 0.1, 0.62, 0.38, 0.5])))

    @pytest.mark.parametrize("bins", [1, 15, 40])
    def test_error_against_a_loop(self, bins):
        logits, labels = random_logits(500, 6)
        p = np.exp(log_softmax(logits, axis=1))
        total = 0.0
        for b in range(bins):
            inside = [i for i in range(500) if b / bins < p[i].max() <= (b + 1) / bins]
            if inside:
                right = sum(p[i].argmax() == labels[i] for i in inside) / len(inside)
                total += len(inside) / 500 * abs(right - sum(p[i].max() for i in inside) / len(inside))
        assert calibrate(logits, labels, bins).error == pytest.approx(total)

    def test_logits_that_are_certain(self):
        found = calibrate(np.array([[500.0, -500.0], [-500.0, 500.0], [500.0, -500.0]]), np.array([0, 1, 1]))
        assert found.error == pytest.approx(1 / 3)
        assert found.bins[-1].samples == 3

    @pytest.mark.parametrize("factor", [0.05, 1.0, 3.0, 200.0])
    def test_temperature_of_logits_times_a_factor(self, factor):
        """Labels exactly as often as the probabilities say: the best temperature undoes the factor."""
        p = np.array([[0.7, 0.2, 0.1], [0.1, 0.5, 0.4]])
        labels = np.concatenate([np.repeat([0, 1, 2], [7, 2, 1]), np.repeat([0, 1, 2], [1, 5, 4])])
        logits = factor * np.log(np.repeat(p, 10, axis=0))
        assert best_temperature(logits, labels) == pytest.approx(factor, rel=1e-6)

    def test_temperature_against_scipy(self):
        logits, labels = random_logits(300, 8, scale=6.0)

        def loss(log_temperature):
            return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(300), labels].mean()

        reference = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
        found = calibrate(logits, labels)
        assert found.temperature == pytest.approx(np.exp(reference.x), rel=1e-5)
        assert found.nll_at_temperature == pytest.approx(reference.fun, rel=1e-9)
        assert found.nll_at_temperature < found.nll

    def test_no_temperature_where_all_is_right_or_nothing_known(self):
        logits, _ = random_logits(50, 4)
        assert best_temperature(logits, logits.argmax(axis=1)) is None
        assert best_temperature(logits, logits.argmin(axis=1)) is None
        assert best_temperature(np.zeros((4, 3)), np.array([0, 1, 2, 0])) is None
        assert calibrate(logits, logits.argmax(axis=1)).nll_at_temperature is None


class TestSmoothing:
    @pytest.mark.parametrize("classes", [3, 10, 100])
    @pytest.mark.parametrize("strength", [0.05, 0.1, 0.3])
    def test_targets_met_exactly(self, classes, strength):
        labels = np.arange(300) % classes
        targets = (1 - strength) * np.eye(classes)[labels] + strength / classes
        found = score(np.log(targets) + 5.0, labels)
        assert found.verdict == "likely"
        assert found.strength == pytest.approx(strength)
        assert found.evenness == pytest.approx(1)
        assert found.ceiling == pytest.approx(
            math.log((1 - strength + strength / classes) / (strength * (1 - 1 / classes)))
        )

    def test_marks_against_scipy(self):
        logits, labels = random_logits(40, 7)
        odds, evenness = marks(logits, labels)
        for row, label, odd, even in zip(logits, labels, odds, evenness, strict=True):
            p = np.exp(log_softmax(row))
            wrong = np.delete(p, label) / (1 - p[label])
            assert odd == pytest.approx(math.log(p[label] / (1 - p[label])))
            assert even == pytest.approx(math.exp(-np.sum(wrong * np.log(wrong))) / 6)

    def test_certain_logits_are_finite(self):
        odds, evenness = marks(1000.0 * np.eye(3), np.arange(3))
        np.testing.assert_allclose(odds, 1000 - math.log(2))
        np.testing.assert_allclose(evenness, 1)

    def test_hard_labels(self):
        labels = np.arange(200) % 10
        logits = 12 * np.eye(10)[labels] + np.random.default_rng(0).normal(scale=2, size=(200, 10))
        found = score(logits, labels)
        assert (found.verdict, found.strength) == ("not", None)

    def test_low_odds_with_uneven_rest_say_nothing(self):
        labels = np.arange(200) % 10
        logits = 4 * np.eye(10)[labels] + np.random.default_rng(0).normal(scale=1.5, size=(200, 10))
        assert score(logits, labels).verdict == "cannot tell"

    def test_too_little_to_tell(self):
        logits, labels = random_logits(40, 5)
        assert "right answers are too few" in score(logits, labels).reason
        logits, labels = random_logits(200, 2)
        found = score(logits, labels)
        assert found.verdict == "cannot tell"
        assert "one wrong class alone" in found.reason


class TestSoftTargets:
    def test_entropy_against_scipy(self):
        logits, _ = random_logits(60, 5)
        for temperature in (1.0, 4.0):
            log_p = log_softmax(logits / temperature, axis=1)
            expected = -(np.exp(log_p) * log_p).sum(axis=1).mean() / math.log(5)
            assert soft_targets.entropy(logits, temperature) == pytest.approx(expected)

    def test_entropy_with_a_class_that_is_ruled_out(self):
        logits = np.array([[1.0, 0.0, -np.inf], [0.5, 2.0, -np.inf]])
        p = softmax(logits[:, :2], axis=-1)
        expected = -(p * np.log(p)).sum(1).mean() / np.log(3)
        assert soft_targets.entropy(logits) == pytest.approx(expected)

    @pytest.mark.parametrize(
        ("scale", "smoothed", "temperature", "reason"),
        [
            (10.0, "not", 4.0, "the usual one; the targets there have"),
            (10.0, "cannot tell", 4.0, "the usual one"),
            (10.0, "likely", 1.0, "label smoothing"),
            (36.0, "not", 8.0, "nearly one-hot"),
            (2.0, "not", 1.0, "nearly uniform"),
            (1e4, "not", 4.0, "one-hot at every temperature"),
            (1e-3, "not", 4.0, "uniform at every temperature"),
        ],
    )
    def test_suggestion(self, scale, smoothed, temperature, reason):
        logits = scale * np.stack([np.eye(10)[0], np.eye(10)[1]])
        found = soft_targets.describe(logits, smoothed)
        assert found.suggested_temperature == temperature
        assert reason in found.reason


class TestGap:
    def test_costs_and_assistant(self):
        large, small = linear_teacher(20), linear_teacher(5)
        found = gap.compare(large, 0.9, small, 0.8, chance=0.1, samples=500)
        assert found.teacher.parameters == large.count_params()
        assert found.student.multiply_adds == models.multiply_adds(small)
        assert found.student.accuracy == 0.8
        assert found.assistant_parameters == round(math.sqrt(large.count_params() * small.count_params()))

    def test_near_and_untrained(self):
        network = linear_teacher()
        found = gap.compare(network, 0.9, network, 0.12, chance=0.1, samples=500)
        assert found.assistant_parameters is None
        assert found.student.accuracy is None
