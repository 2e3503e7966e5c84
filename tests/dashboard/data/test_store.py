import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dashboard.analysis.robustness import perturbed
from dashboard.data.arrays import Predictions
from dashboard.data.run import RunData
from dashboard.data.store import Store
from dashboard.records.slices import Saved
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from dashboard.state.vocabulary import BUCKETS
from ml.artifacts.reader import Broken, Missing
from ml.artifacts.writer import add_nouns, sha256
from tests.conftest import TOY
from tests.faults.test_registry import change


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
        "?reject=0.60&outcome=wrong&outcome=right": p.probabilities.max(1) >= 0.6,
    }
    for search, expected in cases.items():
        assert np.array_equal(run.mask(Selection.parse(search)), expected), search


def test_ranges_of_confidence_hold_what_the_bins_of_the_calibration_error_hold(run):
    p = run.predictions("test")
    which = np.clip(np.ceil(p.confidence.astype(float) * 15).astype(int) - 1, 0, 14)
    for k in range(15):
        search = Selection(conf=(k / 15, (k + 1) / 15)).query()
        assert np.array_equal(run.mask(Selection.parse(search)), which == k), search


def test_tags_and_slices_are_chips_once_they_are_made(run, monkeypatch):
    monkeypatch.delitem(run.manifest["nouns"], "tags")
    with pytest.raises(Missing) as caught:
        run.mask(Selection(tag=("unsure",)))
    assert caught.value.command == "python -m ml evaluate toy --only tags"
    p, groups = run.predictions("test"), {"unsure": np.array([3, 5]), "flips": np.array([5, 399])}
    monkeypatch.setattr(run, "groups", lambda noun, split: groups)
    assert p.ids[run.mask(Selection(tag=("unsure", "flips")))].tolist() == [3, 5, 399]
    assert p.ids[run.mask(Selection(tag=("unsure",), slice=("flips",)))].tolist() == [5]
    assert not run.mask(Selection(slice=("unknown",))).any()


def test_the_mean_picture_is_the_mean(run):
    selection = Selection(true=run.classes[:1])
    pictures = run.pictures("test")
    assert np.allclose(run.mean_picture(selection), pictures.images[pictures.labels == 0].mean(0), atol=1e-9)
    with pytest.raises(Missing):
        run.mean_picture(Selection(true=("NoSuchClass",)))


def test_lasso_finds_the_points_inside(run):
    points = run.projection("test")[["map_x", "map_y"]].to_numpy()
    low, high = np.percentile(points, [30, 70], axis=0)
    box = Lasso("map", ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])))
    inside = ((points > low) & (points < high)).all(1)
    mask = run.mask(Selection.parse(Selection(lasso=box).query()))
    assert (mask != inside).sum() <= 1  # a point on the rounded edge


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


def test_panels_that_ask_for_the_same_selection_share_one_mask(run, monkeypatch):
    selection, drawn = Selection(true=("Bar 0",), conf=(0.5, 1.0)), []
    found = RunData._rows
    monkeypatch.setattr(RunData, "_rows", lambda self, *args: drawn.append(args) or found(self, *args))
    mask = run.mask(selection)
    assert run.mask(selection.with_(sort="id", page=2)) is mask  # nothing that narrows has changed
    assert run.ordered(selection) is run.ordered(replace(selection, sample=3))
    assert len(drawn) == 1
    assert run.confusion(selection) is run.confusion(selection.with_(true=("Bar 1",)))
    assert len(drawn) == 2
    with pytest.raises(ValueError, match="read-only"):
        mask &= False
    everything = selection.with_(outcome=("wrong", "right"))
    right = selection.with_(outcome=("right",))
    for one in (everything, right, selection.with_(split="validation"), replace(selection, conf=(0.25, 1.0))):
        assert np.array_equal(np.flatnonzero(run.mask(one)), found(run, one, ())), one
    assert np.array_equal(run.mask(Selection(true=["Bar 0"])), run.predictions("test").labels == 0)


def test_what_can_change_by_itself_is_counted_anew(store, run):
    selection = Selection(slice=("saved-1",), outcome=("wrong", "right"))
    assert not run.mask(selection).any()
    p = run.predictions("test")
    store.slices = SimpleNamespace(get=lambda key: Saved(1, TOY, "mine", "", "toy", {"test": (3, 5)}, 0.0))
    assert p.ids[run.mask(selection)].tolist() == [3, 5]


def test_distribution_is_what_its_images_say(run):
    p = run.predictions("test")
    for search in ("?true=Bar%200&outcome=wrong", "?true=Bar%200&true=Bar%202", "?pred=Bar%201&conf=0.40-0.90", ""):
        selection = Selection.parse(search)
        rows = run.rows(selection, without=("pred",))
        guesses, truths = run.distribution(selection)
        assert guesses.tolist() == np.bincount(p.predicted[rows], minlength=4).tolist(), search
        assert truths.tolist() == np.bincount(p.labels[rows], minlength=4).tolist(), search


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


