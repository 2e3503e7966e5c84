"""Html that no callback reads, put on the page as plain elements: the renderer of Dash asks every component each time.

On every change of its store (one for each output, one for each new component) it runs through all components, so a
click costs old times new ones: with 48 tiles of seven components each, more than two seconds.
"""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component


def place(id: str, element: type[Component] = html.Div, **attributes: Any) -> list[Component]:
    """An empty element with this id, and the store of the html that assets/plain.js puts into it."""
    return [element(id=id, **attributes), dcc.Store(id=f"{id}-tree")]


def children(app: Dash, id: str) -> Output:
    """The output of a callback that returns html components, nested as they may be, for `place(id)`."""
    app.clientside_callback(ClientsideFunction("plain", "put"), Input(f"{id}-tree", "data"), State(f"{id}-tree", "id"))
    return Output(f"{id}-tree", "data")
