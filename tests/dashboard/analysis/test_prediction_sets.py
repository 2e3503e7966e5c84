"""What is said of an answer, with probabilities and tables written by hand."""

import numpy as np
import pandas as pd
import pytest

from dashboard.analysis import prediction_sets
from dashboard.analysis.prediction_sets import EMPTY_SET, judged, measured, members, worded
from dashboard.state.selection import Selection


class Run:
    """A run of three classes that scaling makes all alike, and whose sets let in what has at least 0.3, 0.1, or more
    than there is."""

    classes = ("Shirt", "Coat", "Dress")
    run_id, title = "three", "Three"

    def __init__(self):
        self.manifest = {"nouns": {"conformal": {"sha256": "1"}}}
        self.kept: dict = {}
        self.read = 0
        self.store = self

    def keep(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def temperature(self):
        return 1e9

    def conformal(self):
        self.read += 1
        rows = [
            ("validation", 0.9, 0.71, 100, 90, 1.0, 3),
            ("test", 0.9, 0.71, 200, 181, 1.25, 7),
            ("validation", 0.95, 0.91, 100, 95, 2.0, 0),
            ("validation", 0.99, -1.0, 100, 99, 0.0, 100),
            ("test", 0.97, 0.95, 200, 190, 2.0, 0),
        ]
        frame = pd.DataFrame(rows, columns=["split", "level", "most", "n", "covered", "size", "size_0"])
        return frame.assign(temperature=1.0)


PROBABILITIES = np.array([0.2, 0.5, 0.3])


def test_an_answer_is_given_from_the_threshold_on():
    assert judged(Run(), PROBABILITIES, Selection()).label == "Coat"
    assert not judged(Run(), PROBABILITIES, Selection()).abstains
    assert not judged(Run(), PROBABILITIES, Selection(abstain=0.5)).abstains, "at the threshold it answers"
    assert judged(Run(), PROBABILITIES, Selection(abstain=0.51)).abstains
    scaled = judged(Run(), PROBABILITIES, Selection(abstain=0.4, scaling="temperature"))
    assert scaled.confidence == pytest.approx(1 / 3)
    assert scaled.abstains, "the threshold is of what is shown"


def test_members_come_likeliest_first():
    assert members(Run(), PROBABILITIES, 90) == [1, 2]
    assert members(Run(), PROBABILITIES, 95) == [1, 2, 0]
    assert members(Run(), PROBABILITIES, 99) == []


def test_sets_are_measured_on_test_at_the_levels_that_are_offered():
    sets = measured(Run())
    assert list(sets) == [90]
    assert str(sets[90].covered) == "90.5 % (85.6 – 93.8, 181 of 200)"
    assert (sets[90].size, sets[90].empty) == (1.25, 7)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], EMPTY_SET),
        (["Shirt"], "Shirt alone"),
        (["Shirt", "Coat"], "Shirt or Coat"),
        (["Shirt", "Coat", "Dress"], "Shirt, Coat or Dress"),
    ],
)
def test_a_set_in_words(names, words):
    assert worded(names) == words
    assert prediction_sets.EMPTY_SET == "none of the classes"


def test_the_table_is_looked_through_once_for_a_level_and_again_where_it_is_another():
    run = Run()
    for level in (90, 95, 90, 95):
        assert prediction_sets.told(run, level).most == {90: 0.71, 95: 0.91}[level]
    assert run.read == 2
    run.manifest["nouns"]["conformal"]["sha256"] = "2"
    assert prediction_sets.told(run, 90).most == 0.71
    assert run.read == 3
