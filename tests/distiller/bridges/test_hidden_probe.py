"""Probes with a hidden layer."""

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from support.label_spaces import answer, images, network

from distiller import bridges
from distiller.errors import InputError


class TestHiddenProbe:
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize(("classes", "n", "alpha"), [(2, 400, 1.0), (4, 60, 2.0)])
    def test_is_the_perceptron_of_scikit_learn(self, classes, n, alpha):
        from sklearn.neural_network import MLPClassifier
        from sklearn.preprocessing import StandardScaler

        teacher, (x, y) = network(), images(n, classes)
        probe = bridges.Probe(0.5, hidden=6, seed=3).fit(teacher, (x, y), (x, y), classes)
        features = keras.Model(teacher.input, teacher.get_layer("features").output).predict(x, verbose=0)
        features = StandardScaler().fit_transform(features)
        # Sum of the losses + ½ ‖weights‖² / strength; of a batch's losses it is the share batch / n.
        expected = MLPClassifier((6,), alpha=alpha, batch_size=min(n, 200), max_iter=500, random_state=3)
        expected.fit(features, y)
        found = answer(probe.teacher(teacher, classes), x)
        np.testing.assert_allclose(
            log_softmax(found, axis=-1), expected.predict_log_proba(features), rtol=1e-3, atol=1e-3
        )
        assert probe.accuracy == pytest.approx(expected.score(features, y))

    def test_learns_what_a_linear_head_cannot(self):
        signs = np.random.default_rng(4).choice([-1.0, 1.0], (200, 2))
        y = (signs.prod(1) > 0).astype("int32")
        teacher = keras.Sequential([keras.Input((2,)), keras.layers.Identity(), keras.layers.Dense(3)])
        data = signs.astype("float32"), y
        linear, hidden = (bridges.Probe(10.0, hidden=h).fit(teacher, data, data, 2).accuracy for h in (None, 8))
        assert linear < 0.7
        assert hidden == 1

    @pytest.mark.parametrize(("options", "message"), [({"hidden": 0}, "hidden=0"), ({"strength": 0}, "strength=0")])
    def test_refuses(self, options, message):
        with pytest.raises(InputError, match=message):
            bridges.Probe(**options)
