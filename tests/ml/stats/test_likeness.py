"""Likeness against scipy's multivariate t, and rarity by hand."""

import numpy as np
import pytest
from scipy.stats import multivariate_t

from ml.stats import likeness
from ml.stats.likeness import FREEDOM, SHRINK, Likeness, rarity


def test_one_group_has_the_density_of_a_multivariate_t():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.2], [0, 0, 0.7]]) + 3
    found = Likeness(likeness.learn([values]))
    deviation = values.std(axis=0)
    correlation = (1 - SHRINK) * np.corrcoef(values.T) + SHRINK * np.eye(3)
    np.fill_diagonal(correlation, 1)
    shape = correlation * np.outer(deviation, deviation)
    asked = rng.normal(size=(20, 3)) * 5
    known = multivariate_t(values.mean(axis=0), shape, df=FREEDOM).logpdf(asked)
    apart = found.log_density(asked) - known
    np.testing.assert_allclose(apart, apart[0], atol=1e-3)


def test_two_groups_are_as_likely_as_the_likelier_and_what_never_varies_does_no_harm():
    rng = np.random.default_rng(1)
    near, far = rng.normal(size=(300, 2)), rng.normal(size=(300, 2)) + 40
    constant = np.zeros((300, 2))
    both = Likeness(likeness.learn([near, far]))
    alone = [Likeness(likeness.learn([group])) for group in (near, far)]
    asked = np.array([[0.0, 0.0], [40.0, 40.0], [20.0, 20.0]])
    np.testing.assert_array_equal(both.log_density(asked), np.max([one.log_density(asked) for one in alone], axis=0))
    assert np.isfinite(Likeness(likeness.learn([constant])).log_density(asked)).all()


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="nothing to learn"):
        likeness.learn([])
    found = Likeness(likeness.learn([np.eye(4)]))
    with pytest.raises(ValueError, match="from 4 numbers, not 3"):
        found.log_density(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="do not fit"):
        Likeness({"centre": np.zeros((2, 3), np.float32), "whiten": np.zeros((1, 3, 3), np.float32)})


def test_rarity_is_the_logarithm_of_a_share_and_goes_on_past_the_last():
    known = np.arange(100.0)
    found = rarity(np.array([-1.0, 50.0, 200.0, 400.0]), known)
    assert found[0] == pytest.approx(0)
    assert found[1] == pytest.approx(-np.log(51 / 101))
    edge = np.quantile(known, 0.9)
    length = known[known > edge].mean() - edge
    assert found[2] == pytest.approx(-np.log(0.1) + (200 - edge) / length)
    assert found[3] > found[2]
    assert rarity(np.array([3.0]), np.zeros(0)).tolist() == [0]
