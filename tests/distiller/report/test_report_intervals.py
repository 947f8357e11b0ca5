"""How sure a difference between two groups of seeds is, against SciPy."""

import numpy as np
import pytest
from scipy import stats

from distiller.report import intervals


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (2, 7)])
def test_the_interval_of_a_difference_against_scipy(sizes):
    rng = np.random.default_rng(sum(sizes))
    found, base = (rng.normal(0.9, deviation, n).tolist() for n, deviation in zip(sizes, (0.002, 0.02), strict=True))
    for first, second in ((found, base), (base, found)):
        expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
        np.testing.assert_allclose(intervals.welch(first, second), expected, rtol=1e-9)
    # Where one side does not vary, it is the interval of the other's mean.
    expected = stats.t.interval(0.95, len(found) - 1, np.mean(found) - 0.5, np.std(found, ddof=1) / np.sqrt(len(found)))
    np.testing.assert_allclose(intervals.welch(found, [0.5] * 3), expected, rtol=1e-9)
    assert intervals.welch([0.9, 0.9], [0.8, 0.8]) is None
    assert intervals.welch([0.9], [0.8, 0.7]) is None
