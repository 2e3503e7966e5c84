"""Names are shown letter for letter, whatever plotly would make of them."""

import numpy as np
import pytest

from dashboard.figures import accuracy, confusion, delta, probabilities
from dashboard.figures.labels import cut, escaped, told_apart

NAMES = ["<b>x", "a<br>b", "R&amp;D", "%{x}"]
SHOWN = ["&lt;b&gt;x", "a&lt;br&gt;b", "R&amp;amp;D", "&#37;{x}"]


@pytest.mark.parametrize(("name", "shown"), [*zip(NAMES, SHOWN, strict=True)])
def test_markup_in_a_name_is_none(name, shown):
    assert escaped(name) == shown


def test_a_name_is_cut_before_it_is_escaped():
    assert escaped(cut("<b>" * 9, 4)) == "&lt;b&gt;…"


def _texts(figure):
    """What a chart says where it is pointed at, or beside an axis."""
    for trace in figure["data"]:
        if trace.get("hoverinfo") != "skip":
            yield from np.ravel(np.array(trace.get("text", trace.get("customdata", [])), object)).tolist()
    yield from figure["layout"].get("yaxis", {}).get("ticktext", [])


def figures():
    counts, share = np.arange(16).reshape(4, 4), np.full(4, 0.5)
    yield confusion.heatmap(counts, NAMES)
    yield delta.heatmap(counts, counts.T, NAMES)
    yield accuracy.bars(counts[0], counts[3], share, share, NAMES, colours=["#000000"] * 4)
    yield probabilities.bars(share / 2, classes=NAMES, mode="light")


@pytest.mark.parametrize("figure", [*figures()], ids=("confusion", "delta", "accuracy", "probabilities"))
def test_no_name_reaches_a_chart_as_markup(figure):
    said = " ".join(map(str, _texts(figure)))
    assert not any(name in said.replace(shown, "") for name, shown in zip(NAMES, SHOWN, strict=True))
    assert all(shown in said for shown in SHOWN)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["Tomato___Early_blight", "Tomato___Late_blight"], ["Tom…Early_blight", "Tom…Late_blight"]),
        (["kind of thing 1", "kind of thing 10", "other"], ["kin…1", "kin…10", "other"]),
        (["T-shirt/top", "Trouser", "Shirt"], ["T-shirt/top", "Trouser", "Shirt"]),
        (["American robin", "American robin (female)"], ["Ame…robin", "Ame…robin (female)"]),
        (["class 1", "class 2"], ["class 1", "class 2"]),
        (["Donaudampfschiff", "Donaudampfschifffahrt"], ["Donaudampfschiff", "Donaudampfschifffahrt"]),
        (["abcdefgh one", "abcdefgh two", "abcxyzuv one", "abcxyzuv two"],
         ["abcdefgh one", "abcdefgh two", "abcxyzuv one", "abcxyzuv two"]),
        ([], []),
    ],
)  # fmt: skip
def test_names_that_begin_alike_are_told_apart_by_their_ends(names, shown):
    assert told_apart(names) == shown
