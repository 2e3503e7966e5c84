"""The time machine and the data map: numbers of the recording, and one slider that moves everything."""

import csv
import io

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from tests.callbacks import fired_in_process
from tests.dashboard.pages.test_slices import text


@pytest.fixture
def client(app):
    return fired_in_process(app)


@pytest.fixture
def run(app):
    return app.store.open("toy")


def machine(client, search):
    return client.fire("insights-epoch-graph.figure", "insights-epoch-near.data", insights_epoch_near__data=search)


def test_the_matrix_is_that_of_the_epoch(client, run):
    recording, labels = run.epochs("test"), run.predictions("test").labels
    for place, epoch in enumerate(recording.epochs.tolist()):
        status, answer = machine(client, f"?epoch={epoch}")
        assert status == 200
        guesses = recording.probabilities[place].argmax(1)
        counts = np.zeros((4, 4), int)
        np.add.at(counts, (labels, guesses), 1)
        written = next(t for t in answer["insights-epoch-graph"]["figure"]["data"] if t.get("mode") == "text")
        shown = np.zeros((4, 4), int)
        for truth, guess, words in zip(written["y"], written["x"], written["text"], strict=True):
            shown[run.classes.index(truth), run.classes.index(guess)] = int(words)
        assert shown.tolist() == counts.tolist()
        values = text(answer["insights-epoch-accuracy-values"]["tree"])
        assert f"{100 * counts[0, 0] / counts[0].sum():.1f}" in values


def test_the_slider_says_where_it_is(client, run):
    _, answer = client.fire("insights-epoch-place.data", "url.search", url__search="?epoch=1")
    assert answer["insights-epoch-place"]["data"] == {"last": 2, "at": 0}
    right = int(run.epochs("test").right[0].sum())
    assert f"{right:,} of 400" in text(answer["insights-epoch-said"]["tree"])
    _, answer = client.fire("insights-epoch-place.data", "url.search", url__search="")
    assert answer["insights-epoch-place"]["data"] == {"last": 2, "at": 2}
    _, answer = client.fire("insights-epoch-place.data", "url.search", url__search="?split=reference")
    assert "not recorded" in text(answer["insights-epoch-bar-face"]["children"])


def test_the_lasso_of_the_data_map_selects_among_all(client, run):
    recording, ids = run.epochs("test"), run.predictions("test").ids
    outline = ((-1, -1), (51, -1), (51, 50), (-1, 50))
    selection = Selection(lasso=Lasso("data-map", outline))
    assert ids[run.mask(selection)].tolist() == ids[recording.mean <= 0.5].tolist()
    status, answer = client.fire(
        "insights-datamap-graph.figure", "insights-datamap-near.data", insights_datamap_near__data=selection.query()
    )
    assert status == 200
    drawn = answer["insights-datamap-graph"]["figure"]
    assert len(drawn["data"][0]["x"]) == 400
    assert sorted(drawn["data"][0]["y"]) == pytest.approx(sorted(100 * recording.mean), abs=0.006)
    words = text(answer["insights-datamap-note"]["tree"])
    assert f"{int(recording.never.sum()):,}" in words
    early = Selection(epoch=1, outcome=("wrong",))
    _, answer = client.fire(
        "insights-datamap-graph.figure", "insights-datamap-near.data", insights_datamap_near__data=early.query()
    )
    wrong = int((~recording.right[0]).sum())
    assert f"Open {wrong:,} in the gallery" in str(answer["insights-datamap-open"])
    assert wrong != int((~recording.right[-1]).sum()), "else nothing is seen here"


def test_the_recording_as_a_table(app, run):
    answer = app.server.test_client().get("/export/data-map.csv").get_data(as_text=True)
    rows, recording = list(csv.DictReader(io.StringIO(answer))), run.epochs("test")
    assert [int(row["example_id"]) for row in rows] == run.predictions("test").ids.tolist()
    assert [float(row["variability"]) for row in rows] == pytest.approx(recording.spread.tolist(), abs=1e-6)
    lost = [(recording.right[:-1] & ~recording.right[1:])[:, i].sum() for i in range(len(rows))]
    assert [int(row["times forgotten"]) for row in rows] == lost


def test_one_slider_moves_everything(page, live_server, idle):
    page.goto(f"{live_server}/insights")
    page.wait_for_function(idle)
    slider = page.get_by_role("slider", name="As answered after epoch")
    expect(slider).to_have_value("2")
    slider.focus()
    slider.press("Home")
    page.wait_for_function("() => location.search === '?epoch=1'")
    expect(page.locator("#selection-chips")).to_contain_text("1")
    expect(page.get_by_label("Predicted", exact=True)).to_be_checked()
    page.locator("#insights-epoch-card").scroll_into_view_if_needed()
    page.wait_for_function(idle)
    expect(page.locator("#insights-epoch-change")).to_contain_text("From here to the end")
    page.get_by_role("button", name="To the end").click()
    expect(slider).to_have_value("2")
    page.wait_for_function("() => location.search === ''")
    page.go_back()
    expect(slider).to_have_value("0")
    page.wait_for_function(idle)  # nothing is asked of a server that is gone
