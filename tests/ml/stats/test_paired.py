"""Two classifiers on the same examples, against answers by hand, scipy and published tables."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from ml.stats.paired import Answers, bootstrap, gap, holm, mcnemar, mean_gap, newcombe

# label, A, B: both right twice, only A, only B, both wrong alike, both wrong differently
ANSWERS = Answers(np.array([0, 1, 0, 1, 2, 2]), np.array([0, 1, 0, 0, 1, 0]), np.array([0, 1, 2, 1, 1, 1]))
ALL = np.ones(6, bool)


def test_buckets_by_hand():
    assert ANSWERS.bucket.tolist() == [0, 0, 1, 2, 3, 3]
    assert ANSWERS.buckets(ALL).tolist() == [2, 1, 1, 2]
    assert ANSWERS.by_class(3, ALL).tolist() == [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 2]]
    assert ANSWERS.buckets(ANSWERS.labels == 1).tolist() == [1, 0, 1, 0]
    assert ANSWERS.buckets(np.zeros(6, bool)).tolist() == [0, 0, 0, 0]


def test_the_difference_of_the_matrices_is_made_of_what_moved():
    a, b = ANSWERS.confusions(3, ALL)
    assert a.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert b.tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0]]
    for guess in range(3):
        moved = ANSWERS.moved([guess])
        for label in range(3):
            assert (moved & (ANSWERS.labels == label)).sum() == a[label, guess] + b[label, guess]
    assert ANSWERS.moved([0, 2]).tolist() == [False, False, True, True, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_any_answers_add_up(seed):
    rng = np.random.default_rng(seed)
    n, classes = 300, 7
    labels, a, b = rng.integers(0, classes, (3, n))
    answers, rows = Answers(labels, a, b), rng.random(n) < 0.7
    whole = [np.zeros((classes, classes), int) for _ in range(2)]
    for counts, said in zip(whole, (a, b), strict=True):
        np.add.at(counts, (labels[rows], said[rows]), 1)
    first, second = answers.confusions(classes, rows)
    assert np.array_equal(first - second, whole[0] - whole[1])
    assert np.array_equal(answers.by_class(classes, rows).sum(0), answers.buckets(rows))
    assert answers.buckets(rows).sum() == rows.sum()
    assert gap(answers.buckets(rows)) == pytest.approx((a == labels)[rows].mean() - (b == labels)[rows].mean())


@pytest.mark.parametrize(
    ("buckets", "low", "high"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404),  # Newcombe 1998, method 10
        ((36, 14, 0, 0), 0.1528, 0.4167),
        ((1, 1, 7, 12), -0.507, -0.026),  # Fagerland, Lydersen, Laake 2014, Stat. Med. 33:2850
    ],
)
def test_newcombe_as_published(buckets, low, high):
    digits = len(str(high).partition(".")[2])
    assert [round(float(end), digits) for end in newcombe(np.array(buckets))] == [low, high]


def test_newcombe_where_nothing_differs_or_nothing_is():
    low, high = newcombe(np.array([[20, 0, 0, 0], [0, 0, 0, 0], [0, 5, 0, 0]]))
    assert low[0] == -high[0] < 0
    assert (low[1], high[1]) == (-1, 1)
    assert (low[2] > 0, high[2]) == (True, 1)
    low, high = newcombe(np.array([[8779, 238, 525, 458], [8779, 525, 238, 458]]))
    assert (low[0], high[0]) == pytest.approx((-high[1], -low[1]))


@pytest.mark.parametrize("chance", [(0.85, 0.06, 0.03, 0.06), (0.5, 0.1, 0.1, 0.3), (0.96, 0.02, 0.01, 0.01)])
def test_both_intervals_hold_the_truth_95_times_in_100(chance):
    draws = np.random.default_rng(1).multinomial(1_000, chance, 2_000)
    truth = chance[1] - chance[2]
    low, high = newcombe(draws)
    assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.985
    ends = [bootstrap(counts, redraws=400, seed=i) for i, counts in enumerate(draws[:300])]
    assert 0.90 < np.mean([low <= truth <= high for low, high in ends]) <= 0.99


def test_the_bootstrap_is_that_of_the_examples():
    buckets = np.array([300, 40, 20, 40])
    answers = np.repeat([0, 1, -1, 0], buckets)
    rng = np.random.default_rng(3)
    redrawn = np.array([answers[rng.integers(0, 400, 400)].mean() for _ in range(4_000)])
    assert bootstrap(buckets) == pytest.approx(tuple(np.percentile(redrawn, [2.5, 97.5])), abs=0.004)
    assert bootstrap(buckets) == bootstrap(buckets)
    assert bootstrap(buckets, redraws=40, seed=1) != bootstrap(buckets, redraws=40, seed=2)
    assert bootstrap(np.zeros(4, int)) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(1, 7), (5, 0), (0, 9), (30, 41), (525, 238), (4_900, 5_100), (5_000, 5_000)]
)
def test_mcnemar_is_the_two_sided_binomial(only_a, only_b):
    assert mcnemar(only_a, only_b) == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_mcnemar_by_hand():
    assert mcnemar(1, 7) == 2 * (1 + 8) / 2**8 == 0.0703125
    assert mcnemar(0, 0) == mcnemar(1, 1) == 1
    assert mcnemar(0, 10_000) == 0  # smaller than any float


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.9])).tolist() == [1, 1]
    adjusted = holm(np.random.default_rng(0).random(20) ** 4)
    order = np.argsort(np.random.default_rng(0).random(20))
    assert all(0 <= p <= 1 for p in adjusted)
    assert all(x <= y for x, y in pairwise(adjusted[order]))


def test_mean_gap_is_the_paired_interval():
    a, b = np.array([0.2, 0.4, 0.9, 0.1]), np.array([0.3, 0.1, 0.5, 0.1])
    mean, low, high = mean_gap(a, b)
    assert mean == pytest.approx(0.15)
    assert (low, high) == pytest.approx(stats.norm.interval(0.95, 0.15, stats.sem(a - b)))
