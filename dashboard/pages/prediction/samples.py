"""Pictures the network never learned from; choose one to see what it makes of it."""

import random
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import button, card
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.format.images import sprite_url, tile_style
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import label_name


class Ids(StrEnum):
    RANDOM = "prediction-samples-random"
    TOGGLE = "prediction-samples-toggle"
    PANEL = "prediction-samples-panel"
    CLASS = "prediction-samples-class"
    NUMBER = "prediction-samples-number"
    PREVIOUS = "prediction-samples-previous"
    NEXT = "prediction-samples-next"
    WHERE = "prediction-samples-where"
    GRID = "prediction-samples-grid"
    FACE = "prediction-samples-face"


ALL = "all"
TILES_PER_PAGE = 24


def layout(services: Services, selection: Selection) -> html.Div:
    """A strip of the test set by class and number."""
    options = [{"value": ALL, "label": "All classes"}]
    options += [{"value": str(i), "label": name} for i, name in enumerate(class_names(services, selection))]
    tools = [
        html.Div(
            [
                html.Label("Class", htmlFor=Ids.CLASS, className="label"),
                dbc.Select(id=Ids.CLASS, options=options, value=ALL, size="sm"),
            ],
            className="pair",
        ),
        html.Div(
            [
                html.Label("Number", htmlFor=Ids.NUMBER, className="label"),
                dbc.Input(id=Ids.NUMBER, type="number", min=0, step=1, debounce=True, placeholder="0", size="sm"),
            ],
            className="pair",
        ),
        html.Div(
            [
                button(icon("previous"), id=Ids.PREVIOUS, small=True, **{"aria-label": "Earlier pictures"}),
                html.Span(id=Ids.WHERE, className="faint", role="status"),
                button(icon("next"), id=Ids.NEXT, small=True, **{"aria-label": "Later pictures"}),
            ],
            className="pair",
        ),
    ]
    body = [slot(Ids.FACE), html.Div(id=Ids.GRID, className="shelf", **{"data-arrows": "12"})]
    return html.Div(
        card("From the test set", __doc__, body, tools=tools),
        id=Ids.PANEL,
        className="ff-grid",
        hidden=selection.sample is not None,
    )


def class_names(services: Services, selection: Selection) -> list[str]:
    """Of the run of the address; none where it cannot be opened, of which the answer panel tells."""
    try:
        return services.store.shown(selection.run).classes
    except (LookupError, ValueError):
        return []


def toggle_state(opened: bool) -> dict[str, Any]:
    """What the button that shows the strip says of it."""
    return {"aria-expanded": str(opened).lower(), "aria-controls": Ids.PANEL}


def register(app: Dash, services: Services) -> None:
    """A random picture, the strip, and going to a number."""

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(Ids.RANDOM, "n_clicks"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_random(clicks: Any, search: str) -> str:
        selection = Selection.parse(search)
        ids = services.store.shown(selection.run).pictures(selection.split).ids
        others = ids[ids != selection.sample] if selection.sample is not None else ids
        if not clicks or not len(others):
            raise PreventUpdate
        return selection.with_(sample=int(random.choice(others))).query()

    app.clientside_callback(
        "(clicks, hidden) => [!hidden, String(hidden)]",
        Output(Ids.PANEL, "hidden"),
        Output(Ids.TOGGLE, "aria-expanded"),
        Input(Ids.TOGGLE, "n_clicks"),
        State(Ids.PANEL, "hidden"),
        prevent_initial_call=True,
    )

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRID, "children"),
        Output(Ids.WHERE, "children"),
        Output(Ids.NUMBER, "value"),
        Output(Ids.PREVIOUS, "disabled"),
        Output(Ids.NEXT, "disabled"),
        Input("url", "search"),
        Input(Ids.CLASS, "value"),
        Input(Ids.NUMBER, "value"),
        Input(Ids.PREVIOUS, "n_clicks"),
        Input(Ids.NEXT, "n_clicks"),
    )
    def list_samples(search: str, class_id: Any, number: Any, _: Any, __: Any) -> tuple[Any, ...]:
        step = {Ids.PREVIOUS: -TILES_PER_PAGE, Ids.NEXT: TILES_PER_PAGE}.get(ctx.triggered_id, 0)
        return strip(services, Selection.parse(search), class_id, number, step)


def strip(services: Services, selection: Selection, class_id: Any, number: Any, step: int = 0) -> tuple[Any, ...]:
    """Tiles, where they are, the number they start from, and whether there are none before or after.

    number: an example id; the strip starts at it, or at the next one of the class. step: tiles to move by.
    """
    view = services.store.shown(selection.run)
    pictures = view.pictures(selection.split)
    rows = np.arange(len(pictures.ids))
    known = [str(i) for i in range(len(view.classes))]
    if class_id in known:
        rows = rows[pictures.labels == known.index(class_id)]
    start = int(np.searchsorted(pictures.ids[rows], number)) if isinstance(number, int | float) else 0
    start = min(max(start + step, 0), max(0, len(rows) - TILES_PER_PAGE))
    shown = rows[start : start + TILES_PER_PAGE]
    ids = [int(i) for i in pictures.ids[shown]]
    height, width = pictures.images.shape[1:3]
    url = sprite_url(view.picture_set, selection.split, ids)
    tiles = [
        html.Button(
            html.Span(className="px", style=tile_style(url, place, len(ids), height, width)),
            type="button",
            className="tile",
            **{
                "data-search": selection.with_(sample=example_id).query(),
                "aria-label": f"Image {example_id}, {label_name(view.classes, int(pictures.labels[row]))}",
                "aria-current": "true" if example_id == selection.sample else "false",
            },
        )
        for place, (row, example_id) in enumerate(zip(shown, ids, strict=True))
    ]
    where = f"{start + 1:,} to {start + len(shown):,} of {len(rows):,}" if len(shown) else "none"
    moved = (ids[0] if ids else no_update) if step else no_update
    return tiles, where, moved, start == 0, start + TILES_PER_PAGE >= len(rows)
