"""What does it take to mislead it? Test under corruptions and attacks, and one picture under attack."""

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, dcc, html

from dashboard.analysis import robustness
from dashboard.components import button, explanations, icon, page_head, report_link
from dashboard.pages.robustness import attack_lab, cells, curves, flipped, grid, measure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

PATH, TITLE = "/robustness", "Robustness"
PANELS = (measure, grid, curves, flipped, attack_lab)
AGAINST = "robustness-against"  # a choice in it becomes the new address by assets/clientside.js


def layout(services: Services, selection: Selection) -> html.Div:
    """What is missing, the two tables of test, the pictures of a cell, one picture under attack."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    picker = html.Div(
        [
            html.Label("against", htmlFor=AGAINST, className="label quiet"),
            dbc.Select(id=AGAINST, options=[], placeholder="no other run"),
        ],
        className="runpick",
    )
    shown = measure.lacking(services, selection) is None
    return html.Div(
        [
            page_head(
                TITLE,
                html.Span(id="robustness-about"),
                [picker, html.Div(id="robustness-alone"), report_link("robustness"), copy],
            ),
            dcc.Store(id=cells.STATE),
            measure.layout(hidden=shown),
            html.Div(
                [
                    html.Div([grid.layout(), curves.layout()], className="ff-grid"),
                    html.Div([flipped.layout()], className="ff-grid"),
                ],
                id=measure.Ids.MEASURED,
                hidden=not shown,
            ),
            html.Div([attack_lab.layout()], className="ff-grid"),
        ],
        className="robustness",
    )


def register(app: Dash, services: Services) -> None:
    """The page's head, then its panels."""

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

    cells.register(app)
    for panel in PANELS:
        panel.register(app, services)


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
    options = [
        {"value": entry.run_id, "label": marks.name(entry.run_id), "disabled": bool(why), "title": why}
        for entry, why in rivals
    ]
    chosen = selection.against if any(e.run_id == selection.against and not why for e, why in rivals) else None
    alone = None
    if chosen:
        there = selection.with_(against=None)
        alone = button(f"{run.title} alone", small=True, search=there.query(), **{"data-own": "against"})
    words = f"What does it take to mislead {run.title}? Images of {robustness.SPLIT}, made worse or attacked."
    return f"{words} {explanations.kept(run.during(selection.epoch))}".strip(), options, chosen, alone
