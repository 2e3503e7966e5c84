"""Images without labels on every page, in every table and over HTTP: shown, decided of, and in no score."""

import csv
import io
import secrets
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dashboard import pages
from dashboard.analysis import to_label
from dashboard.data.arrays import NOT_SCORED, NoLabels
from dashboard.data.run import shared_out
from dashboard.data.store import Store
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import NO_LABEL, SCORED, UNLABELLED
from ml.data import load
from ml.data.corrections import read
from ml.publishing import dataset_export
from tests.callbacks import fired_in_process
from tests.unlabelled import FIRST, NAME, RUN

N = 45
HERE = Selection(run=RUN, split=UNLABELLED)
# tables that are about right and wrong, about a second run, or about what this run has not
SCORING = {"calibration", "confusion", "data-map", "scores", "slices", "accuracy", "modes"}


@pytest.fixture
def kept(without_and_with_unlabelled):
    """Two homes with the same training: without and with images that nobody has labelled. Do not write to them."""
    return without_and_with_unlabelled


@pytest.fixture
def own(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept[1], tmp_path / "own"))


@pytest.fixture
def app(own, no_artifacts, no_worker):
    return create_app(no_artifacts, home=own)


@pytest.fixture
def run(kept, no_artifacts):
    return Store(no_artifacts, kept[1]).open(RUN)


def rows(client, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.text[:200])
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_no_number_of_a_labelled_split_knows_of_them(kept, no_artifacts):
    first, second = (Store(no_artifacts, home).open(RUN) for home in kept)
    for split in SCORED:
        assert first.scores(split).equals(second.scores(split))
        selection = Selection(run=RUN, split=split)
        np.testing.assert_array_equal(first.confusion(selection), second.confusion(selection))
        np.testing.assert_array_equal(first.predictions(split).probabilities, second.predictions(split).probabilities)
        np.testing.assert_array_equal(first.ordered(selection), second.ordered(selection))
    assert first.calibration().equals(second.calibration())
    assert first.conformal().equals(second.conformal())
    assert (first.has_unlabelled, second.has_unlabelled) == (False, True)


def test_whatever_asks_for_a_label_is_told_that_there_is_none(run):
    predictions = run.predictions(UNLABELLED)
    assert len(predictions.ids) == N
    assert predictions.label(0) is None
    asked = [
        lambda: predictions.labels,
        lambda: predictions.right,
        lambda: run.scores(UNLABELLED),
        lambda: run.confusion(HERE),
        lambda: run.epochs(UNLABELLED),
        lambda: run.label_issues(UNLABELLED),
        lambda: run.slices(UNLABELLED),
    ]
    for ask in asked:
        with pytest.raises(NoLabels, match="not scored"):
            ask()
    assert run.reviewed("reviewed").predictions(UNLABELLED) is predictions
    assert run.during(1).predictions(UNLABELLED) is predictions


def test_filters_by_truth_match_none_and_others_hold(run):
    name = run.classes[int(run.without_labels().predicted[0])]
    assert run.mask(HERE).all()  # and not the mistakes, which there are none of
    assert not run.mask(HERE.with_(true=(name,))).any()
    assert not run.mask(HERE.with_(outcome=("wrong",))).any()
    assert not run.mask(HERE.with_(bucket=("both",))).any()
    assert not run.mask(HERE.with_(tag=("top-2",))).any()
    assert run.mask(HERE.with_(pred=(name,))).sum() == (run.without_labels().predicted == run.classes.index(name)).sum()
    assert run.mask(HERE.with_(tag=("near-duplicate",))).sum() >= 2  # two are copies of test pictures
    assert run.mask(HERE.with_(ids=(FIRST, FIRST + 1))).sum() == 2


def test_another_split_lets_go_of_what_is_about_labels():
    here = Selection(split="test", true=("a",), pred=("b",), outcome=("wrong",), epoch=3, labels="reviewed", ids=(1,))
    there = here.of_split(UNLABELLED)
    assert (there.split, there.pred) == (UNLABELLED, ("b",))
    assert (there.true, there.outcome, there.epoch, there.labels, there.ids) == ((), (), None, None, ())
    assert here.of_split("validation").true == ("a",)
    assert HERE.with_(sort="diverse").of_split("test").sort == "confident"
    assert Selection.parse(HERE.query()) == HERE
    assert Selection(split=UNLABELLED).outcomes == ()


