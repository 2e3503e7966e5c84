"""The first page: how good, what is mistaken for what, and the pictures behind every number."""

from dash import Dash, Input, Output, html

from dashboard.components import icon, lazy_panel, page_head, selection_bar
from dashboard.exports import tables
from dashboard.pages.dashboard import (
    accuracy,
    attention,
    calibration,
    confidence,
    confusion,
    contrast,
    distribution,
    gallery,
    scores,
)
from dashboard.services.container import Services
from dashboard.state.selection import Selection

PATH, TITLE = "/", "Dashboard"
PANELS = (gallery, scores, confusion, accuracy, distribution, contrast, attention)  # in the order they are asked for
LATER = (confidence, calibration)  # drawn when they come near the window
SURE = "dashboard-sure-state"  # the address, once the panels about confidence are near the window
SURE_AT = "dashboard-sure"
SEEN = {
    "test": "images it never saw in training",
    "validation": "images that chose its best epoch",
    "reference": "of the images it was trained on",
}


def layout(services: Services, selection: Selection) -> html.Div:
    """The score card, the selection, two rows of panels."""
    copy = html.Button([icon("link"), html.Span("Copy link")], type="button", className="btn-ff", **{"data-copy": ""})
    actions = [html.Div(id="dashboard-split"), copy, html.Div(id="dashboard-export")]
    return html.Div(
        [
            page_head("Dashboard", html.Span(id="dashboard-about"), actions),
            scores.layout(services, selection),
            selection_bar.layout(),
            html.Div(
                [
                    confusion.layout(services, selection),
                    html.Div(
                        [accuracy.layout(services, selection), distribution.layout(services, selection)],
                        className="stack c5",
                    ),
                ],
                className="ff-grid",
            ),
            contrast.layout(services, selection),
            html.Div(
                [confidence.layout(services, selection), calibration.layout(services, selection)],
                className="ff-grid",
                id=SURE_AT,
            ),
            gallery.layout(services, selection),
            attention.layout(services, selection),
            *lazy_panel.layout(SURE),
        ]
    )


def register(app: Dash, services: Services) -> None:
    """The panels, then the page's head."""
    for panel in PANELS:
        panel.register(app, services)
    lazy_panel.register(app, SURE, SURE_AT)
    for panel in LATER:
        panel.register(app, services, SURE)

    @app.callback(
        Output("dashboard-about", "children"),
        Output("dashboard-split", "children"),
        Output("dashboard-export", "children"),
        Input("url", "search"),
    )
    def draw_head(search: str | None):
        selection = Selection.parse(search)
        link = html.A(
            [icon("download"), "Export"], href=tables.url("selection", selection), className="btn-ff", download=""
        )
        return about(services, selection), selection_bar.splits(selection), link


def about(services: Services, selection: Selection) -> str:
    """Which run, which pictures."""
    try:
        run = services.store.shown(selection.run)
        n = len(run.predictions(selection.split).ids)
    except (LookupError, ValueError):
        return "No run to show."
    return f"{run.title} on {run.dataset['title']}, {selection.split} split, {n:,} {SEEN[selection.split]}"
