"""The queue of suspected labels, of a table by hand."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from dashboard.analysis.label_review import queue
from dashboard.pages.review.queue import tools
from dashboard.state.selection import Selection


def run_of(labels: list[int]) -> Any:
    columns = {"example_id": range(len(labels)), "label": labels, "suggested": 0, "quality": 0.1, "issue": 1}
    return SimpleNamespace(classes=("cat", "dog", "owl"), label_issues=lambda split: pd.DataFrame(columns))


@pytest.mark.parametrize(("labels", "nobody", "words"), [
    ([0, 1, 2], (), ""), ([0, 1, 1], (2,), "no image here is labelled owl, and none that should be is suspected"),
    ([1, 1], (0, 2), "labelled cat, owl,"),
])  # fmt: skip
def test_a_class_that_nobody_labelled_is_said(labels, nobody, words):
    run, selection = run_of(labels), Selection()
    found = queue(run, selection)
    assert (found.nobody, found.suspected) == (nobody, len(labels))
    shown = str(tools(run, selection, found, SimpleNamespace(of=lambda *_: None)))  # type: ignore[arg-type]
    assert words in shown
    assert ("is labelled" in shown) == bool(nobody)
