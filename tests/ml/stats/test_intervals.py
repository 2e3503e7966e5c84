import pytest
from scipy.stats import binomtest

from ml.stats.intervals import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (10, 10), (9_471, 10_000)])
def test_wilson_agrees_with_scipy(right, n):
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_known_is_the_whole_range():
    low, high = wilson(0, 0)
    assert (low, high) == (0, 1)