def test_what_to_label_next(run):
    known = run.without_labels()
    for sort, first in (
        ("unsure", known.confidence.argmin()),
        ("unlike", known.unlike.argmax()),
        ("diverse", known.diverse.argmin()),
    ):
        order = to_label.rows(run, HERE.with_(sort=sort))
        assert order[0] == first
        assert sorted(order.tolist()) == list(range(N))
    assert to_label.rows(run, HERE)[0] == known.confidence.argmin()
    assert FIRST + 42 in known.ids[to_label.rows(run, HERE.with_(sort="unlike"))][:12]  # noise


def test_expected_counts_sum_to_what_there_is():
    assert shared_out(10, np.array([0.5, 0.25, 0.25])).tolist() == [5, 3, 2]
    assert shared_out(0, np.array([0.5, 0.5])).tolist() == [0, 0]
    assert shared_out(7, np.zeros(2)).tolist() == [0, 0]


def test_every_table_answers_or_says_why(app):
    client = app.server.test_client()
    nouns = {
        noun for name in pages.NAMES for noun in __import__(f"dashboard.pages.{name}", fromlist=["PAGE"]).PAGE.tables
    }
    listed = 0
    for noun in sorted(nouns):
        answer = client.get(f"/export/{noun}.csv?split=unlabelled&sample={FIRST}")
        assert answer.status_code in (200, 404), noun
        if noun in SCORING:
            assert NOT_SCORED in answer.json["error"], noun
        if answer.status_code == 200:
            listed += 1
            for row in csv.DictReader(io.StringIO(answer.text)):
                assert "nan" not in {str(cell).lower() for cell in row.values()}, noun
                for column in {"true", "label"} & set(row):
                    assert row[column] == NO_LABEL, noun
    assert listed >= 6
    selection = rows(client, "/export/selection.csv?split=unlabelled&sort=unsure")
    assert len(selection) == N
    confidence = [float(row["confidence"]) for row in selection]
    assert confidence == sorted(confidence)
    assert len(rows(client, "/export/queue.csv?split=unlabelled&sort=diverse")) == N
    assert len(rows(client, "/export/projection.csv?split=unlabelled")) == N
    expected = rows(client, "/export/distribution.csv?split=unlabelled")
    assert sum(int(row["as in train"]) for row in expected) == N
    assert "true" not in expected[0]


def test_every_document_answers(app):
    client = app.server.test_client()
    for address in ("report.html", "review-report.html", "projection.html"):
        answer = client.get(f"/export/{address}?split=unlabelled")
        assert answer.status_code == 200, address
        text = answer.text
        assert NO_LABEL in text, address
        assert "0 % right" not in text, address
    assert NOT_SCORED in client.get("/export/report.html?split=unlabelled").text
    assert "<h2>Confusion</h2>" not in client.get("/export/report.html?split=unlabelled").text
    assert "<h2>Confusion</h2>" in client.get("/export/report.html?split=test").text
    picture = client.get(f"/pictures/{NAME}/unlabelled/{FIRST}.png")
    assert (picture.status_code, picture.mimetype) == (200, "image/png")
    assert client.get(f"/sprites/{NAME}/unlabelled/{FIRST}-{FIRST + 3}.png").status_code == 200
    assert client.get(f"/explanations/{RUN}/unlabelled/{FIRST}.png?target=1&method=gradients").status_code == 200


def test_the_split_is_offered_where_there_is_one(kept, no_artifacts):
    for home, offered in zip(kept, (False, True), strict=True):
        client = fired_in_process(create_app(no_artifacts, home=home))
        for page in ("dashboard", "insights", "slices", "review"):
            status, made = client.fire(f"{page}-split.children", "url.search", url__search="")
            assert status == 200
            assert ("Unlabelled" in str(made)) == offered, page


