"""More like this: buttons that select the pictures a network finds most like one, each split by itself.

A panel named `<id>` has the parts `<id>-face`, `<id>-<split>` (a button), `<id>-busy` and `<id>-found`. Any tile
asks for its like too, in its own split: assets/alike.js puts one button over that which is pointed at or has the focus.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import button
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.services.container import Services
from dashboard.services.similar import COUNT
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SCORED
from ml.artifacts.reader import Broken, Missing

NAMES = {"test": "Test", "validation": "Validation", "reference": "Training"}
TILE = "tile-alike"  # the button over a tile; its parts are TILE-asked, -found, -wait and -trouble
BUSY = "Looking at all of them: some seconds, the first time."
HELP = f"The {COUNT} images nearest in the network's feature space, nearest first, as a selection on the Dashboard."


@dataclass(frozen=True)
class Subject:
    """image: uint8 [h, w, c] of the network's form. example_id: of selection.split, None for a picture from outside."""

    run: RunData
    image: np.ndarray
    selection: Selection
    example_id: int | None = None


def layout(id: str) -> html.Div:
    """A button a split, and what is said while a whole split is looked at."""
    buttons = [
        button(
            NAMES[split], id=f"{id}-{split}", small=True, **{"aria-label": f"More like this in {NAMES[split].lower()}"}
        )
        for split in SCORED
    ]
    busy = html.Span(BUSY, id=f"{id}-busy", className="quiet small")
    return html.Div(
        [
            html.H3("More like this"),
            html.P(HELP, className="quiet small"),
            slot(f"{id}-face"),
            html.Div([*buttons, html.Div(busy, id=f"{id}-wait", role="status", hidden=True)], className="row-ff"),
            dcc.Store(id=f"{id}-found"),
        ]
    )


def register(app: Dash, services: Services, id: str, state: State, read: Callable[[Any], Subject]) -> None:
    """A click becomes the address of what was found. read: of the state; may raise PreventUpdate, Missing, Broken."""

    @panel_callback(
        app,
        f"{id}-face",
        Output(f"{id}-found", "data"),
        *(Input(f"{id}-{split}", "n_clicks") for split in SCORED),
        state,
        prevent_initial_call=True,
        running=[(Output(f"{id}-wait", "hidden"), False, True)],
    )
    def find_alike(*values: Any):
        *clicks, known = values
        split = next((split for split in SCORED if ctx.triggered_id == f"{id}-{split}"), None)
        if split is None or not any(clicks):
            raise PreventUpdate
        return {"search": alike(services, read(known), split).query(), "asked": sum(filter(None, clicks))}

    follow(app, f"{id}-found")


def follow(app: Dash, found: str) -> None:
    """What comes into the store `found` is the next address; assets/alike.js brings the gallery into sight."""
    app.clientside_callback(
        "(found) => { if (found && found.search) window.dash_clientside.gallery(found.search); }",
        Input(found, "data"),
        prevent_initial_call=True,
    )


def tile_layout() -> html.Div:
    """The button for all tiles, what is said while a split is looked at, and why nothing was found."""
    press = button(
        icon("alike"),
        id=TILE,
        kind="icon",
        small=True,
        title="More like this (M)",
        hidden=True,
        tabIndex=-1,
        **{"aria-label": "More like this"},
    )
    words = [
        html.P(f"The images most like it are searched for. {BUSY}", id=f"{TILE}-wait", role="status", hidden=True),
        html.P(id=f"{TILE}-trouble", role="alert"),
    ]
    return html.Div(
        [press, html.Div(words, className="toasts"), dcc.Store(id=f"{TILE}-asked"), dcc.Store(id=f"{TILE}-found")]
    )


def register_tiles(app: Dash, services: Services, read: Callable[[object], Subject]) -> None:
    """A tile's address comes in, the address of its like goes out. read: as of `register`."""

    @app.callback(
        Output(f"{TILE}-found", "data"),
        Output(f"{TILE}-trouble", "children"),
        Input(f"{TILE}-asked", "data"),
        prevent_initial_call=True,
        running=[(Output(f"{TILE}-wait", "hidden"), False, True)],
    )
    def find_like_tile(asked: object):
        if not isinstance(asked, dict):
            raise PreventUpdate
        try:
            subject = read(asked.get("search"))
            return {"search": alike(services, subject, subject.selection.split).query(), "at": asked.get("at")}, None
        except (Missing, Broken) as problem:
            return no_update, str(problem)

    follow(app, f"{TILE}-found")


def alike(services: Services, subject: Subject, split: str) -> Selection:
    """The pictures of a split that are most like the subject, in order of distance; the run is named, for good."""
    here = subject.selection
    itself = subject.example_id if here.split == split else None
    ids, _ = services.similar.nearest(subject.run.run_id, subject.image, split, itself=itself)
    found = here.clear().here(split=split, run=subject.run.run_id, versus=None, look=None)
    return found.with_(ids=tuple(int(one) for one in ids), sort="given")
