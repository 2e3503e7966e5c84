"""The statistics of ml.stats beside those of statsmodels, on a grid that holds the edges.

Known differences, each of them meant:
- Without a picture, statsmodels' Wilson interval is NaN; ours is everything from 0 to 1.
- statsmodels has Newcombe's interval for two groups of their own pictures only (method 10 of his 1998 paper on
  independent proportions). Ours is his paired one. The two are the same where the answers are uncorrelated, with each
  run's Wilson interval of the same n; there they are compared, and the correlation's part is checked by hand in
  test_paired.
- McNemar: theirs is a floating-point binomial tail, ours whole numbers until the last division; equal to 1e-9, and 1 in
  both without a discordant pair.
"""

import gc
import warnings

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from ml.stats.intervals import wilson
from ml.stats.paired import holm, mcnemar, newcombe

SIZES = (1, 2, 3, 7, 20, 100, 1_000, 10_000)


@pytest.mark.parametrize("n", SIZES)
def test_wilson(n):
    right = np.unique(np.r_[0, 1, n // 3, n // 2, n - 1, n])
    low, high = wilson(right, np.full(len(right), n))
    expected = [proportion_confint(int(one), n, method="wilson") for one in right]
    np.testing.assert_allclose(np.column_stack([low, high]), expected, rtol=0, atol=1e-12)


def test_wilson_of_nothing_is_everything():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(proportion_confint(0, 0, method="wilson")).all()
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("n", [4, 36, 100, 2_500])
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1, 0.5), (1, 1), (0, 0), (1, 0), (0.5, 0)])
def test_newcombe_of_uncorrelated_answers(n, a, b):
    """Of n pictures A has the part a right, B the part b, and both a × b: then neither tells of the other."""
    both, only_a, only_b = n * a * b, n * a * (1 - b), n * (1 - a) * b
    ours = newcombe(np.array([both, only_a, only_b, n - both - only_a - only_b]))
    theirs = confint_proportions_2indep(n * a, n, n * b, n, method="newcomb", compare="diff")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("only_a", [0, 1, 2, 5, 17, 60, 400])
@pytest.mark.parametrize("only_b", [0, 1, 2, 5, 17, 60, 400])
def test_mcnemar(only_a, only_b):
    theirs = statsmodels_mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue
    assert mcnemar(only_a, only_b) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 10, 45])
def test_holm(count, monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # statsmodels collects garbage each time: all that was ever imported
    rng = np.random.default_rng(count)
    for p in (rng.random(count), rng.random(count) ** 6, np.full(count, 0.02), np.r_[0.0, np.ones(count)]):
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12, atol=0)


def test_holm_of_nothing():
    assert holm(np.array([])).size == 0
