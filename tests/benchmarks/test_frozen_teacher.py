"""A frozen teacher is held against two limits."""

import pytest

from benchmarks.speed import frozen_teacher


@pytest.mark.parametrize(
    ("agreement", "divergence", "said"), [(0.99, 1e-3, "within"), (0.98, 1e-4, "out of"), (1.0, 2e-3, "out of")]
)
def test_both_limits_count(agreement, divergence, said):
    line = {
        "teacher": "a_net",
        "images": 1000,
        "accuracy": {"teacher": 0.5, "frozen": 0.5},
        "agreement": agreement,
        "divergence": divergence,
        "mean_difference": 0.0,
        "largest_difference": 0.0,
        "machine": {"processor": "A processor", "cores": 2},
        "ratio": {"median": 0.6, "low": 0.5, "high": 0.7},
    }
    assert f"{said} the tolerance" in frozen_teacher.sentence(line)
