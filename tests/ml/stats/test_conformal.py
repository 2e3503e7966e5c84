"""Limits and sets against the definition written out, and what they promise on pictures that had no part in them."""

import math
from fractions import Fraction

import numpy as np
import pytest

from ml.stats.conformal import LEVELS, limit, sets


def drawn(n, seed):
    """Labels drawn from probabilities, and the probabilities as a network twice as sure would say them, float32."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 6))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(6, p=p) for p in true])
    said = np.exp(2 * logits)
    return (said / said.sum(1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("parts", [10, 20, 255])
def test_probabilities_that_are_alike_are_within_a_limit_that_they_are(parts, kind):
    """As votes of ten trees, or of int8: MAPIE 1.6.0 leaves them out in float32 (findings/sets-of-float32.sh)."""
    most = np.arange(parts // 2 + 1, parts + 1)
    said = (np.stack([most, parts - most], 1) / parts).astype(kind)
    labels = np.arange(len(most)) % 2
    scores = np.sort(1 - said.astype(float)[np.arange(len(most)), labels])
    for level in (0.5, 0.75, 0.9):
        place = int(np.ceil(round((len(most) + 1) * level, 9)))
        found = sets(said, limit(said, labels, level))
        held = found[np.arange(len(most)), labels].sum()
        assert held >= min(place, len(most))
        assert place > len(most) or held == (scores <= scores[place - 1]).sum()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [1, 8, 9, 10, 19, 99, 100, 1_000])
def test_the_limit_is_the_order_statistic_of_the_definition(level, n):
    probabilities, labels = drawn(n, n)
    scores = sorted(1 - float(row[label]) for row, label in zip(probabilities, labels, strict=True))
    place = math.ceil(Fraction(str(level)) * (n + 1))
    assert limit(probabilities, labels, level) == (1.0 if place > n else scores[place - 1])


def test_by_hand():
    # 1 − p of the labels: 0.5, 0.25, 0.125, 0.75; the ⌈5 × 0.6⌉ = 3rd smallest is 0.5
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25], [0.125, 0.875], [0.75, 0.25]])
    most = limit(probabilities, np.array([0, 0, 1, 1]), 0.6)
    assert most == 0.5
    asked = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.4, 0.3, 0.3]])
    assert sets(asked, most).tolist() == [[True, True, False], [True, False, False], [False, False, False]]
    assert sets(asked, 1.0).all(), "too few pictures for a level: every class"


@pytest.mark.parametrize("level", LEVELS)
def test_sets_hold_the_truth_as_often_as_asked_among_new_pictures(level):
    probabilities, labels = drawn(2_000, 1)
    most = limit(probabilities, labels, level)
    own = sets(probabilities, most)[np.arange(2_000), labels].sum()
    assert own == math.ceil(Fraction(str(level)) * 2_001), "no two scores are equal, so just as many as the place says"
    new, truth = drawn(4_000, 2)
    share = sets(new, most)[np.arange(4_000), truth].mean()
    # the coverage over many pictures is beta distributed around the level, and 4,000 of them are counted
    assert share == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) * (1 / 2_000 + 1 / 4_000)))


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, float("nan")])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match="a level lies between 0 and 1"):
        limit(*drawn(10, 0), level)
