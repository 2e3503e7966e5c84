"""A panel of pictures, a page of them at a time, in an order that can be chosen.

A panel named `<id>` has the parts `<id>-card`, `<id>-face`, `<id>-title`, `<id>-grid`, `<id>-pager`, `<id>-select` and
`<id>-csv`.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, csv_link, help_line, panel_states, plain, tiles
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import table_url
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import OUTCOMES
from ml.system.wording import quantity

# the orders of the split of an address, and the one that holds
OFFER = """(search, offered, chosen) => {
    const query = new URLSearchParams(search || ''), known = KNOWN, same = window.dash_clientside.no_update;
    const options = known[query.get('split')] || known[''], sort = query.get('sort') || options[0].value;
    const now = options.some((one) => one.value === sort) ? sort : options[0].value;
    const stays = JSON.stringify(options) === JSON.stringify(offered);
    return [stays ? same : options, stays && now === chosen ? same : now];
}"""
# rows in their order, and what draws some of them
Matches = tuple[np.ndarray, Callable[[np.ndarray], list]]


def layout(id: str, help_text: str, selection: Selection, sorts: Mapping[str, str], waiting: str = "") -> html.Article:
    """sorts: value → words; waiting: of the loading face."""
    options = [{"value": value, "label": words} for value, words in sorts.items()]
    order = dbc.Select(id=f"{id}-select", options=options, value=selection.sort, className="sm")
    tools = [html.Label("Order", htmlFor=f"{id}-select", className="sr"), order, html.Span(id=f"{id}-csv")]
    title = html.Div([html.H2(id=f"{id}-title", className="card-title"), help_line(help_text)])
    body = html.Div([plain.place(f"{id}-grid", className="tiles"), html.Div(id=f"{id}-pager", className="pager")])
    head = html.Div([title, html.Div(tools, className="tools")], className="card-h")
    return html.Article([head, slot(f"{id}-face", waiting), body], className="ff-card", id=f"{id}-card")


def register(
    app: Dash,
    id: str,
    noun: str,
    sorts: Mapping[str, str],
    find: Callable[[Selection], Matches],
    of_split: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> None:
    """Exactly the selected images, 48 a page. noun: of the table. find may raise Missing, Broken.

    of_split: the orders of splits that have others than sorts.
    """

    def orders(selection: Selection) -> Mapping[str, str]:
        return of_split.get(selection.split, sorts)

    @panel_callback(
        app,
        f"{id}-face",
        Output(f"{id}-title", "children"),
        plain.children(f"{id}-grid"),
        Output(f"{id}-pager", "children"),
        Output(f"{id}-csv", "children"),
        Input("url", "search"),
    )
    def list_gallery(search: str | None):
        selection = Selection.parse(search)
        rows, draw = find(selection)
        n = len(rows)
        title = quantity(n, "image")
        if selection.ids and selection.sort == "given" and "given" in orders(selection):
            title += ", in the order of the link"
        if not n:
            return title, html.Div(_nothing(selection), className="c12"), None, None
        page, here = tiles.shown(selection, n)
        return title, draw(rows[here]), tiles.pager(selection, page, n), csv_link(table_url(noun, selection))

    if of_split:
        known = {
            split: [{"value": value, "label": words} for value, words in each.items()]
            for split, each in {"": sorts, **of_split}.items()
        }
        app.clientside_callback(
            OFFER.replace("KNOWN", json.dumps(known)),
            Output(f"{id}-select", "options"),
            Output(f"{id}-select", "value"),
            Input("url", "search"),
            State(f"{id}-select", "options"),
            State(f"{id}-select", "value"),
        )

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(f"{id}-select", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def sort_gallery(sort: str | None, search: str | None):
        selection = Selection.parse(search)
        if not isinstance(sort, str) or sort not in orders(selection) or sort == selection.sort:
            raise PreventUpdate
        return selection.with_(sort=sort).query()


def _nothing(selection: Selection) -> list[Any]:
    """Why no image is listed, and what lists some."""
    if not selection.narrowed and selection.outcomes == ("wrong",):
        everything = button("Show all images", search=selection.with_(outcome=OUTCOMES).query())
        return [panel_states.empty("No mistakes here: every answer is right."), everything]
    away = button("Clear the filters", search=selection.clear().query())
    return [panel_states.empty("No image matches all of these filters."), away]
