"""Bars from zero with intervals: sides, signs, ends of the axis."""

import numpy as np
import pytest

from dashboard.figures.gaps import bars, points, reach
from dashboard.theme import alpha, palette

NAMES = ["Shirt", "Coat", "Bag"]
GAP, LOW, HIGH = np.array([0.05, -0.02, 0.0]), np.array([0.02, -0.05, -1.0]), np.array([0.08, 0.01, 1.0])
N, SIGNIFICANT = np.array([1_000, 1_000, 0]), np.array([True, False, False])


def test_bars_intervals_and_dots():
    figure = bars(GAP, LOW, HIGH, N, SIGNIFICANT, NAMES)
    p = palette("light")
    bar, *lines, dots = figure["data"]
    assert bar["x"] == [5, -2, 0]
    assert [(line["y"][0], line["x"]) for line in lines] == [("Shirt", [2, 8]), ("Coat", [-5, 1])]  # no bags, no line
    assert [line["line"]["color"] for line in lines] == [alpha(p.run_a, 1), alpha(p.run_b, 1)]
    assert dots["marker"]["color"] == [alpha(p.run_a, 1), p.card_flat, p.card_flat]
    assert bar["text"][0] == "<b>+5.0</b> points, Shirt<br>95 % interval +2.0 to +8.0, n 1,000"
    assert "not told apart" in bar["text"][1]


def test_the_axis_is_as_long_to_both_sides_and_holds_every_interval():
    layout = bars(GAP, LOW, HIGH, N, SIGNIFICANT, NAMES)["layout"]
    low, high = layout["xaxis"]["range"]
    assert low == -high <= -8
    assert layout["xaxis"]["ticktext"] == ["−5", "0", "+5"]
    assert len(layout["xaxis"]["tickvals"]) <= 5


@pytest.mark.parametrize("most", [0.0, 0.001, 0.004, 0.02, 0.3, 1.0])
def test_reach(most):
    end, step = reach(np.array([-most / 2]), np.array([most]))
    assert end >= 100 * most
    assert 1 <= end / step <= 2.3


def test_unchosen_classes_fade():
    colours = bars(GAP, LOW, HIGH, N, SIGNIFICANT, NAMES, chosen=["Coat"])["data"][-1]["marker"]["line"]["color"]
    assert colours[1] == alpha(palette("light").run_b, 1)
    assert colours[0] == alpha(palette("light").run_a, 0.22)


def test_points_have_signs_but_nothing_has_none():
    assert [points(0.0287), points(-0.004), points(0.0001), points(0), points(0.0004, 2)] == [
        "+2.9",
        "−0.4",
        "0.0",
        "0.0",
        "+0.04",
    ]