@pytest.fixture(scope="module")
def two_runs(toy_home, tmp_path_factory):
    """A home with the toy run, `twin` on the same pictures with other weights, and `stranger` on other pictures."""
    from ml.pipeline import train
    from ml.training.config import TrainConfig

    home = tmp_path_factory.mktemp("two") / "home"
    shutil.copytree(toy_home, home)
    quick = {"model": "compact_cnn", "epochs": 1, "batch_size": 64, "augment": (), "threads": 1}
    for run_id, dataset in (("twin", TOY), ("stranger", "synthetic-3-28x28x1")):
        train(TrainConfig(dataset=dataset, seed=1, **quick), run_id=run_id, home=home, slow=False)
    return home


@pytest.fixture
def pair(two_runs, no_artifacts):
    return Store(no_artifacts, two_runs).compare(Selection(run="toy"))


@pytest.mark.parametrize("split", ["test", "validation", "reference"])
def test_four_buckets_add_up_and_open_as_many_images(two_runs, no_artifacts, split):
    store = Store(no_artifacts, two_runs)
    here = Selection(run="toy", against="twin", split=split)
    pair = store.compare(here)
    a, b = store.open("toy").predictions(split), store.open("twin").predictions(split)
    counts = pair.buckets()
    assert pair.n == counts.sum() == len(a.ids) > 0
    assert counts[1] - counts[2] == a.right.sum() - b.right.sum()
    for name, count in zip(BUCKETS, counts, strict=True):
        chosen = here.with_(bucket=(name,))
        assert len(pair.ordered(chosen)) == count
        assert store.open("toy").mask(chosen).sum() == count  # the same images on pages about one run
    assert set(pair.ids[pair.ordered(here)]) == set(a.ids[a.right != b.right])


def test_cells_of_the_difference_open_what_it_is_made_of(pair):
    first, second = pair.confusions(Selection())
    for i, truth in enumerate(pair.a.classes):
        for j, guess in enumerate(pair.a.classes):
            chosen = Selection().cell(truth, guess)
            assert pair.mask(chosen).sum() == first[i, j] + second[i, j]
    sure = Selection(bucket=("only-a", "only-b"))
    first, second = pair.confusions(sure)
    assert (first.diagonal().sum(), second.diagonal().sum()) == tuple(pair.buckets()[1:3])
    assert np.array_equal(pair.by_class(sure).sum(0), pair.buckets())
    assert pair.buckets(Selection(true=(pair.a.classes[0],))).tolist() == pair.by_class(Selection())[0].tolist()


def test_the_other_run_is_the_best_on_validation_of_those_on_the_same_images(two_runs, no_artifacts):
    store = Store(no_artifacts, two_runs)
    toy = store.open("toy")
    assert store.other(toy, None).run_id == "twin"
    assert store.other(toy, "toy").run_id == "twin"
    assert store.other(toy, "gone").run_id == "twin"
    assert store.other(toy, "stranger").run_id == "stranger"
    with pytest.raises(Missing, match="cannot be compared: one learned from"):
        store.compare(Selection(run="toy", against="stranger"))
    with pytest.raises(Missing, match="a comparison needs two") as caught:
        store.compare(Selection(run="stranger"))
    assert "--dataset synthetic-3-28x28x1" in caught.value.command


def test_only_shared_images_with_the_same_label_are_compared(pair):
    a, b = pair.a.predictions("test"), pair.b.predictions("test")
    fewer = Predictions(b.ids[5:], b.labels[5:].copy(), b.predicted[5:], b.probabilities[5:])
    fewer.labels[:2] = (fewer.labels[:2] + 1) % 4
    store = pair.a.store
    views = {"toy": a, "twin": fewer}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunData, "predictions", lambda self, split: views[self.run_id])
        patch.setattr(store, "keep", lambda key, make: make())
        shared = store.compare(Selection(run="toy", against="twin"))
        assert shared.ids.tolist() == a.ids[7:].tolist()
        assert shared.relabelled == 2
        assert np.array_equal(shared.answers.b, b.predicted[7:])


def test_order_of_a_comparison(pair):
    everything = Selection(bucket=BUCKETS)
    first, second = pair.probabilities()
    rows, labels = np.arange(pair.n), pair.answers.labels
    apart = np.abs(first[rows, labels] - second[rows, labels])
    assert (np.diff(apart[pair.ordered(everything)]) <= 0).all()
    unsure = np.minimum(first.max(1), second.max(1))
    assert (np.diff(unsure[pair.ordered(everything.with_(sort="unsure"))]) >= 0).all()
    assert pair.ordered(everything.with_(sort="id")).tolist() == rows.tolist()


def test_splits_cut_differently_are_told(pair):
    assert not pair.recut
    pair.b.dataset["seed"] = 99
    assert not pair.recut  # test is the same whatever the seed
    assert replace(pair, split="validation").recut


def test_charts_of_points_draw_the_same_share_of_each_label(store):
    run = store.open("toy")
    predictions = run.predictions("test")
    assert run.sketched("test").tolist() == list(range(len(predictions.ids))), "all of them fit"
    rows = run.sketched("test", 100)
    assert len(np.unique(rows)) == 100
    assert (np.diff(rows) > 0).all()
    shares = np.bincount(predictions.labels[rows]) / 100
    assert shares == pytest.approx(np.bincount(predictions.labels) / len(predictions.labels), abs=0.01)
    assert run.sketched("test", 100) is rows, "the same points each time"


