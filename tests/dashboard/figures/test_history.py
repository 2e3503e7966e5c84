"""The curves: what is drawn, where the axis ends, and that labels keep apart."""

import math

import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.figures import history
from dashboard.figures.history import LABEL
from dashboard.theme import palette

ROWS = {
    "epoch": [1, 2, 3],
    "train_loss": [0.6, 0.4, 0.3],
    "validation_loss": [0.5, 0.35, 0.31],
    "train_accuracy": [0.78, 0.86, 0.9],
    "validation_accuracy": [0.8, 0.88, 0.91],
}


def curves(*rows, **more):
    """The chart, checked by plotly."""
    return go.Figure(history.curves(*rows, **more))


def traces(figure):
    """Lines by their hover text's name."""
    named = {trace.hovertemplate.split("</b> ")[1].split(" ")[0]: trace for trace in figure.data if trace.hovertemplate}
    assert set(named) == {"train", "validation"}
    return named


@pytest.mark.parametrize("rows", [ROWS, pd.DataFrame(ROWS)])
def test_loss_is_drawn_as_it_is(rows):
    figure = curves(rows, measure="loss", mode="light")
    lines = traces(figure)
    assert list(lines["validation"].y) == [0.5, 0.35, 0.31]
    assert list(lines["train"].y) == [0.6, 0.4, 0.3]
    assert lines["train"].line.dash == "4px,3px"
    assert lines["validation"].line.color == palette("light").accent
    low, high = figure.layout.yaxis.range
    assert low == pytest.approx(0, abs=0.01)
    assert high >= 0.6
    assert (high - low) / figure.layout.yaxis.dtick <= 5.2


def test_accuracy_is_in_per_cent_with_a_band():
    ends = ([0.79, 0.87, 0.9], [0.81, 0.89, 0.92])
    figure = curves(ROWS, measure="accuracy", mode="dark", interval=ends, epochs=10)
    band = figure.data[0]
    assert list(band.x) == [1, 2, 3, 3, 2, 1]
    assert list(band.y) == [81, 89, 92, 90, 87, 79]
    assert band.fillcolor.endswith(",0.14)")
    assert figure.layout.xaxis.range[1] == 10
    assert list(figure.layout.xaxis.tickvals) == [1, 4, 7, 10]
    assert figure.layout.xaxis.ticktext[0] == "epoch 1"
    assert list(traces(figure)["validation"].customdata[2]) == ["91.0 %", "90.0 – 92.0"]


def test_the_last_values_stand_at_the_line_ends_and_apart():
    figure = curves(ROWS, measure="accuracy", mode="light", height=300)
    above, below = figure.layout.annotations
    assert (above.text, below.text) == ("val 91.0", "train 90.0")
    assert (above.x, above.y, below.y) == (3, 91.0, 90.0)
    low, high = figure.layout.yaxis.range
    pixels = (above.y - below.y) * (300 - 32) / (high - low) + above.yshift - below.yshift
    assert pixels == pytest.approx(LABEL, abs=0.5)


def test_labels_far_apart_stay_where_the_lines_end():
    rows = {**ROWS, "train_loss": [3.0, 2.5, 2.0]}
    assert [a.yshift for a in curves(rows, measure="loss", mode="light").layout.annotations] == [0, 0]


def test_before_the_first_epoch_there_is_a_sentence_and_no_made_up_scale():
    figure = curves({name: [] for name in ROWS}, measure="loss", mode="light", epochs=5)
    assert [a.text for a in figure.layout.annotations] == ["no finished epoch"]
    assert figure.layout.yaxis.showticklabels is False
    assert figure.layout.xaxis.range[1] == 5


def test_one_epoch_is_a_point_with_its_label():
    figure = curves({name: values[:1] for name, values in ROWS.items()}, measure="loss", mode="light")
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert list(points[0].y) == [0.6, 0.5]
    assert {a.text for a in figure.layout.annotations} == {"train 0.600", "val 0.500"}


def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="loss, accuracy"):
        curves(ROWS, measure="speed", mode="light")


def test_labels_of_a_hundred_percent_are_whole():
    """None above the chart, and the margin as wide as its longest word."""
    rows = {**ROWS, "train_accuracy": [0.9, 1.0, 1.0], "validation_accuracy": [0.9, 0.99, 1.0]}
    figure = curves(rows, measure="accuracy", mode="light", height=300)
    above, below = figure.layout.annotations
    assert {above.text, below.text} == {"val 100.0", "train 100.0"}
    assert above.yshift <= 1
    assert above.yshift - below.yshift == pytest.approx(LABEL)
    usual = curves(ROWS, measure="accuracy", mode="light").layout.margin.r
    assert figure.layout.margin.r == usual + 8


def test_what_nobody_told_is_not_drawn():
    """Of a run from elsewhere measures may be missing, wholly or of some epochs."""
    gaps = {**ROWS, "train_loss": [math.nan] * 3, "validation_loss": [0.5, math.nan, 0.3]}
    figure = curves(gaps, measure="loss", mode="light")
    lines = traces(figure)
    assert list(lines["train"].x) == []
    assert (list(lines["validation"].x), list(lines["validation"].y)) == ([1, 3], [0.5, 0.3])
    assert [note.text for note in figure.layout.annotations] == ["val 0.300"]
    ends = ([0.79, math.nan, 0.9], [0.81, math.nan, 0.92])
    gaps = {**ROWS, "validation_accuracy": [0.8, math.nan, 0.91]}
    figure = curves(gaps, measure="accuracy", mode="light", interval=ends)
    assert list(figure.data[0].x) == [1, 3, 3, 1]
    assert list(traces(figure)["validation"].customdata[1]) == ["91.0 %", "90.0 – 92.0"]
    nothing = {**ROWS, "train_loss": [math.nan] * 3, "validation_loss": [math.nan] * 3}
    assert [note.text for note in curves(nothing, measure="loss", mode="light").layout.annotations] == [
        "nobody told it"
    ]
