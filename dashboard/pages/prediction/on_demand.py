"""A card below the fold asks about the answer once it comes near the window; before, nobody is asked."""

from dash import Dash, Input, Output, dcc

LOOK = """(id) => {
    new IntersectionObserver((entries, eye) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        eye.disconnect();
        dash_clientside.set_props('%s', {data: 1});
    }, {rootMargin: '80px'}).observe(document.getElementById(id));
    return dash_clientside.no_update;
}"""
TELL = "(near, state, ...more) => (near && state ? {...state, more} : dash_clientside.no_update)"


def layout(id: str) -> list[dcc.Store]:
    """The store `id` holds the answer's state from then on."""
    return [dcc.Store(id=f"{id}-near"), dcc.Store(id=id)]


def register(app: Dash, id: str, card: str, state: str, *more: str) -> None:
    """Watch a card. state: the store with the answer's state; more: other stores, of which it asks again too."""
    app.clientside_callback(LOOK % f"{id}-near", Output(f"{id}-near", "data"), Input(card, "id"))
    app.clientside_callback(
        TELL,
        Output(id, "data"),
        Input(f"{id}-near", "data"),
        *(Input(one, "data") for one in (state, *more)),
        prevent_initial_call=True,
    )