def test_the_pictures_that_a_corruption_turned(home, no_artifacts):
    with pytest.raises(Missing) as caught:
        Store(no_artifacts, home).open("toy").robustness()
    assert caught.value.command == "python -m ml evaluate toy --only robustness"
    for ask in (
        lambda run: run.attacks(),
        lambda run: perturbed(run, "noise", 1),
        lambda run: perturbed(run, "pgd", 1),
    ):
        with pytest.raises(Missing) as caught:
            ask(Store(no_artifacts, home).open("toy"))
        assert caught.value.command == "python -m ml evaluate toy --only robustness"
    bare = Store(no_artifacts, home).open("toy")
    whole = bare.predictions("test")
    few, labels = whole.ids[7:11], whole.labels[7:11]
    other = (labels + 1) % 4
    cells = [("none", 0), ("noise", 1), ("noise", 2)]
    # the first is wrong as it is; noise turns the second, and more of it the last
    predicted = np.stack([labels, labels, labels]).astype(np.int16)
    predicted[:, 0], predicted[1:, 1], predicted[2, 3] = other[0], other[1], other[3]
    frame = pd.DataFrame(cells, columns=["corruption", "severity"])
    frame = frame.assign(split="test", level=0.1, n=4, correct=[3, 2, 1])
    curve = pd.DataFrame({"attack": ["fgsm", "pgd", "pgd"], "epsilon": [0, 0, 0.5 / 255], "n": 3, "correct": [2, 2, 1]})
    attacked = predicted[[0, 0, 2], 1:]
    curve.insert(0, "split", "test")
    answers = {"example_id": few, "predicted": predicted, "attacked_id": few[1:], "attacked": attacked}
    made = {"robustness": frame, "attacks": curve, "robustness_answers": answers}
    add_nouns(home / "runs" / "toy", bare.manifest, {noun: (data, 0.0) for noun, data in made.items()})
    run = Store(no_artifacts, home).open("toy")
    assert run.robustness()["correct"].tolist() == [3, 2, 1]
    assert run.attacks()["correct"].tolist() == [2, 2, 1]
    for name, degree, rows in (("noise", 1, [1]), ("noise", 2, [1, 3]), ("pgd", 0.5, [1, 3]), ("pgd", 0, [])):
        sample = perturbed(run, name, degree)
        assert sample.ids.tolist() == (few[1:] if name == "pgd" else few).tolist()
        assert sample.ids[sample.flipped].tolist() == few[rows].tolist()
        assert sample.worse[sample.flipped].tolist() == other[rows].tolist()
    for name, degree in (("noise", 3), ("noise", 1.5), ("fog", 1), ("pgd", 1), ("fgsm", 0.5)):
        with pytest.raises(Missing, match="not tried"):
            perturbed(run, name, degree)


@pytest.mark.parametrize("split", ["test", "validation", "reference"])
def test_the_matrix_of_a_whole_split_is_the_artifact(run, split, monkeypatch):
    predictions = run.predictions(split)
    expected = np.zeros((4, 4), np.int64)
    np.add.at(expected, (predictions.labels, predictions.predicted), 1)
    counted = run.confusion(Selection(split=split, conf=(0.0, 1.0)))
    assert counted.tolist() == expected.tolist()

    def refuse(*_, **__):
        raise AssertionError("counted anew")

    monkeypatch.setattr(RunData, "predictions", refuse)
    monkeypatch.setattr(RunData, "mask", refuse)
    whole = Selection(split=split, true=("Bar 1",), pred=("Bar 2",), outcome=("wrong",))
    assert run.confusion(whole).tolist() == expected.tolist(), "the matrix's own chips narrow nothing"
    assert not run.confusion(whole).flags.writeable
    with pytest.raises(AssertionError, match="counted anew"):
        run.confusion(Selection(split=split, conf=(0.5, 1.0)))
    monkeypatch.delitem(run.manifest["nouns"], "confusion")
    with pytest.raises(AssertionError, match="counted anew"):
        run.confusion(whole)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda frame: frame[:0], "calibration has no rows"),
        (lambda frame: frame.assign(metric="loss"), "cannot be used"),
    ],
    ids=["empty", "other-rows"],
)
def test_a_table_with_other_rows_than_a_runs_costs_that_run_alone(home, no_artifacts, edit, words):
    """Its columns are right. One such file made the table of all runs an error."""
    path = home / "runs" / "toy" / "calibration.parquet"
    edit(pd.read_parquet(path)).to_parquet(path)
    change(path.parent, lambda manifest: manifest["nouns"]["calibration"].update(sha256=sha256(path)))
    store = Store(no_artifacts, home)
    with pytest.raises(Broken, match=words):
        store.open("toy").temperature()
    assert "macro_f1" in store.headline(store.runs()[0])
