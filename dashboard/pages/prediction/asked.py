"""Which run a picture of one's own was given to, why, and what the others say; and what all of them can name."""

from dataclasses import replace
from typing import Any

from dash import html

from dashboard.components import plain
from dashboard.pages.prediction.request import Question
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.inference.routing import Asked, Routed

NAMED = 12  # classes of a run that are named before a picture is there


def told(services: Services, selection: Selection, question: Question) -> list[dict] | None:
    """For people: who was asked and why, each other's word with the way to ask it, or the way back to the app's choice;
    nothing of a picture of the data set, or where there is no choice."""
    if not question.sent:
        return None
    if question.routed is not None:
        return _routed(selection, question.routed)
    if selection.ask is None:
        return None
    name = services.store.marks().name(question.run.run_id)
    words = [plain.element("B", name), " was asked, as you chose. "]
    back = _press("Let the picture’s kind decide", replace(selection, ask=None))
    return [plain.element("P", [*words, back], className="small")]


def _routed(selection: Selection, routed: Routed) -> list[dict]:
    first, *others = routed.asked
    about = [plain.element("B", first.name), f" ({first.dataset}) was asked. {routed.why}"]
    rows = [
        plain.element("Li", [*_said(one, first), " ", _press("Ask it instead", replace(selection, ask=one.run_id))])
        for one in others
    ]
    return [plain.element("P", about, className="small"), plain.element("Ul", rows, className="small others")]


def _said(one: Asked, first: Asked) -> list[Any]:
    """What another run says, beside the answer."""
    same = one.label == first.label
    words = ["the same, " if same else plain.element("B", one.label), "" if same else ", "]
    strange = "; to it the picture is unlike anything it was trained on" if one.unlike else ""
    return [f"{one.name} ({one.dataset}) says ", *words, f"{100 * one.confidence:.1f} %{strange}."]


def _press(words: str, selection: Selection) -> dict:
    return plain.element(
        "Button",
        words,
        type="button",
        className="btn-ff sm ghost",
        **{"data-search": selection.query(), "data-own": "ask"},
    )


def nameable(services: Services, selection: Selection) -> html.Div | None:
    """What a picture can be called, by each run that may be asked; None where none can."""
    try:
        shown = services.store.shown(selection.run)
        ids = [selection.ask] if selection.ask else services.router.ids(shown.run_id)
        runs = [services.store.open(run_id) for run_id in ids]
    except (Missing, Broken):
        return None
    rows: list[Any] = []
    for run in runs:
        title = str(run.dataset.get("title") or run.dataset["name"])
        names, more = run.classes[:NAMED], len(run.classes) - NAMED
        rows.append(html.Dt(title))
        rows.append(html.Dd(", ".join(names) + (f" and {more:,} more" if more > 0 else "")))
    if not rows:
        return None
    both = " A picture is given to the run that knows its kind." if len(runs) > 1 else ""
    return html.Div([html.P(f"What it can name.{both}", className="quiet small"), html.Dl(rows)], className="nameable")
