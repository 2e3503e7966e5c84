"""First line: the guess and its confidence in percent. Second: the label. Open one to see why."""

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, csv_link, panel_states, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunData
from dashboard.exports.tables import Table, of_run, url
from dashboard.services.container import Services
from dashboard.state.selection import Selection

FACE = "dashboard-gallery-face"
GRID = "dashboard-gallery-grid"
SORT = "dashboard-gallery-select"
SORTS = {"confident": "Most confidently wrong", "unsure": "Least confident", "id": "By id"}


def layout(services: Services, selection: Selection) -> html.Article:
    """The images of the selection, a page at a time."""
    sort = dbc.Select(
        id=SORT,
        options=[{"value": value, "label": words} for value, words in SORTS.items()],
        value=selection.sort,
        className="sm",
    )
    tools = [html.Label("Order", htmlFor=SORT, className="sr"), sort, html.Span(id="dashboard-gallery-csv")]
    head = html.Div(
        [
            html.Div([html.H2(id="dashboard-gallery-title", className="card-title"), html.P(__doc__)]),
            html.Div(tools, className="tools"),
        ],
        className="card-h",
    )
    body = html.Div([plain.place(GRID, className="tiles"), html.Div(id="dashboard-gallery-pager", className="pager")])
    return html.Article([head, slot(FACE), body], className="ff-card", id="dashboard-gallery-card")


def register(app: Dash, services: Services) -> None:
    """Exactly the selected images, 48 a page."""

    @panel_callback(
        app,
        FACE,
        Output("dashboard-gallery-title", "children"),
        plain.children(GRID),
        Output("dashboard-gallery-pager", "children"),
        Output("dashboard-gallery-csv", "children"),
        Input("url", "search"),
    )
    def list_gallery(search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run).asked(selection)
        rows = run.ordered(selection)
        n = len(rows)
        title = f"{n:,} image{'' if n == 1 else 's'}"
        if not n:
            nothing = [
                panel_states.empty("No image matches all of these filters."),
                button("Clear the filters", search=selection.clear().query()),
            ]
            return title, html.Div(nothing, className="c12"), None, None
        page, here = tiles.shown(selection, n)
        return (
            title,
            tiles.answers(run, selection, rows[here]),
            tiles.pager(selection, page, n),
            csv_link(url("selection", selection)),
        )

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(SORT, "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def sort_gallery(sort: str | None, search: str | None):
        selection = Selection.parse(search)
        if not isinstance(sort, str) or sort not in SORTS or sort == selection.sort:
            raise PreventUpdate
        return selection.with_(sort=sort).query()


def csv_rows(run: RunData, selection: Selection) -> Table:
    """The gallery's rows, in its order: id, truth, guess, confidence, one probability a class."""
    predictions = run.predictions(selection.split)
    rows = run.ordered(selection)
    head = ["split", "example_id", "true", "predicted", "confidence", *(f"p {name}" for name in run.classes)]
    body = [
        [
            selection.split,
            int(predictions.ids[i]),
            run.classes[predictions.labels[i]],
            run.classes[predictions.predicted[i]],
            f"{predictions.confidence[i]:.6f}",
            *(f"{p:.6f}" for p in predictions.probabilities[i]),
        ]
        for i in rows
    ]
    return head, body


TABLES = {"selection": of_run(csv_rows)}
