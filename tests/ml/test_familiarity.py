"""Distances small enough to work out by hand."""

import numpy as np
import pandas as pd
import pytest

from ml.familiarity import LIMIT, RANKS, Reference, usual

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
