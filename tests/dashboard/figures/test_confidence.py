import numpy as np
import pandas as pd

from dashboard.figures import confidence

TABLE = pd.DataFrame(
    {"low": [0, 0.25, 0.5, 0.75], "high": [0.25, 0.5, 0.75, 1], "right": [0, 1, 4, 100], "wrong": [0, 4, 9, 0]}
)


def test_right_above_and_mistakes_below_on_a_root_scale():
    figure = confidence.histogram(TABLE)
    up, down = figure["data"][2], figure["data"][3]
    assert up["x"] == [12.5, 37.5, 62.5, 87.5]
    assert up["y"] == [0, 1, 2, 10]
    assert down["y"] == [0, -2, -3, 0]
    assert figure["data"][confidence.WRONG]["text"][2] == "<b>9</b> mistakes<br>50 to 75 % sure"


def test_what_is_not_answered_fades_and_a_line_shows_the_threshold():
    figure = confidence.histogram(TABLE, reject=0.5)
    faded = [colour.endswith("0.18)") for colour in figure["data"][2]["marker"]["color"]]
    assert faded == [True, True, False, False]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [0, 50]


def test_the_chosen_bin_is_lit():
    colours = confidence.histogram(TABLE, chosen=(0.25, 0.5))["data"][confidence.RIGHT]["marker"]["color"]
    assert [colour.endswith("0.12)") for colour in colours] == [False, True, False, False]


def test_nothing_can_be_drawn():
    figure = confidence.histogram(TABLE * np.array([1, 1, 0, 0]))
    assert figure["data"][2]["y"] == [0, 0, 0, 0]


def test_two_sides_share_an_axis():
    figure = confidence.shares(np.array([0, 1, 3]), top=0.75)
    assert figure["data"][0]["y"] == [0, 25, 75]
    assert figure["layout"]["yaxis"]["range"][1] > 75
    assert confidence.shares(np.zeros(3, int), top=1)["data"][0]["y"] == [0, 0, 0]
