import numpy as np
import pytest

from dashboard.selection import Lasso, Selection
from dashboard.store import Missing, Store


@pytest.fixture
def store(toy_home, no_artifacts):
    return Store(no_artifacts, toy_home)


@pytest.fixture
def run(store):
    return store.open(None)


def test_the_default_is_the_newest_when_nothing_ships(store):
    assert store.default_run() == "toy"
    assert [entry.run_id for entry in store.runs()] == ["toy"]
    with pytest.raises(Missing):
        store.open("nothing")


def test_no_run_names_the_command_that_makes_one(no_artifacts, tmp_path):
    with pytest.raises(Missing) as caught:
        Store(no_artifacts, tmp_path / "empty").open(None)
    assert caught.value.command.startswith("python -m ml train")


def test_a_new_run_is_seen_without_a_restart(store, home, no_artifacts):
    live = Store(no_artifacts, home)
    assert live.default_run() == "toy"
    (home / "runs" / "broken").mkdir()
    assert {entry.run_id: entry.ok for entry in live.runs()} == {"toy": True, "broken": False}


def test_masks_by_hand(run):
    p = run.predictions("test")
    first, second = run.classes[:2]
    cases = {
        "": p.labels != p.predicted,
        "?outcome=wrong&outcome=right": np.ones(400, bool),
        "?outcome=right": p.labels == p.predicted,
        f"?true={first}": p.labels == 0,
        f"?true={first}&true={second}": p.labels < 2,
        f"?true={first}&pred={second}": (p.labels == 0) & (p.predicted == 1),
        f"?true={first}&outcome=wrong": (p.labels == 0) & (p.predicted != 0),
        "?conf=0.25-0.50": (p.probabilities.max(1) >= 0.25) & (p.probabilities.max(1) <= 0.5),
        "?ids=3,5,399,4000": np.isin(p.ids, [3, 5, 399]),
        "?true=NoSuchClass": np.zeros(400, bool),
    }
    for search, expected in cases.items():
        assert np.array_equal(run.mask(Selection.parse(search)), expected), search


def test_lasso_finds_the_points_inside(run):
    points = run.projection("test")[["map_x", "map_y"]].to_numpy()
    low, high = np.percentile(points, [30, 70], axis=0)
    box = Lasso("map", ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])))
    inside = ((points > low) & (points < high)).all(1)
    found = run.mask(Selection.parse(Selection(lasso=box).query()))
    assert (found != inside).sum() <= 1  # a point on the rounded edge


def test_a_matrix_counts_under_every_chip_but_its_own(run):
    p = run.predictions("test")
    whole = run.confusion(Selection())
    assert whole.sum() == 400
    assert np.array_equal(run.confusion(Selection(true=("Bar 0",), pred=("Bar 1",), outcome=("wrong",))), whole)
    sure = run.confusion(Selection(conf=(0.5, 1.0)))
    assert sure.sum() == (p.probabilities.max(1) >= 0.5).sum()


def test_distribution_counts_under_every_chip_but_predicted(run):
    p = run.predictions("test")
    guesses, truths = run.distribution(Selection(true=("Bar 0",), pred=("Bar 1",)))
    assert truths.tolist() == [100, 0, 0, 0]
    assert guesses.tolist() == np.bincount(p.predicted[p.labels == 0], minlength=4).tolist()
    assert [counts.sum() for counts in run.distribution(Selection(), whole=True)] == [400, 400]


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("j", range(4))
def test_a_cells_number_is_its_selections_number(run, i, j):
    selection = Selection().cell(run.classes[i], run.classes[j])
    assert run.mask(selection).sum() == run.confusion(selection)[i, j] == len(run.ordered(selection))


def test_order_of_the_gallery(run):
    p = run.predictions("test")
    everything = Selection(outcome=("wrong", "right"))
    sure = run.ordered(everything)
    wrong = ~p.right[sure]
    assert wrong[: wrong.sum()].all()
    assert (np.diff(p.confidence[sure[: wrong.sum()]]) <= 0).all()
    assert (np.diff(p.confidence[run.ordered(everything.with_(sort="unsure"))]) >= 0).all()
    assert p.ids[run.ordered(everything.with_(sort="id"))].tolist() == list(range(400))


def test_neighbours_and_pictures(run):
    frame = run.neighbours("test", 7)
    assert frame["rank"].tolist() == list(range(1, 11))
    assert run.picture("test", 7).shape == (28, 28, 1)
    with pytest.raises(Missing):
        run.picture("test", 4_000)
