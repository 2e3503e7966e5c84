"""Six predictions by hand."""

import numpy as np
import pytest

from dashboard.analysis.confidence import bins
from dashboard.figures import calibration

CONFIDENCE = np.array([0.1, 0.5, 0.55, 0.9, 1.0, 1.0], np.float32)
RIGHT = np.array([False, True, False, True, True, False])


def test_empty_bins_have_a_column_and_no_dot():
    table = bins(CONFIDENCE, RIGHT)
    n = np.maximum(table["n"].to_numpy(), 1)
    figure = calibration.reliability(table, table["right"] / n * 0.9, np.ones(len(table)), chosen=(14 / 15, 1))
    columns, dots = figure["data"][calibration.BINS_AT], figure["data"][calibration.DOTS]
    assert len(dots["x"]) == int((table["n"] > 0).sum()) == 5
    assert len(columns["x"]) == 15
    assert columns["text"][0] == "no image"
    assert columns["text"][-1] == dots["text"][-1]
    assert dots["text"][-1].startswith("<b>50.0 %</b> right of 2 images")
    assert [colour.endswith(",0)") for colour in columns["marker"]["color"]] == [True] * 14 + [False]


def test_scaled_confidences_have_their_own_dots():
    table = bins(CONFIDENCE, RIGHT)
    after = bins(CONFIDENCE * 0.9, RIGHT)
    figure = calibration.reliability(table, np.zeros(15), np.ones(15), after=after)
    dots = figure["data"][calibration.AFTER]
    assert dots["x"] == pytest.approx([9, 45, 49.5, 81, 90])
    assert dots["y"] == pytest.approx([0, 100, 0, 100, 50])
