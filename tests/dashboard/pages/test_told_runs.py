"""Two runs that scripts publish, side by side: how they learned, what was different, and what the gap can be put down
to."""

import shutil

import numpy as np
import pytest

from dashboard.analysis.claims import claim
from dashboard.analysis.comparison import changes
from dashboard.data.store import Store
from dashboard.shell import create_app
from dashboard.state.selection import Selection
from ml.data import load
from tests.callbacks import VIEW, fired_in_process
from tests.conftest import TOY, nothing_shipped
from tests.telling import here

RUNS = {  # name → settings, whether each epoch's seconds are told
    "slow": ({"lr": 0.1, "seed": 1, "num_workers": 2}, True),
    "quick": ({"lr": 0.4, "random_state": 1, "num_workers": 4}, True),
    "other": ({"lr": 0.1, "seed": 2, "num_workers": 2}, False),
    "again": ({"lr": 0.1, "seed": 1}, True),
    "silent": (None, True),
}


@pytest.fixture(scope="module")
def told(toy_home, tmp_path_factory):
    folder = tmp_path_factory.mktemp("told")
    home = shutil.copytree(toy_home, folder / "home")
    labels = load(TOY, home=home)["validation"].labels
    with pytest.MonkeyPatch.context() as patch:
        begin = here(patch, home)
        for number, (name, (settings, timed)) in enumerate(RUNS.items()):
            said = np.random.default_rng(number).dirichlet([1] * 4, len(labels))
            with begin(name, TOY, settings=settings) as run:
                for epoch in (1, 2, 3):
                    run.epoch(epoch, loss=1 / epoch, val_loss=2 / epoch, **({"seconds": 5} if timed else {}))
                    run.predictions("validation", None, said, epoch=epoch)
    return nothing_shipped(folder), home


def pair(told, a, b):
    return Store(*told).compare(Selection(run=a, against=b, split="validation"))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("slow", "quick", "The learning rate alone differs of what their scripts told: one training each"),
        ("slow", "other", "Only the seed differs of what their scripts told"),
        ("quick", "other", "Two settings differ of what their scripts told (learning rate and seed)"),
        ("slow", "again", "No setting differs of those that their scripts told"),
        ("slow", "silent", "How one of the two was trained is not known here"),
        ("slow", "toy", "How one of the two was trained is not known here"),
    ],
)
def test_the_gap_is_put_down_to_what_they_told(told, a, b, words):
    assert claim(pair(told, a, b)).sentence().startswith(words)


def test_what_was_different(told):
    lines, same = changes(pair(told, "slow", "quick"))
    assert lines[:2] == [("Learning rate", "0.1", "0.4"), ("Num workers", "2", "4")]
    assert same == 1
    lines, same = changes(pair(told, "slow", "toy"))  # of a run that was trained here, what both have
    assert [line for line in lines if line[0] in ("Learning rate", "Seed", "Num workers")] == [
        ("Learning rate", "0.1", lines[0][2]),
        ("Seed", "1", "7"),
    ]
    assert same == 0


def test_how_they_learned(told):
    app = create_app(told[0], home=told[1])
    client = fired_in_process(app)

    def drawn(search, by):
        values = {"url.search": search, "app-view-state.data": search, "comparison-pace-select.value": by}
        status, answer = client.fire_with("comparison-pace-loss-graph.figure", VIEW, values)
        assert status == 200
        figure = answer["comparison-pace-loss-graph"]["figure"]
        return {one["name"]: one for one in figure["data"] if "name" in one}, answer["comparison-pace-note"]["children"]

    lines, note = drawn("?run=slow&against=quick&split=validation", "seconds")
    assert lines["A train"]["x"] == lines["B validation"]["x"] == [5, 10, 15]
    assert lines["B validation"]["y"] == pytest.approx([2, 1, 2 / 3])
    assert note.startswith("A: 3 epochs in 15 s, as ")
    lines, note = drawn("?run=slow&against=other&split=validation", "seconds")
    assert lines["A train"]["x"] == [1, 2, 3]
    assert "How long each epoch of B took was not told" in note
    _, note = drawn("?run=slow&against=toy&split=validation", "epoch")
    assert "2 epochs over" in note
    head, *rows = (
        app.server.test_client().get("/export/pace.csv?run=slow&against=toy&split=validation").text.splitlines()
    )
    assert len(rows) == 5
    assert len({len(row.split(",")) for row in [head, *rows]}) == 1
