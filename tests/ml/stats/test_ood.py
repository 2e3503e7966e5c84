"""Distances small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from ml.stats.ood import LIMIT, RANKS, SHRINK, OodModel, Reference, learn, usual

# on a line: 0, 1, 2, … 9
IDS = np.arange(100, 110, dtype=np.int32)
LINE = np.stack([np.arange(10), np.zeros(10)], axis=1).astype(np.float16)


def test_score_is_the_mean_distance_to_the_nearest_five():
    assert RANKS == 5
    found = Reference(LINE, IDS, np.array([1.0, 2.0, 3.0, 4.0])).look_up(np.array([0.0, 0.0]))
    assert found.score == pytest.approx((0 + 1 + 2 + 3 + 4) / 5)
    assert found.neighbour_ids[:5].tolist() == [100, 101, 102, 103, 104]
    assert found.distances[:3].tolist() == [0.0, 1.0, 2.0]
    assert found.percentile == 25.0, "one of four is closer, equals are not"
    assert not found.unlike


def test_distance_is_euclidean():
    found = Reference(LINE, IDS, np.ones(1)).look_up(np.array([0.0, 3.0]))
    assert found.distances[0] == pytest.approx(3.0)
    assert found.distances[4] == pytest.approx(5.0), "3 up, 4 along"


def test_far_away_is_unlike():
    found = Reference(LINE, IDS, np.linspace(1, 3, 100)).look_up(np.array([0.0, 50.0]))
    assert found.percentile == 100.0 > LIMIT
    assert found.unlike


def test_a_point_is_compared_as_the_reference_is_stored():
    # half precision keeps 2049 as 2048; features past the stored width do not count
    found = Reference(np.full((6, 1), 2048, np.float16), IDS[:6], np.ones(1)).look_up(np.array([2049.0, 7.0]))
    assert found.score == 0.0


def test_fewer_references_than_ranks_still_answer():
    found = Reference(LINE[:2], IDS[:2], np.empty(0)).look_up(np.array([0.0, 0.0]))
    assert found.score == pytest.approx(0.5)
    assert found.percentile == 0.0
    assert found.n == 0


def test_usual_takes_one_split_and_the_first_ranks():
    rows = [("validation", e, r, e * 10 + r) for e in (1, 2) for r in range(1, 11)] + [("test", 1, 1, 999.0)]
    table = pd.DataFrame(rows, columns=["split", "example_id", "rank", "distance"])
    assert usual(table).tolist() == [13.0, 23.0]


def known(seed=0, n=400, d=6):
    """Three classes far apart, correlated within, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    mixed = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    return (mixed + 20 * labels[:, None]).astype(np.float32), labels


def test_the_score_is_the_mahalanobis_distance_to_the_nearest_class():
    from scipy.spatial.distance import mahalanobis

    statistics, labels = known()
    centres = [statistics[labels == c].mean(0) for c in range(3)]
    apart = statistics - np.array(centres)[labels]
    covariance = apart.T.astype(float) @ apart / len(apart)
    scale = np.sqrt(covariance.diagonal())
    covariance = (1 - SHRINK) * covariance + SHRINK * np.diag(scale**2)
    asked = np.concatenate([statistics[:5], statistics[:5] * 3])
    inverse = np.linalg.inv(covariance)
    wanted = [min(mahalanobis(x, c, inverse) ** 2 for c in centres) / 6 for x in asked]
    scores = OodModel(learn(statistics, labels)).scores(asked)
    assert scores == pytest.approx(wanted, rel=0.02), "kept at half precision"
    assert OodModel(learn(statistics, labels)).scores(statistics).mean() == pytest.approx(1, abs=0.05)


def test_what_was_prepared_again_is_known_too():
    statistics, labels = known()
    moved = statistics + np.array([0, 0, 0, 0, 0, 30], np.float32)
    alone = OodModel(learn(statistics, labels))
    both = OodModel(learn(statistics, labels, moved[:200], labels[:200]))
    assert alone.scores(moved[200:]).min() > 10
    assert both.scores(moved[200:]).mean() < 3
    assert both.scores(statistics).mean() < 3
    far = statistics + np.array([60, -60, 60, -60, 60, -60], np.float32)
    assert both.scores(far).min() > 9.5


def test_a_channel_that_never_changes_does_no_harm():
    statistics, labels = known()
    statistics[:, 2] = 7
    found = OodModel(learn(statistics, labels))
    assert np.isfinite(found.scores(statistics)).all()
    odd = statistics.copy()
    odd[:, 2] = 8
    assert (found.scores(odd) > found.scores(statistics)).all()


def test_arrays_that_do_not_fit_are_refused():
    arrays = learn(*known())
    for name, wrong in (("scale", np.ones(5, np.float32)), ("centre", np.zeros((0, 6), np.float32))):
        with pytest.raises(ValueError, match="do not fit"):
            OodModel({**arrays, name: wrong})
    with pytest.raises(ValueError, match="6 numbers, not 4"):
        OodModel(arrays).scores(np.zeros((1, 4), np.float32))


def test_the_percentile_is_among_validation_pictures():
    arrays = learn(*known())
    found = OodModel({**arrays, "validation": np.array([4, 1, 3, 2], np.float32)})
    assert found.n == 4
    assert [found.percentile(score) for score in (0.5, 1, 2.5, 9)] == [0, 0, 50, 100]
    assert OodModel(arrays).percentile(9) == 0, "nothing to read it against"
