"""Which of many classes a panel shows."""

import numpy as np
import pytest

from dashboard.analysis.class_parts import END, PAGE, Part, by_interval
from ml.stats.intervals import wilson

NAMES = [f"kind {i:03}" for i in range(1_000)]
ORDER = list(range(999, -1, -1))


def test_a_few_classes_are_all_there():
    listed = Part("never", 7).of(NAMES[:30], range(30))
    assert (listed.places, listed.words, listed.cut) == ([*range(30)], "", 0)


def test_of_many_both_ends_of_those_that_are_ranked():
    listed = Part().of(NAMES, ORDER, 990)
    assert listed.places == [*ORDER[:END], *ORDER[990 - END : 990]]
    assert listed.words == f"first and last {END} of 990; 10 more without an image here"
    assert (listed.cut, listed.back, listed.on) == (END, False, True)


def test_pages_lead_through_all_and_end():
    first = Part(page=1).of(NAMES, ORDER)
    assert (first.places, first.words, first.back) == (ORDER[:PAGE], f"1 – {PAGE} of 1,000", True)
    last = Part(page=10_000).of(NAMES, ORDER)
    assert last.places[-1] == ORDER[-1]
    assert not last.on
    assert last.words.endswith("– 1,000 of 1,000")


def test_what_is_looked_for_is_found_in_any_case():
    listed = Part.read(" KIND 01 ", None, None).of(NAMES, ORDER)
    assert listed.places == list(range(19, 9, -1))
    assert listed.words == "1 – 10 of 10 found"
    assert Part.read("nothing like it", 3, 1).of(NAMES, ORDER).places == []


@pytest.mark.parametrize(("on", "back", "page"), [(None, None, 0), (3, 1, 2), (1, 5, 0), (True, "x", 0)])
def test_clicks_come_from_the_browser(on, back, page):
    assert Part.read(None, on, back) == Part("", page)


def test_one_image_makes_a_class_neither_best_nor_worst():
    right, n = np.array([1, 0, 90, 10, 0]), np.array([1, 1, 100, 100, 0])
    assert by_interval(*wilson(right, n), n) == ([2, 0, 1, 3, 4], 4)
