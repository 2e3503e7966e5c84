"""Selections by index against the same chips looked at example by example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.analysis import confidence
from dashboard.data.arrays import Predictions
from dashboard.data.index import CellIndex, merged
from dashboard.data.store import Store
from dashboard.state.selection import Selection
from dashboard.state.values import exact

CLASSES, N = 4, 300
names = st.lists(st.sampled_from(range(CLASSES)), max_size=3, unique=True)
ends = st.integers(0, 20).map(lambda step: step / 20)


def toy(seed: int, left_out: float) -> Predictions:
    """Probabilities in twentieths, so that many are equally sure."""
    rng = np.random.default_rng(seed)
    probabilities = np.round(rng.dirichlet(np.ones(CLASSES), N).astype(np.float32) * 20) / np.float32(20)
    labels, guesses = rng.integers(CLASSES, size=N), probabilities.argmax(1)
    labels = np.where(rng.random(N) < 0.6, guesses, labels)
    return Predictions(np.arange(N, dtype=np.int32), labels, guesses, probabilities, rng.random(N) < left_out)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), names, names, st.sampled_from([None, True, False]), ends, ends, st.none() | ends)
def test_every_span_of_every_cell_in_order(seed, true, pred, right, low, high, reject):
    p = toy(seed, 0.1)
    index = CellIndex.of(p.labels * CLASSES + p.predicted, p.confidence, p.kept, CLASSES)
    assert len(index) == p.kept.sum()
    low, high = sorted((low, high))
    wide = p.confidence.astype(np.float64)
    expected = p.kept & (wide <= exact(high)) & ((wide > exact(low)) | (low == 0)) & (wide >= (reject or 0))
    if right is not None:
        expected &= p.right == right
    among = [np.isin(np.arange(CLASSES), chosen) if chosen else None for chosen in (true, pred)]
    for chosen, values in zip(among, (p.labels, p.predicted), strict=True):
        expected &= chosen[values] if chosen is not None else True
    pieces = index.ranked(*among, right, index.span((low, high), reject))
    assert all((np.diff(piece) > 0).all() for piece in pieces)
    rows = index.by_rank[merged(pieces)]
    places = np.flatnonzero(expected)
    assert rows.tolist() == places[np.argsort(-p.confidence[places], kind="stable")].tolist()


QUERIES = (
    "", "?outcome=wrong&outcome=right", "?outcome=right", "?true={0}&pred={1}", "?true={0}&true={1}&outcome=wrong",
    "?pred={2}&conf=0.30-0.80", "?reject=0.5&outcome=right&outcome=wrong", "?ids=1,3,5,77,399&outcome=wrong",
    "?tag=near-boundary", "?true={0}&ids=0,1,2,3,4,5,6,7,8", "?conf=0.10-0.90&sort=unsure", "?true=Nothing",
)  # fmt: skip


@pytest.mark.parametrize("split", ["test", "validation", "reference"])
def test_rows_counts_masks_and_orders_agree(toy_home, no_artifacts, split):
    run = Store(no_artifacts, toy_home).open(None)
    p = run.predictions(split)
    everything = np.arange(len(p.ids))
    for query in QUERIES:
        chosen = Selection.parse(query.format(*run.classes)).with_(split=split)
        for without in ((), ("true", "pred", "outcome"), ("conf", "outcome")):
            rows = run.rows(chosen, without=without)
            assert (np.diff(rows) > 0).all()
            assert run.count(chosen, without=without) == len(rows)
            assert np.flatnonzero(run.mask(chosen, without=without)).tolist() == rows.tolist()
            assert everything[run.holds(chosen, everything, without=without)].tolist() == rows.tolist(), query
        rows, order = run.rows(chosen), run.ordered(chosen)
        key = p.confidence[rows] if chosen.sort == "unsure" else -p.confidence[rows]
        late = np.zeros(len(rows)) if chosen.sort == "unsure" else p.right[rows]
        assert order.tolist() == rows[np.lexsort((key, late))].tolist(), query


def twentieth(sure):
    return np.clip(np.ceil(sure * 20).astype(int) - 1, 0, 19)


@pytest.mark.parametrize("split", ["test", "validation", "reference"])
@pytest.mark.parametrize("place", [twentieth, lambda sure: np.asarray(sure >= 0.5).astype(int)])
def test_what_is_counted_by_confidence_is_what_every_example_says(toy_home, no_artifacts, split, place):
    run = Store(no_artifacts, toy_home).open(None)
    p = run.predictions(split)
    for query in QUERIES:
        chosen = Selection.parse(query.format(*run.classes)).with_(split=split)
        for without in ((), ("conf", "tempered", "reject", "outcome")):
            n, right = run.spread(chosen, place, 20, without=without)
            rows = run.rows(chosen, without=without)
            places = place(p.confidence[rows].astype(np.float64))
            assert n.tolist() == [(places == k).sum() for k in range(20)], query
            assert right.tolist() == [((places == k) & p.right[rows]).sum() for k in range(20)], query


def test_a_cell_costs_what_it_holds(toy_home, no_artifacts, monkeypatch):
    """Once sorted, a chosen cell looks at no other example: what goes through all of them is not called."""
    run = Store(no_artifacts, toy_home).open(None)
    index = run.cell_index("test")
    chosen = Selection(true=(run.classes[0],), pred=(run.classes[0],))
    monkeypatch.setattr(type(run), "_passed", None)
    monkeypatch.setattr(CellIndex, "of", None)
    assert run.count(chosen) == len(run.ordered(chosen)) == len(run.rows(chosen))
    monkeypatch.setattr(type(run), "rows", None)
    assert confidence.histogram(run, chosen)["n"].sum() == run.count(chosen)
    assert confidence.answers(run, chosen).coverage.n == run.count(chosen)
    (piece,) = index.ranked(*(np.arange(len(run.classes)) == 0,) * 2, None, (0, len(index)))
    assert piece.base is index.ranks
    assert merged([piece]) is piece
