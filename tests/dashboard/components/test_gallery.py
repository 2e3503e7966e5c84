"""What stands where a gallery has no image."""

import pytest

from dashboard.components import gallery
from dashboard.state.selection import Selection


def told(selection):
    face, button = gallery._nothing(selection)
    return str(face.children[1].children), str(button)


def test_a_run_without_mistakes_shows_what_there_is():
    """Mistakes alone are listed where nothing was chosen: of a run that makes none, none."""
    words, button = told(Selection(run="toy"))
    assert words == "No mistakes here: every answer is right."
    shown = Selection.parse("?run=toy&outcome=wrong&outcome=right")
    assert shown.outcomes == ()
    assert shown.query() in button


@pytest.mark.parametrize("chosen", [{"true": ("cat",)}, {"outcome": ("right",)}, {"ids": (3,)}])
def test_filters_that_leave_nothing_can_be_cleared(chosen):
    words, button = told(Selection(run="toy", **chosen))
    assert words == "No image matches all of these filters."
    assert "Clear the filters" in button
