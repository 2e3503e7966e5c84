"""Saved slices: what is written, what another process reads, what the mask makes of it."""

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.records.rows import Declined
from dashboard.records.slices import Slices
from dashboard.services.jobs import Jobs
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing, Run
from ml.stats.failure_modes import MADE, TAGS
from ml.stats.metrics import split_metrics
from ml.system import database


@pytest.fixture
def jobs(tmp_path, no_artifacts):
    return Jobs(tmp_path / "own", artifacts=no_artifacts)


@pytest.fixture
def slices(jobs):
    return Slices(database.opener(jobs.home))


def save(slices, name="Dark shirts", ids=(9, 3, 5), **more):
    return slices.save("bars", name, {"test": ids, "validation": []}, rule="brightness ≤ 0.2", run="toy", **more)


def test_a_saved_slice_is_there_for_every_process(slices, jobs):
    saved = save(slices)
    again = Slices(database.opener(jobs.home)).get(saved.key)
    assert again == saved
    assert (again.name, again.members, again.rule, again.run) == (
        "Dark shirts", {"test": [3, 5, 9], "validation": []}, "brightness ≤ 0.2", "toy",
    )  # fmt: skip
    assert [one.name for one in slices.all("bars")] == ["Dark shirts"]
    assert slices.all("other") == []


def test_a_name_is_one_slice(slices):
    first, second = save(slices), save(slices, ids=(1,))
    assert (first.number, second.members["test"]) == (second.number, [1])
    other = save(slices, "Bright  ones")
    assert other.name == "Bright ones"
    with pytest.raises(Declined, match="Another slice"):
        slices.rename(other.key, "Dark shirts")
    assert slices.rename(other.key, "Pale ones").key == other.key
    assert [one.name for one in slices.all("bars")] == ["Pale ones", "Dark shirts"]


def test_a_removed_slice_is_gone_and_its_key_never_comes_back(slices):
    gone = slices.remove(save(slices).key)
    assert slices.get(gone.key) is None
    assert save(slices).key != gone.key
    with pytest.raises(Declined):
        slices.rename(gone.key, "x")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x07b", None, ["a"], 3])
def test_refused_names(slices, name):
    with pytest.raises(Declined):
        save(slices, name)


@pytest.mark.parametrize("key", ["saved-", "saved-x", "saved-٣", "saved-99999999999", "3", "saved-1"])
def test_what_is_no_slice(slices, key):
    assert slices.get(key) is None


def test_no_empty_slice_and_none_where_nothing_may_be_written(slices, jobs):
    with pytest.raises(Declined, match="image"):
        save(slices, ids=())
    with pytest.raises(Declined, match="read-only"):
        save(Slices(database.opener(jobs.home), read_only=True))


@pytest.fixture
def store(home, no_artifacts, jobs, slices):
    return Store(no_artifacts, home, slices=slices)


def test_slices_narrow_what_is_shown(store, slices):
    run = store.open("toy")
    ids = run.predictions("test").ids
    saved = slices.save(run.dataset["name"], "Mine", {"test": ids[[4, 2]].tolist()}, rule="", run="toy")
    other = slices.save("another", "Theirs", {"test": ids[:9].tolist()}, rule="", run="toy")

    def shown(**chips):
        return ids[run.mask(Selection(**chips))].tolist()

    assert shown(slice=(saved.key,)) == sorted(ids[[4, 2]].tolist())
    assert shown(slice=(other.key,)) == []
    weak = run.slices("test").iloc[0]
    assert len(shown(slice=(weak["slice"],))) == weak["n"]
    both = shown(slice=(saved.key, weak["slice"]))
    assert both == sorted({*shown(slice=(saved.key,)), *shown(slice=(weak["slice"],))})
    wrong = ~run.predictions("test").right
    assert shown(slice=(weak["slice"],), outcome=("wrong",)) == [
        i for i in shown(slice=(weak["slice"],)) if wrong[run.predictions("test").row(i)]
    ]
    assert run.slice_name(weak["slice"]) == weak["name"]
    assert (run.slice_name(saved.key), run.slice_name("nothing")) == ("Mine", "nothing")


