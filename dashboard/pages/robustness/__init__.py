"""What does it take to mislead it? Test under corruptions and attacks, and one picture under attack."""

from dash import Dash, Input, Output, html

from dashboard.analysis import robustness
from dashboard.components import button, explanations
from dashboard.components.page import Group, Page, Row
from dashboard.components.picker import Picker, group, heading, together
from dashboard.exports import report_views
from dashboard.pages.robustness import attack_lab, cells, curves, flipped, grid, measure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

AGAINST = "robustness-against"  # a choice in it becomes the new address by assets/clientside.js


def actions(services: Services, selection: Selection) -> list[html.Div]:
    """The run beside it, and the way back from that."""
    label = html.Label("against", htmlFor=AGAINST, className="label quiet")
    picker = html.Div([label, Picker(AGAINST, placeholder="no other run")], className="runpick")
    return [picker, html.Div(id="robustness-alone")]


def register_head(app: Dash, services: Services) -> None:
    """The head as the address has it."""

    @app.callback(
        Output("robustness-about", "children"),
        Output(AGAINST, "options"),
        Output(AGAINST, "value"),
        Output("robustness-alone", "children"),
        Input("app-view-state", "data"),
        Input("app-runs-state", "data"),
    )
    def draw_head(search: str | None, _: object):
        selection = Selection.parse(search)
        return head(services, selection)


def head(services: Services, selection: Selection) -> tuple:
    """What the page is of, the runs to compare with, the one that is chosen, and the way back from it."""
    try:
        run = services.store.shown(selection.run)
    except (Missing, Broken):
        return "No run to show.", [], None, None
    marks = services.store.marks()
    rivals = [
        (entry, why)
        for entry, why in services.store.rivals(run)
        if not marks.of(entry.run_id).archived or entry.run_id == selection.against
    ]
    each = (
        {
            "value": entry.run_id,
            "label": marks.name(entry.run_id),
            "group": group(entry),
            "disabled": bool(why),
            "title": why,
        }
        for entry, why in rivals
    )
    options = together(each, first=heading(run.dataset))
    chosen = selection.against if any(e.run_id == selection.against and not why for e, why in rivals) else None
    alone = None
    if chosen:
        there = selection.with_(against=None)
        alone = button(f"{run.title} alone", small=True, search=there.query(), **{"data-own": "against"})
    words = f"What does it take to mislead {run.title}? Images of {robustness.SPLIT}, made worse or attacked."
    return f"{words} {explanations.kept(run.during(selection.epoch))}".strip(), options, chosen, alone


PAGE = Page(
    path="/robustness",
    title="Robustness",
    about=None,
    actions=actions,
    head=register_head,
    report=report_views.withstood,
    kind="robustness",
    rows=(
        cells,
        measure,
        Group(
            Row((grid, 7), (curves, 5)),
            Row(flipped),
            id=measure.Ids.MEASURED,
            hidden=lambda services, selection: measure.lacking(services, selection) is not None,
        ),
        Row(attack_lab),
    ),
)