def test_decisions_go_out_in_again_and_into_a_training(app, own, no_artifacts):
    client, services = app.server.test_client(), Store(no_artifacts, own)
    before = rows(client, "/export/scores.csv?labels=reviewed")
    guess = to_label.guesses(services.open(RUN))
    classes = services.open(RUN).classes
    other = next(name for name in classes if name != guess[FIRST + 1])

    def press(ids, action, **more):
        body = {
            "run": RUN,
            "split": UNLABELLED,
            "ids": ids,
            "action": action,
            "who": "Ada",
            "batch": secrets.token_hex(16),
        }
        answer = client.post("/api/v1/decisions", json={**body, **more})
        assert answer.status_code == 200, answer.text
        return answer.json["decisions"]

    first = press([FIRST, FIRST + 2], "keep")
    assert [one["after"] for one in first] == [guess[FIRST], guess[FIRST + 2]]
    assert {one["before"] for one in first} == {""}
    press([FIRST + 1], "relabel", label=other)
    press([FIRST + 3], "exclude")
    undone = client.post("/api/v1/decisions/undo", json={"run": RUN, "who": "Ada"}).json["decisions"]
    assert [one["id"] for one in undone] == [FIRST + 3]
    strange = {"run": RUN, "split": UNLABELLED, "ids": [3], "action": "keep", "batch": secrets.token_hex(16)}
    assert client.post("/api/v1/decisions", json=strange).status_code == 422  # it is of train

    log = client.get("/export/decisions.csv").text
    assert "(no label)" in log
    queue = {int(row["example_id"]): row for row in rows(client, "/export/queue.csv?split=unlabelled")}
    assert queue[FIRST + 1]["label now"] == other
    assert queue[FIRST + 3]["label now"] == NO_LABEL

    assert rows(client, "/export/scores.csv?labels=reviewed") == before  # scores know nothing of them
    fired = fired_in_process(app)
    status, made_ = fired.fire(
        "review-retrain-what.children", "review-view-state.data", review_view_state__data="?split=unlabelled"
    )
    assert status == 200
    assert "images that came without a label are learned from, too" in str(made_)
    pressed = {
        "review-retrain-start.n_clicks": 1, "review-retrain-recipe.value": "same", "review-retrain-twin.value": [],
        "url.search": "?split=unlabelled",
    }  # fmt: skip
    status, started = fired.fire_with("review-retrain-state.data", "review-retrain-start.n_clicks", pressed)
    assert (status, started["review-retrain-state"]["data"]["job"] is not None) == (200, True)
    names = [file.stem for file in (own / "labels").glob("*.json")]
    frozen = [read(own, name) for name in names]
    wanted = {example: classes.index(name) for example, name in
              ((FIRST, guess[FIRST]), (FIRST + 1, other), (FIRST + 2, guess[FIRST + 2]))}  # fmt: skip
    assert wanted in [dict(one.labelled) for one in frozen]
    learned = next(one for one in frozen if one.labelled).apply(load(NAME, home=own))
    assert len(learned["train"]) == 203
    assert len(learned[UNLABELLED]) == N - 3

    # the export has them in train, under their classes
    corrections = {(UNLABELLED, example): label for example, label in wanted.items()}
    found = list(dataset_export.pictures(load(NAME, home=own), corrections))
    where = {example: (split, label) for split, example, label, _ in found}
    assert {where[example] for example in wanted} == {("train", label) for label in wanted.values()}
    assert where[FIRST + 3] == (UNLABELLED, -1)
    assert len(list(dataset_export.pictures(load(NAME, home=own), corrections, "train"))) == 203
    assert len(list(dataset_export.pictures(load(NAME, home=own), corrections, UNLABELLED))) == N - 3
    packed = zipfile.ZipFile(io.BytesIO(client.get(f"/export/datasets/{NAME}.zip?labels=reviewed").data))
    assert f"train/{other}/{FIRST + 1:07d}.png" in packed.namelist()
    assert f"unlabelled/{FIRST + 3:07d}.png" in packed.namelist()


def test_decisions_of_a_file_are_taken_in(app, own, no_artifacts):
    from dashboard.exports import decisions_csv

    run = Store(no_artifacts, own).open(RUN)
    head = "dataset,split,example_id,action,before,after,who"
    lines = [f"{NAME},unlabelled,{FIRST},keep,(no label),{run.classes[3]},Ada"]
    text = "\n".join([head, *lines, f"{NAME},unlabelled,{FIRST + 1},exclude,,,", ""])
    first, second = decisions_csv.read(text, run)
    assert (first["before"], first["after"]) == ("", run.classes[3])  # what was predicted by whoever asked
    assert (second["before"], second["after"]) == ("", "")


def test_search_finds_one_by_its_number(app):
    found = app.server.test_client().get(f"/search?q=unlabelled+{FIRST}&here=%3Frun%3D{RUN}").json
    one = next(one for one in found if one["kind"] == "Image")
    assert (one["title"], one["more"].split(",")[0]) == (f"#{FIRST} of unlabelled", NO_LABEL)
    assert Selection.parse(one["search"]).split == UNLABELLED
