"""Two hundred points by hand: what is drawn where, in which colour, and how it travels."""

import base64

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.figures import projection

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
LABELS, GUESSES = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
CLASSES = ["Hat", "Sock", "Glove"]


def numbers(spec, kind):
    """A typed array as it travels; empty ones are left alone."""
    if not isinstance(spec, dict):
        return np.asarray(spec).tolist()
    assert spec["dtype"] == np.dtype(kind).str[1:]
    return np.frombuffer(base64.b64decode(spec["bdata"]), kind).tolist()


def colours():
    return [colour for _, colour in projection.groups("true", CLASSES, "light")]


def test_points_travel_as_float32_and_colours_as_numbers():
    data = projection.scatter(POINTS, LABELS.astype(np.uint16), colours(), variance=(0.5, 0.25, 0.125))
    every = data["data"][0]
    assert numbers(every["x"], "f4") == [0, 1, 0, 0]
    assert numbers(every["z"], "f4") == [0, 0, 0, 3]
    assert numbers(every["marker"]["color"], "u2") == [0, 0, 1, 2]
    assert every["marker"]["cmin"] == 0
    assert every["marker"]["cmax"] == 2
    assert [stop[1] for stop in every["marker"]["colorscale"]] == colours()
    assert "customdata" not in every
    axes = data["layout"]["scene"]
    assert [axes[a]["title"]["text"] for a in ("xaxis", "yaxis", "zaxis")] == [
        "PC 1 · 50.0 %",
        "PC 2 · 25.0 %",
        "PC 3 · 12.5 %",
    ]


@pytest.mark.parametrize("draw", [projection.scatter, projection.plane])
def test_a_selection_is_drawn_again_over_faded_points(draw):
    points = POINTS if draw is projection.scatter else POINTS[:, :2]
    lit = np.array([False, True, False, True])
    plain = draw(points, LABELS, colours())["data"]
    chosen = draw(points, LABELS, colours(), selected=lit, sample=2)["data"]
    look = [trace["marker"] if draw is projection.scatter else trace["meta"]["dots"] for trace in (plain[0], chosen[0])]
    assert look[0]["opacity"] == 0.7
    assert look[1]["opacity"] < 0.1
    assert numbers(plain[projection.SELECTED]["x"], "f4") == []
    lit = chosen[projection.SELECTED]
    assert numbers(lit["x"], "f4") == [1, 0]
    assert numbers(lit["marker"]["color"] if draw is projection.scatter else lit["customdata"], "u2") == [0, 2]
    assert numbers(chosen[projection.SAMPLE]["y"], "f4") == [2]


@pytest.mark.parametrize("draw", [projection.scatter, projection.plane])
def test_plotly_allows_every_word_and_packs_numbers_the_same_way(draw):
    points = POINTS if draw is projection.scatter else POINTS[:, :2]
    chart = draw(points, LABELS, colours(), selected=LABELS == 0, sample=1)
    checked = go.Figure(chart).to_dict()
    for ours, theirs in zip(chart["data"], checked["data"], strict=True):
        assert ours == theirs
    bare = go.Scatter(x=points[:, 0]).to_plotly_json()["x"]
    assert chart["data"][0]["x"] == go.Figure(go.Scatter(x=bare)).to_dict()["data"][0]["x"]


def test_colour_groups():
    assert projection.indices("true", LABELS, GUESSES).tolist() == [0, 0, 1, 2]
    assert projection.indices("predicted", LABELS, GUESSES).tolist() == [0, 1, 1, 0]
    assert projection.indices("outcome", LABELS, GUESSES).tolist() == [0, 1, 0, 1]
    assert [name for name, _ in projection.groups("outcome", CLASSES, "dark")] == ["right", "wrong"]
    with pytest.raises(ValueError, match="sort"):
        projection.groups("sort", CLASSES, "light")


def test_one_class_still_has_a_scale():
    marker = projection.scatter(POINTS, np.zeros(4, int), ["#112233"])["data"][0]["marker"]
    assert marker["cmin"] < marker["cmax"]


def test_the_plane_is_square_and_shows_the_lasso():
    figure = projection.plane(POINTS[:, :2], LABELS, colours(), outline=[(0, 0), (1, 0), (1, 1.5)])
    layout = figure["layout"]
    assert layout["shapes"][0]["path"] == "M0,0L1,0L1,1.5Z"
    assert np.ptp(layout["xaxis"]["range"]) == pytest.approx(np.ptp(layout["yaxis"]["range"]))
    assert layout["dragmode"] == "lasso"
    assert all(trace["type"] == "scatter" for trace in figure["data"])  # scattergl needs eval, which is forbidden
    assert figure["data"][0]["mode"] == "none"  # ten thousand SVG elements would take seconds
    assert figure["data"][0]["meta"]["dots"]["colours"] == colours()


def test_the_camera_stays_while_the_points_do():
    assert projection.scatter(POINTS, LABELS, colours(), keep="run/test")["layout"]["uirevision"] == "run/test"


def test_the_document_has_a_legend_and_words():
    words = [f"image {i}" for i in range(4)]
    named = projection.groups("true", CLASSES, "light")
    figure = go.Figure(projection.standalone(POINTS, LABELS, named, words, title="run"))
    assert [(trace.name, list(trace.text)) for trace in figure.data] == [
        ("Hat", ["image 0", "image 1"]), ("Sock", ["image 2"]), ("Glove", ["image 3"]),
    ]  # fmt: skip
    assert figure.layout.showlegend
    assert figure.layout.title.text == "run"
