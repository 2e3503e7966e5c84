"""Two corruptions in three severities, and two runs' difference, by hand."""

import numpy as np
import pytest

from dashboard.figures.robustness import PALE, difference, heatmap
from dashboard.theme import palette

NAMES = ["Noise", "Blur"]
RIGHT, N = np.array([[90, 50, 10], [100, 75, 0]]), 100
HOVER = [["a", "b", "c"], ["d", "e", "f"]]


def traces(figure, kind):
    return [trace for trace in figure["data"] if trace["type"] == kind]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colour_is_the_share_that_is_wrong_and_the_number_what_is_right(mode):
    figure = heatmap(RIGHT, N, NAMES, HOVER, chosen=(1, 2), mode=mode)
    (cells,), (numbers,) = traces(figure, "heatmap"), traces(figure, "scatter")
    assert cells["z"] == [pytest.approx([0.1, 0.5, 0.9]), pytest.approx([0, 0.25, 1])]
    assert (cells["zmin"], cells["zmax"]) == (0, 1)  # the same for every run
    assert cells["text"] == HOVER
    assert cells["y"] == NAMES
    assert numbers["text"] == ["90.0", "50.0", "10.0", "100.0", "75.0", "0.0"]
    assert list(zip(numbers["y"], numbers["x"], strict=True))[3] == ("Blur", "1")
    assert figure["layout"]["yaxis"]["ticktext"] == NAMES  # every one of them
    (ring,) = figure["layout"]["shapes"]
    assert (ring["x0"], ring["x1"]) == pytest.approx((1.53, 2.47))
    assert ring["line"]["color"] == palette(mode).accent


def test_nothing_chosen_rings_nothing_and_nothing_asked_is_none_right():
    assert heatmap(RIGHT, N, NAMES, HOVER)["layout"]["shapes"] == []
    (cells,) = traces(heatmap(np.zeros((1, 3)), np.zeros((1, 3)), ["Noise"], HOVER[:1]), "heatmap")
    assert cells["z"] == [[1, 1, 1]]


def test_a_difference_is_symmetric_about_zero_and_pale_where_it_may_be_chance():
    gap = np.array([[0.2, -0.4, 0.0], [np.nan, 0.1, 0.05]])
    sure = np.array([[True, True, False], [False, True, False]])
    figure = difference(gap, sure, NAMES, HOVER)
    strong, pale = traces(figure, "heatmap")
    assert (strong["zmin"], strong["zmax"]) == (pale["zmin"], pale["zmax"]) == (-0.4, 0.4)
    assert strong["z"] == [[0.2, -0.4, None], [None, 0.1, None]]
    assert pale["z"] == [[None, None, 0.0], [None, None, 0.05]]
    assert (strong["opacity"], pale["opacity"]) == (1, PALE)
    (numbers,) = traces(figure, "scatter")
    assert numbers["text"] == ["+20.0", "−40.0", "0.0", "", "+10.0", "+5.0"]
