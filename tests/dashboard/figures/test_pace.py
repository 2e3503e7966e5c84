"""Two runs' curves on one chart."""

import pytest

from dashboard.figures.history import LABEL
from dashboard.figures.pace import curves
from dashboard.theme import palette

A = {
    "epoch": [1, 2, 3],
    "seconds": [10.0, 12.0, 8.0],
    "train_loss": [0.6, 0.4, 0.3],
    "validation_loss": [0.5, 0.35, 0.31],
    "train_accuracy": [0.78, 0.86, 0.9],
    "validation_accuracy": [0.8, 0.88, 0.91],
}
B = {name: [2 * v if name == "seconds" else v for v in values][:2] for name, values in A.items()}


def lines(figure):
    return {trace["name"]: trace for trace in figure["data"] if "name" in trace}


def test_four_lines_in_two_colours():
    drawn = lines(curves(A, B, measure="loss", by="epoch", mode="light"))
    assert list(drawn) == ["A train", "A validation", "B train", "B validation"]
    assert drawn["A validation"]["y"] == [0.5, 0.35, 0.31]
    assert drawn["B validation"]["x"] == [1, 2]
    assert drawn["A validation"]["line"]["color"] == palette("light").run_a
    assert drawn["B validation"]["line"]["color"] == palette("light").run_b
    assert drawn["B train"]["line"]["dash"] == "4px,3px"
    assert drawn["A validation"]["text"][2] == "<b>0.310</b> A, validation loss<br>epoch 3"


def test_by_seconds_is_the_time_since_the_training_began():
    figure = curves(A, B, measure="accuracy", by="seconds", mode="dark")
    drawn = lines(figure)
    assert drawn["A train"]["x"] == [10, 22, 30]
    assert drawn["B train"]["x"] == [20, 44]
    assert drawn["B validation"]["text"][1] == "<b>88.0 %</b> B, validation accuracy<br>epoch 2, after 44 s"
    axis = figure["layout"]["xaxis"]
    assert axis["range"] == [0, 44]
    assert axis["ticktext"] == ["0 s", "15", "30"]
    assert figure["layout"]["yaxis"]["range"][1] == pytest.approx(100, abs=0.2)


def test_bands_rings_and_labels():
    ends = (([0.79, 0.87, 0.9], [0.81, 0.89, 0.92]), ([0.79, 0.87], [0.81, 0.89]))
    figure = curves(A, B, measure="accuracy", by="epoch", mode="light", best=(2, 2), intervals=ends)
    first, second = figure["data"][:2]
    assert first["y"] == [81, 89, 92, 90, 87, 79]
    assert second["x"] == [1, 2, 2, 1]
    rings = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert [(ring["x"], ring["y"]) for ring in rings] == [([2], [88]), ([2], [88])]
    assert [a["text"] for a in figure["layout"]["annotations"]] == ["A 91.0", "B 88.0"]


def test_labels_at_the_same_end_keep_apart():
    figure = curves(A, A, measure="loss", by="epoch", mode="light", height=300)
    one, other = figure["layout"]["annotations"]
    assert one["yshift"] - other["yshift"] == pytest.approx(LABEL)


def test_before_the_first_epoch_there_is_a_sentence():
    nothing = {name: [] for name in A}
    for by in ("epoch", "seconds"):
        figure = curves(nothing, nothing, measure="loss", by=by, mode="light")
        assert [a["text"] for a in figure["layout"]["annotations"]] == ["no finished epoch"]


@pytest.mark.parametrize("last", [3.0, 90.0, 130.0, 845.0, 5_000.0, 20_000.0, 400_000.0])
def test_ticks_of_time_are_few_and_round(last):
    long = {**A, "seconds": [last / 3] * 3}
    axis = curves(long, B, measure="loss", by="seconds", mode="light")["layout"]["xaxis"]
    assert 2 <= len(axis["tickvals"]) <= 5
    assert all(len(text) <= 6 for text in axis["ticktext"])


def test_refusals():
    with pytest.raises(ValueError, match="speed"):
        curves(A, B, measure="speed", by="epoch", mode="light")


def test_what_nobody_told_is_not_drawn():
    nan = float("nan")
    told = {**A, "seconds": [nan] * 3, "train_loss": [nan] * 3, "validation_accuracy": [nan, 0.88, nan]}
    ends = (([nan, 0.87, nan], [nan, 0.89, nan]), ([0.79, 0.87], [0.81, 0.89]))
    figure = curves(told, B, measure="accuracy", by="epoch", mode="light", best=(2, 2), intervals=ends)
    drawn = lines(figure)
    assert (drawn["A validation"]["x"], drawn["A validation"]["y"]) == ([2], [88])
    assert drawn["A validation"]["text"] == ["<b>88.0 %</b> A, validation accuracy<br>epoch 2"]
    assert figure["data"][0]["y"] == [89, 87]
    assert [a["text"] for a in figure["layout"]["annotations"]] == ["A 88.0", "B 88.0"]
    loss = curves(told, B, measure="loss", by="epoch", mode="light", best=(2, 2))
    assert lines(loss)["A train"]["x"] == []
    silent = {**A, "validation_loss": [nan] * 3}
    figure = curves(silent, silent, measure="loss", by="epoch", mode="light")
    assert [a["text"] for a in figure["layout"]["annotations"]] == ["nobody told it of validation"]
