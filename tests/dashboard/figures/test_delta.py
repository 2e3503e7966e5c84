"""The matrix of what changed: signs, colours by what they speak for, and what can be clicked."""

import numpy as np
import pytest

from dashboard.figures.delta import heatmap, speaks, words
from dashboard.theme import palette

NAMES = ["Shirt", "Coat", "Bag"]
# where the two say different things: Shirts A gets right (+4 −1), A calls them Coat less often (1 − 5)
FIRST = np.array([[4, 1, 2], [0, 3, 0], [0, 0, 0]])
SECOND = np.array([[1, 5, 2], [0, 3, 0], [0, 0, 0]])


def cells(figure, opacity=None):
    """(truth, guess) → shade of every drawn cell of that opacity."""
    shades = {}
    for trace in figure["data"]:
        if trace["type"] == "heatmap" and (opacity is None or trace["opacity"] == opacity):
            for truth, row in zip(trace["y"], trace["z"], strict=True):
                shades |= {(truth, guess): z for guess, z in zip(trace["x"], row, strict=True) if z is not None}
    return shades


def numbers(figure):
    trace = figure["data"][-1]
    return dict(zip(zip(trace["y"], trace["x"], strict=True), trace["text"], strict=True))


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_numbers_are_a_minus_b_and_colour_says_for_whom_they_speak(mode):
    figure = heatmap(FIRST, SECOND, NAMES, mode=mode)
    assert numbers(figure) == {
        ("Shirt", "Shirt"): "+3",
        ("Shirt", "Coat"): "−4",
        ("Shirt", "Bag"): "±0",
        ("Coat", "Coat"): "±0",
    }
    shades = cells(figure)
    assert shades["Shirt", "Coat"] == 1  # fewer mistakes: for A, and the largest change
    assert shades["Shirt", "Shirt"] == pytest.approx((3 / 4) ** 0.5, abs=1e-4)
    assert shades["Shirt", "Bag"] == 0
    scale = figure["data"][0]["colorscale"]
    assert (scale[0][1], scale[-1][1]) == (palette(mode).run_b, palette(mode).run_a)
    assert (figure["data"][0]["zmin"], figure["data"][0]["zmax"]) == (-1, 1)


def test_swapping_the_runs_turns_every_sign():
    there, back = cells(heatmap(FIRST, SECOND, NAMES)), cells(heatmap(SECOND, FIRST, NAMES))
    assert all(there[cell] == -back[cell] for cell in there)
    assert np.array_equal(speaks(FIRST - SECOND), -speaks(SECOND - FIRST))


def test_every_cell_can_be_clicked_and_the_chosen_one_has_a_ring():
    assert set(cells(heatmap(FIRST, SECOND, NAMES))) == {(a, b) for a in NAMES for b in NAMES}
    chosen = np.zeros((3, 3), bool)
    chosen[0, 1] = True
    figure = heatmap(FIRST, SECOND, NAMES, chosen=chosen)
    assert set(cells(figure, 1)) == {("Shirt", "Coat")}
    [ring] = figure["layout"]["shapes"]
    assert (ring["x0"], ring["y0"]) == (0.5, -0.5)


def test_hover_tells_what_came_and_went():
    hover = heatmap(FIRST, SECOND, NAMES)["data"][0]["text"]
    assert hover[0][1] == "<b>−4</b> Shirt predicted Coat<br>1 by A alone, 5 by B alone"
    assert hover[2][2] == "<b>no change</b> Bag named right (correct)<br>0 by A alone, 0 by B alone"


def test_two_runs_that_say_the_same_can_be_drawn():
    nothing = np.zeros((3, 3), int)
    figure = heatmap(nothing, nothing, NAMES)
    assert numbers(figure) == {}
    assert len(cells(figure)) == 9
    assert [words(12, 20), words(-1_200, 1_300), words(0, 4), words(0, 0)] == ["+12", "−1,200", "±0", ""]
