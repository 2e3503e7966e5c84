"""A panel below the fold costs nothing until it comes near the window; from then on it follows the address."""

from typing import Any

from dash import Dash, Input, Output, State, dcc
from dash.exceptions import PreventUpdate

from dashboard.state.selection import Selection

# Watched once the page above has its content: before that everything is near the window.
NEAR = """(id) => {
    const busy = () => {
        const {stored, completed, ...waiting} = window.store ? window.store.getState().callbacks : {};
        return Object.values(waiting).flat().length > 0;
    };
    const watch = (tries) => {
        const element = document.getElementById(id);
        if (!element) return;
        if (busy() && tries < 80) { setTimeout(() => watch(tries + 1), 100); return; }
        new IntersectionObserver((entries, eye) => {
            if (!entries.some((entry) => entry.isIntersecting)) return;
            eye.disconnect();
            if (element.isConnected) dash_clientside.set_props('%s', {data: window.location.pathname});
        }, {rootMargin: '%dpx'}).observe(element);
    };
    setTimeout(() => watch(0), 100);
    return dash_clientside.no_update;
}"""

# The address of another page is not for this one's panels: they would be asked for while that page takes their place.
SEARCH_WHEN_NEAR = """(near, search, before) => {
    const now = near === window.location.pathname ? search || '' : null;
    return now === null || now === before ? dash_clientside.no_update : now;
}"""


def layout(id: str) -> list[dcc.Store]:
    """The store `id` holds the address once its element came near; it is empty before."""
    return [dcc.Store(id=id), dcc.Store(id=f"{id}-seen")]


def read(search: Any) -> Selection:
    """What the store holds; raises PreventUpdate while it is empty."""
    if not isinstance(search, str):
        raise PreventUpdate
    return Selection.parse(search)


def watch(app: Dash, store: str, element: str, *, pixels: int = 160) -> None:
    """The store holds the page's path once the element is so near the window."""
    # Dash calls a callback on arrival only where it has an output
    app.clientside_callback(NEAR % (store, pixels), Output(store, "data"), Input(element, "id"))


def register(app: Dash, id: str, element: str) -> None:
    """Watch an element; panels of it have Input(id, "data")."""
    watch(app, f"{id}-seen", element)
    app.clientside_callback(
        SEARCH_WHEN_NEAR, Output(id, "data"), Input(f"{id}-seen", "data"), Input("url", "search"), State(id, "data")
    )
