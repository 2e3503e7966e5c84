"""Numbers that mean something: no best class among equals, no scale of mistakes where there is none."""

import json

import numpy as np
import pytest

from dashboard.data.store import Store
from dashboard.pages.dashboard import confusion, scores
from dashboard.state.selection import Selection
from dashboard.state.values import MatrixView


@pytest.fixture
def run(home, no_artifacts):
    return Store(no_artifacts, home).open("toy")


def told(parts) -> str:
    return json.dumps(parts, default=lambda one: one.to_plotly_json(), ensure_ascii=False)


def test_of_classes_that_are_alike_none_is_best_and_worst(run):
    classes = len(run.classes)
    n, low, high, share = np.full(classes, 4), np.full(classes, 0.51), np.ones(classes), np.ones(classes)
    alike = told(scores.stats(run, Selection(), share, low, high, n))
    assert alike.count("no class stands out") == 2
    assert not [name for name in run.classes if name in alike]
    assert 'className": "name' not in told(scores.strip(run.classes, share, low, high, n, 1.0, (0.8, 1.0)))
    low[1], high[2] = 0.6, 0.9
    apart = told(scores.stats(run, Selection(), share, low, high, n))
    assert f"Best, {run.classes[1]}" in apart
    assert f"Worst, {run.classes[2]}" in apart
    assert "stands out" not in apart


@pytest.mark.parametrize("normalise", ["count", "row", "column"])
def test_a_matrix_without_mistakes_has_no_scale_of_them(normalise):
    selection = Selection(matrix=MatrixView(normalise))
    assert confusion.most(4 * np.eye(3, dtype=int), selection) == "no mistakes"
    assert "mistakes, " in confusion.most(np.ones((3, 3), int), selection)
