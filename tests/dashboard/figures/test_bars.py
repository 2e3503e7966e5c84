import numpy as np
import pytest

from dashboard.figures import accuracy, distribution

NAMES, COLOURS = ["Shirt", "Bag"], ["#d86f5b", "#374300"]


def draw(**options):
    right, n = np.array([8, 9]), np.array([10, 10])
    return accuracy.bars(right, n, np.array([0.5, 0.6]), np.array([0.9, 0.95]), NAMES, colours=COLOURS, **options)


def test_accuracy_bars_dots_and_intervals():
    figure = draw()
    bar, first, _, dots = figure["data"]
    assert bar["y"] == NAMES
    assert bar["x"] == [80, 90] == dots["x"]
    assert first["x"] == [50, 90]
    assert first["y"] == ["Shirt", "Shirt"]
    assert figure["layout"]["xaxis"]["range"][0] == 0


def test_a_cut_axis_has_no_bars():
    figure = draw(floor=0.4)
    assert all(colour.endswith(",0)") for colour in figure["data"][0]["marker"]["color"])
    assert figure["layout"]["xaxis"]["range"][0] == pytest.approx(40)
    assert figure["layout"]["xaxis"]["ticktext"][-1] == "100 %"


def test_what_is_not_chosen_fades():
    assert draw(chosen=["Bag"])["data"][3]["marker"]["color"] == ["rgba(216,111,91,0.22)", "rgba(55,67,0,1)"]


def test_a_class_without_examples():
    zero = np.zeros(2)
    figure = accuracy.bars(zero, zero, zero, zero + 1, NAMES, colours=COLOURS)
    assert figure["data"][0]["x"] == [0, 0]


@pytest.mark.parametrize(("most", "step"), [(3, 1), (17, 5), (90, 50), (1_000, 500), (23_456, 10_000)])
def test_distribution_has_at_most_five_round_gridlines(most, step):
    figure = distribution.bars(np.array([most, 1]), np.array([1, 2]), NAMES, colours=COLOURS)
    ticks = figure["layout"]["xaxis"]["tickvals"]
    assert ticks[1] - ticks[0] == step
    assert len(ticks) <= 6
    assert ticks[-1] >= most
    assert figure["data"][0]["x"] == [most, 1]
    assert figure["data"][2]["x"] == [1, 2]
