"""First line: what A says and its confidence in percent. Second: the same of B. Third: the label."""

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, csv_link, dot, panel_states, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunPair
from dashboard.exports.tables import Table, of_pair, url
from dashboard.services.container import Services
from dashboard.state.selection import BUCKETS, Selection

FACE = "comparison-gallery-face"
GRID = "comparison-gallery-grid"
TITLE = "comparison-gallery-title"
PAGER = "comparison-gallery-pager"
SORT = "comparison-gallery-select"
CSV = "comparison-gallery-csv"
SORTS = {"confident": "Furthest apart", "unsure": "Least confident", "id": "By id"}


def layout(services: Services, selection: Selection) -> html.Article:
    """The images of the selection, a page at a time."""
    sort = dbc.Select(
        id=SORT,
        options=[{"value": value, "label": words} for value, words in SORTS.items()],
        value=selection.sort,
        className="sm",
    )
    tools = [html.Label("Order", htmlFor=SORT, className="sr"), sort, html.Span(id=CSV)]
    head = html.Div(
        [
            html.Div([html.H2(id=TITLE, className="card-title"), html.P(__doc__)]),
            html.Div(tools, className="tools"),
        ],
        className="card-h",
    )
    body = html.Div([plain.place(GRID, className="tiles"), html.Div(id=PAGER, className="pager")])
    return html.Article(
        [head, slot(FACE, "Fetching pictures"), body], className="ff-card", id="comparison-gallery-card"
    )


def register(app: Dash, services: Services) -> None:
    """Exactly the selected images, 48 a page."""

    @panel_callback(
        app,
        FACE,
        Output(TITLE, "children"),
        plain.children(GRID),
        Output(PAGER, "children"),
        Output(CSV, "children"),
        Input("url", "search"),
    )
    def list_gallery(search: str | None):
        selection = Selection.parse(search)
        pair = services.store.compare(selection)
        rows = pair.ordered(selection)
        n = len(rows)
        title = f"{n:,} image{'' if n == 1 else 's'}"
        if not n:
            nothing = [
                panel_states.empty("No image matches all of these filters."),
                button("Clear the filters", search=selection.clear().query()),
            ]
            return title, html.Div(nothing, className="c12"), None, None
        page, here = tiles.shown(selection, n)
        csv = csv_link(url("pairs", selection))
        return title, pictures(pair, selection, rows[here]), tiles.pager(selection, page, n), csv

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


def pictures(pair: RunPair, selection: Selection, rows: np.ndarray) -> list:
    """The images at these places of the comparison, with both answers and the label."""
    classes, answers = pair.a.classes, pair.answers
    first, second = pair.probabilities()
    captions = []
    for row in rows.tolist():
        label = int(answers.labels[row])
        lines, spoken = [], [f"true {classes[label]}"]
        for name, said, probabilities in (("A", answers.a, first), ("B", answers.b, second)):
            guess, sure = int(said[row]), 100 * float(probabilities[row].max())
            kind = "l1 ok" if guess == label else "l1 off"
            lines.append(
                html.Span([dot(guess), html.Span(classes[guess]), html.B(f"{int(sure)}")], className=kind, title=name)
            )
            spoken.append(f"{name} predicted {classes[guess]}, confidence {sure:.0f} percent")
        lines.append(html.Span(f"is {classes[label]}", className="l2"))
        captions.append((lines, ", ".join(spoken)))
    return tiles.gallery(pair.a, selection, pair.ids[rows].tolist(), captions)


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The gallery's rows on a page about two runs, in its order."""
    rows, said, names = pair.ordered(selection), pair.answers, pair.a.classes
    first, second = (p.max(1) for p in pair.probabilities())
    ids = pair.ids
    head = ["split", "example_id", "true", "A", "A confidence", "B", "B confidence", "who is right"]
    return head, [
        [
            selection.split, int(ids[i]), names[said.labels[i]], names[said.a[i]], f"{first[i]:.6f}", names[said.b[i]],
            f"{second[i]:.6f}", BUCKETS[said.bucket[i]],
        ]
        for i in rows
    ]  # fmt: skip


TABLES = {"pairs": of_pair(csv_rows)}
