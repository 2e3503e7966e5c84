"""Accuracy against the reach of an attack."""

import pytest

from dashboard.figures.attacks import HEIGHT, Line, curves
from dashboard.figures.history import LABEL
from dashboard.theme import palette


def line(name, values, **more):
    return Line(name, (0, 0.5, 8), values, [v - 0.05 for v in values], [v + 0.05 for v in values], "abc", **more)


PGD, FGSM = line("PGD", (0.9, 0.6, 0.1)), line("FGSM", (0.9, 0.7, 0.12), dashed=True)


def test_points_stand_one_step_apart_with_their_bands():
    figure = curves([PGD, FGSM], chosen=(1, 8))
    band, _, pgd, fgsm = figure["data"]
    assert band["x"] == [0, 1, 2, 2, 1, 0]
    assert band["y"] == pytest.approx([95, 65, 15, 5, 55, 85])
    assert (pgd["x"], pgd["y"]) == ([0, 1, 2], [90, 60, 10])
    assert pgd["text"] == ["a", "b", "c"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["0", "0.5", "8"]
    assert fgsm["marker"]["size"] == [7, 7, 11]
    assert pgd["marker"]["size"] == [7, 7, 7]
    assert (pgd["line"]["dash"], fgsm["line"]["dash"]) == ("solid", "5px,3px")


def test_two_runs_need_not_have_been_asked_the_same():
    other = Line("B PGD", (0, 2), (0.8, 0.4), (0.7, 0.3), (0.9, 0.5), "xy", colour="run_b")
    figure = curves([PGD, other], mode="dark")
    assert figure["layout"]["xaxis"]["ticktext"] == ["0", "0.5", "2", "8"]
    assert figure["data"][2]["x"] == [0, 1, 3]
    assert figure["data"][3]["x"] == [0, 2]
    assert figure["data"][3]["line"]["color"] == palette("dark").run_b


def test_names_at_the_ends_do_not_meet():
    notes = curves([PGD, FGSM])["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["PGD 10.0", "FGSM 12.0"]
    pixels = (HEIGHT - 46) / 100
    low, high = (note["y"] * pixels + note["yshift"] for note in notes)
    assert high - low >= LABEL - 1e-6
    assert low == pytest.approx(10 * pixels)
