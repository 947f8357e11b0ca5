"""Soft maps between label spaces, learned from data."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from support.label_spaces import COARSE, FINE, answer, images, network, plain

from distiller import bridges
from distiller.bridges.transport import most_likely
from distiller.errors import InputError


class TestTransport:
    def problem(self, n=60, teacher=3, classes=2):
        rng = np.random.default_rng(11)
        p = rng.dirichlet([0.5] * teacher, n)
        return p, np.arange(n) % classes

    def value(self, matrix, p, labels, smoothing):
        """The function that the fit maximizes, in float64."""
        fit = np.log((p @ matrix)[np.arange(len(p)), labels]).sum()
        return fit + smoothing / matrix.shape[1] * np.log(matrix).sum()

    @pytest.mark.parametrize("smoothing", [0.5, 5.0])
    def test_no_step_goes_down_and_the_last_is_the_maximum(self, smoothing):
        p, labels = self.problem(classes=3)
        values = [self.value(most_likely(p, labels, 3, smoothing, s), p, labels, smoothing) for s in range(1, 12)]
        assert np.diff(values).min() >= 0
        best = minimize(
            lambda free: -self.value(softmax(free.reshape(3, 3), axis=1), p, labels, smoothing), np.zeros(9), tol=1e-9
        )
        found = most_likely(p, labels, 3, smoothing, 5000)
        assert self.value(found, p, labels, smoothing) == pytest.approx(-best.fun, abs=1e-3)
        np.testing.assert_allclose(found, softmax(best.x.reshape(3, 3), axis=1), atol=0.01)
        np.testing.assert_allclose(found.sum(1), 1)

    def test_the_first_step_is_leeps_empirical_conditional(self):
        p, labels = self.problem()
        joint = np.stack([p[labels == y].sum(0) / len(p) for y in range(2)], 1)
        expected = joint / joint.sum(1, keepdims=True)
        np.testing.assert_allclose(most_likely(p, labels, 2, 1e-9, 1), expected, rtol=1e-6)

    def test_smoothing_is_of_a_uniform_row_and_keeps_every_probability(self):
        p = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # a step knows all there is; the third class is never said
        found = most_likely(p, np.array([0, 1]), 2, 2.0, 1)
        np.testing.assert_allclose(found, [[2 / 3, 1 / 3], [1 / 3, 2 / 3], [0.5, 0.5]])

    @pytest.mark.parametrize("classes", [2, COARSE])
    def test_logits_are_the_logarithm_of_the_mixture(self, classes):
        teacher, data = network(width=16), images(classes=classes)
        bridge = bridges.Transport(0.1, temperature=2.0).fit(teacher, data, data, classes)
        z = answer(teacher, data[0])
        expected = np.log(softmax(z / 2, axis=-1) @ bridge.matrix)
        found = answer(bridge.teacher(teacher, classes), data[0])
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, rtol=1e-5)
        assert bridge.matrix.shape == (FINE, classes)

    def test_large_logits(self):
        rng = np.random.default_rng(2)
        z, labels = rng.choice([-200.0, 200.0], (40, 6)).astype("float32"), np.arange(40) % 2
        bridge = bridges.Transport(1e-3).fit(plain(6), (z, labels), (z, labels), 2)
        expected = np.log(softmax(z.astype("float64"), axis=-1) @ bridge.matrix)
        np.testing.assert_allclose(answer(bridge.teacher(plain(6), 2), z), expected, rtol=1e-5, atol=1e-5)

    def test_finds_and_names_the_classes_that_belong_together(self):
        names, classes = ["beagle", "car", "siamese", "tabby"], ["cat", "dog"]
        said = np.array([2, 2, 3, 0, 0, 0, 3, 2, 3])
        labels = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1])
        z = 20 * np.eye(4, dtype="float32")[said]
        bridge = bridges.Transport(1e-6).fit(plain(4), (z, labels), (z, labels), 2)
        found = bridge.matches(2, names, classes)
        assert {label: [name for name, _ in pairs] for label, pairs in found.items()} == {
            "cat": ["siamese", "tabby"],
            "dog": ["beagle", "tabby"],
        }
        # Of the five cats the teacher called three siamese and two tabby; of the four dogs one was a tabby to it.
        np.testing.assert_allclose([share for _, share in found["cat"]], [3 / 5, 2 / 5], atol=1e-4)
        np.testing.assert_allclose([share for _, share in found["dog"]], [3 / 4, 1 / 4], atol=1e-4)
        assert [name for name, _ in bridge.matches(1)["1"]] == ["0"]
        assert bridge.accuracy == pytest.approx(8 / 9)
        with pytest.raises(InputError, match=r"4 classes of the teacher and 2 of the student. Received: 4 and 1"):
            bridge.matches(2, names, ["cat"])

    def test_refuses(self):
        for options, message in (
            ({"smoothing": 0}, "smoothing=0"),
            ({"temperature": -1.0}, "temperature=-1"),
            ({"steps": 0}, "steps=0"),
        ):
            with pytest.raises(InputError, match=message):
                bridges.Transport(**options)
        with pytest.raises(InputError, match="Transport has to be fitted first"):
            bridges.Transport().matches()
        with pytest.raises(InputError, match="Transport has to be fitted first"):
            bridges.Transport().teacher(network(), COARSE)
