"""The data map as literal numbers."""

import numpy as np

from dashboard.figures import datamap


def test_points_lie_where_they_belong_and_the_forgotten_on_top():
    points = np.array([[40.0, 50.0], [1.234, 99.0], [20.0, 30.0]])
    drawn = datamap.scatter(points, np.array([4, 0, 1]), ["a", "b", "c"], lit=np.array([True, False, True]))
    trace = drawn["data"][0]
    assert (trace["x"], trace["y"], trace["text"]) == ([1.23, 20.0, 40.0], [99.0, 30.0, 50.0], ["b", "c", "a"])
    fill = [trace["meta"]["dots"]["colours"][i] for i in trace["customdata"]]
    opacity = [colour.rstrip(")").rsplit(",", 1)[1].strip() for colour in fill]
    assert opacity == ["0.1", "0.85", "0.85"]
    assert drawn["layout"]["shapes"] == []
    outlined = datamap.scatter(points, np.zeros(3, int), ["", "", ""], outline=[(0, 1), (2, 3), (4, 5.5)])
    assert outlined["layout"]["shapes"][0]["path"] == "M0,1L2,3L4,5.5Z"


def test_levels():
    assert datamap.level(np.array([0, 1, 3, 4, 90])).tolist() == [0, 1, 3, 4, 4]
    assert len(set(datamap.colours("dark"))) == len(datamap.LEVELS)


def test_a_crowd_is_thinned_where_it_is_easy():
    mean = np.concatenate([np.full(9_000, 0.99), np.full(1_000, 0.2)])
    rows = datamap.drawn_rows(mean, 1_500)
    assert len(rows) == len(set(rows.tolist())) == 1_500
    assert (np.diff(rows) > 0).all()
    assert (rows >= 9_000).sum() > 700
    assert (rows < 9_000).sum() > 300
    assert datamap.drawn_rows(mean, 10_000).tolist() == list(range(10_000))
    assert datamap.drawn_rows(mean, 1_500).tolist() == rows.tolist()
