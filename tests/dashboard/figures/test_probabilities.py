import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.figures import probabilities
from dashboard.theme import class_colours, palette

NAMES = ("Boot", "Bag", "Coat")


def bars(*values, **more):
    """The chart, checked by plotly."""
    return go.Figure(probabilities.bars(*values, **more))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_bars_are_sorted_and_keep_their_class_colours(mode):
    figure = bars(np.array([0.2, 0.0, 0.8]), classes=NAMES, mode=mode)
    drawn = figure.data[1]
    assert [row[0] for row in drawn.customdata] == ["Coat", "Boot", "Bag"]
    assert list(drawn.x[:2]) == pytest.approx([0.8, 0.2])
    colours = class_colours(mode, 3)
    assert list(drawn.marker.color) == [colours[2], colours[0], colours[1]]
    assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert palette(mode).ink in figure.layout.yaxis.ticktext[0], "the answer's name is the strongest"


def test_values_stand_at_the_right_and_never_read_nought():
    figure = bars(np.array([0.9996, 0.0004, 0.0]), classes=NAMES, mode="light")
    assert [note.text for note in figure.layout.annotations] == ["<b>100.0</b>", "<0.1", "<0.1"]
    assert min(figure.data[1].x) > 0, "a sliver keeps a class visible"


def test_the_label_is_marked():
    figure = bars(np.array([0.2, 0.0, 0.8]), classes=NAMES, mode="light", truth=0)
    assert figure.layout.yaxis.ticktext[1] == "Boot ✓"


def test_the_chart_grows_with_the_classes():
    many = tuple(f"Class {i}" for i in range(13))
    figure = bars(np.full(13, 1 / 13), classes=many, mode="light")
    assert figure.layout.height == probabilities.height(13) > probabilities.height(10)
    assert [row[0] for row in figure.data[1].customdata] == list(many), "equals stay in class order"
    assert len(set(figure.data[1].marker.color)) == 13


def test_of_many_classes_the_likeliest_are_drawn_and_the_rest_is_one_bar():
    many = tuple(f"Class {i}" for i in range(1_000))
    chances = np.array([0.5, 0.2, *[0.3 / 998] * 998])
    figure = bars(chances, classes=many, mode="light", truth=900)
    drawn = figure.data[1]
    assert [row[0] for row in drawn.customdata[:2]] == ["Class 0", "Class 1"]
    assert [row[0] for row in drawn.customdata[-2:]] == ["Class 900", "989 others"]
    assert len(drawn.x) == probabilities.LISTED + 2
    assert sum(drawn.x[:1]) + drawn.x[1] + 9 * 0.3 / 998 + drawn.x[-1] == pytest.approx(1)
    assert figure.layout.height < probabilities.height(16)
    assert len(figure.to_json()) < 12_000
