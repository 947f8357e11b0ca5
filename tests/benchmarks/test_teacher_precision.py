"""Answers in two precisions are compared as soft targets are used."""

import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from benchmarks import teacher_precision

EXACT = np.float32([[1.0, 4.0, 0.0], [2.0, 0.0, 1.0]])
ROUNDED = np.float32([[1.5, 4.5, 0.5], [0.0, 2.0, 1.0]])  # the same but for a shift; another class


def test_distance_is_between_soft_targets():
    found = teacher_precision.distance(EXACT, ROUNDED)
    assert found["agreement"] == 0.5
    assert found["largest_difference"] == pytest.approx(2.0)
    assert found["mean_difference"] == pytest.approx(4.0 / 6)
    expected = rel_entr(softmax(EXACT / 4, axis=1), softmax(ROUNDED / 4, axis=1)).sum(axis=1).mean()
    assert found["divergence"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("agreement", "divergence", "said"), [(0.99, 1e-3, "within"), (0.98, 1e-4, "out of"), (1.0, 2e-3, "out of")]
)
def test_both_limits_count(agreement, divergence, said):
    line = {
        "teacher": "a_net",
        "images": 1000,
        "accuracy": {"float32": 0.5, "mixed_bfloat16": 0.5},
        "agreement": agreement,
        "divergence": divergence,
        "mean_difference": 0.0,
        "largest_difference": 0.0,
        "ratio": {"median": 0.6, "low": 0.5, "high": 0.7},
    }
    assert f"{said} the tolerance" in teacher_precision.sentence(line)