def test_tags_narrow_what_is_shown(store):
    run = store.open("toy")
    predictions = run.predictions("test")
    for tag in set(TAGS) - {"runs-disagree", "suspected-label"}:
        mask = run.mask(Selection(tag=(tag,)))
        assert predictions.ids[mask].tolist() == run.tagged("test", tag).tolist()
    table = run.run.table("tags")
    for tag in MADE:
        mine = table[(table["split"] == "test") & (table["tag"] == tag)]["example_id"]
        assert run.tagged("test", tag).tolist() == sorted(mine)
    assert not run.mask(Selection(tag=("nothing",))).any()
    with pytest.raises(Missing, match="comparison"):
        run.tagged("test", "runs-disagree")
    with pytest.raises(Missing) as missing:
        run.tagged("test", "suspected-label")
    assert missing.value.command.endswith("--only label_issues")


def test_a_run_during_training(store):
    run = store.open("toy")
    recording, predictions = run.epochs("test"), run.predictions("test")
    assert recording.epochs.tolist() == [1, 2]
    first = run.during(1)
    assert (first.epoch, run.during(900).epoch, run.during(None)) == (1, 2, run)
    early = first.predictions("test")
    assert early.right.tolist() == recording.right[0].tolist()
    assert np.allclose(early.probabilities.sum(1), 1, atol=1e-5)
    assert first.confusion(Selection()).sum() == len(predictions.ids)
    assert first.confusion(Selection()).diagonal().sum() == recording.right[0].sum()
    assert first.predictions("reference").ids.tolist() == run.predictions("reference").ids.tolist()
    best = run.manifest["best_epoch"]
    assert (run.during(best).predictions("test").predicted == predictions.predicted).all()
    with pytest.raises(Missing, match="choose test"):
        run.epochs("reference")


def test_scores_after_an_epoch_are_counted_from_its_probabilities(store):
    run = store.open("toy")
    for epoch in (1, 2):
        predictions = run.during(epoch).predictions("test")
        scores = run.during(epoch).scores("test")
        assert scores.equals(
            split_metrics("test", predictions.labels, predictions.probabilities, run.manifest["config"]["seed"])
        )
        whole = scores[scores["class"].isna()].set_index("metric")
        assert whole.loc["accuracy", "value"] == run.epochs("test").right[epoch - 1].mean()
        assert (whole["low"] < whole["high"]).all()
    assert not run.during(1).scores("test").equals(run.during(2).scores("test"))
    assert run.during(1).scores("reference").equals(run.scores("reference"))  # of what it learned from, nothing is kept


def test_the_calibration_errors_interval_is_that_of_its_own_noun(store, monkeypatch):
    run = store.open("toy")
    table_of = Run.table
    known = run.calibration().copy()
    rows = (known["scaling"] == "none") & (known["metric"] == "calibration_error") & (known["split"] == "test")
    known.loc[rows, ["low", "high"]] = [0.0125, 0.0625]
    monkeypatch.setattr(Run, "table", lambda self, noun: known if noun == "calibration" else table_of(self, noun))
    for split, ends in (("test", [0.0125, 0.0625]), ("validation", None)):
        table = run.scores(split)
        table = table[table["class"].isna()].set_index("metric")
        if ends:
            assert table.loc["calibration_error", ["low", "high"]].tolist() == ends
        assert table.loc["accuracy", "low"] < table.loc["accuracy", "high"]
    raw = run.run.table("scores")
    assert run.scores("validation").equals(raw[raw["split"] == "validation"])


def test_forgotten_by_hand(store):
    from dashboard.data.arrays import Recording

    right = np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 1, 0]], bool)
    nothing = np.zeros(4, np.float32)
    recording = Recording(np.array([1, 4, 9]), np.zeros((3, 4, 2), np.uint8), np.arange(4), right, nothing, nothing)
    assert recording.forgotten.tolist() == [2, 0, 0, 1]
    assert recording.never.tolist() == [False, True, False, False]
    assert [recording.nearest(e) for e in (1, 2, 3, 6, 7, 99)] == [1, 1, 4, 4, 9, 9]


def test_the_data_map_is_drawn_on_in_percent(store):
    from dashboard.state.values import Lasso

    run = store.open("toy")
    points = run.plane("test", "data-map")
    recording = run.epochs("test")
    assert points[:, 0] == pytest.approx(100 * recording.spread)
    lasso = Lasso("data-map", ((-1, 50), (60, 50), (60, 101), (-1, 101)))
    mask = run.mask(Selection(lasso=lasso))
    assert mask.tolist() == (recording.mean > 0.5).tolist()
    assert Selection.parse(Selection(lasso=lasso).query()).lasso == lasso
