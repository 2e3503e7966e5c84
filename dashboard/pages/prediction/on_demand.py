"""A card below the fold asks about the answer once it comes near the window; before, nobody is asked."""

from dash import Dash, Input, Output, dcc

from dashboard.components import lazy_panel

TELL = "(near, state, ...more) => (near && state ? {...state, more} : dash_clientside.no_update)"


def layout(id: str) -> list[dcc.Store]:
    """The store `id` holds the answer's state from then on."""
    return [dcc.Store(id=f"{id}-near"), dcc.Store(id=id)]


def register(app: Dash, id: str, card: str, state: str, *more: str) -> None:
    """Watch a card. state: the store with the answer's state; more: other stores, of which it asks again too."""
    lazy_panel.watch(app, f"{id}-near", card, pixels=80)
    app.clientside_callback(
        TELL,
        Output(id, "data"),
        Input(f"{id}-near", "data"),
        *(Input(one, "data") for one in (state, *more)),
        prevent_initial_call=True,
    )
