"""Names that are too long for their margin."""

import numpy as np
import pytest

from dashboard.figures import drift, probabilities
from dashboard.figures.labels import cut

LONG = "Coat as worn on a rainy Sunday by people who never carry one"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Coat", "Coat"), ("Ankle boot", "Ankle boot"), ("Ankle boots", "Ankle boo…"), ("A b c d e f g", "A b c d e…")],
)
def test_a_name_is_cut_where_it_does_not_fit(name, shown):
    assert cut(name, 10) == shown
    assert len(shown) <= 10


def test_charts_cut_names_beside_the_axis_and_say_them_whole_on_hover():
    drawn = probabilities.bars(np.array([0.2, 0.8]), classes=[LONG, "Tie"], mode="light", truth=0)
    assert [len(name) < 60 for name in drawn["layout"]["yaxis"]["ticktext"]] == [True, True]
    assert drawn["layout"]["margin"]["l"] <= 150
    assert LONG in str(drawn["data"][1]["customdata"])
    mixed = drift.mix(
        [1, 2], [3, 4], [LONG, "Tie"], colours=["#000000", "#ffffff"], ends=(np.zeros(2), np.ones(2)), mode="light"
    )
    assert mixed["layout"]["yaxis"]["ticktext"][1] == "Tie"
    assert mixed["layout"]["yaxis"]["ticktext"][0].endswith("…")
    assert LONG in str(mixed["data"])
