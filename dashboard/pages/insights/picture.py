"""Choose an image: the panels beside and below follow it through the network."""

from enum import StrEnum
from typing import Any

import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, card, dot, panel_states
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.format.images import single_url, sprite_url, tile_style
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import label_name
from ml.artifacts.reader import Missing, Pictures


class Ids(StrEnum):
    STATE = "insights-picture-state"  # dcc.Store: the chosen example's id
    FACE = "insights-picture-face"
    CHOSEN = "insights-picture-shown"
    STRIP = "insights-picture-strip"
    SHUFFLE = "insights-picture-shuffle"
    TILE = "insights-picture-tile"  # {"type": this, "index": example id}


PICTURES_OFFERED = 15  # pictures to choose from


def layout(services: Services, selection: Selection) -> html.Article:
    """The chosen picture above a handful of others."""
    body = [
        slot(Ids.FACE),
        html.Div(panel_states.loading("Fetching pictures"), id=Ids.CHOSEN, className="chosen"),
        html.Div(id=Ids.STRIP, className="strip-ff"),
        html.P("An image opened anywhere in the app is followed too.", className="faint small"),
        dcc.Store(id=Ids.STATE),
    ]
    return card(
        "Your picture",
        __doc__,
        body,
        tools=button([icon("shuffle"), "Others"], id=Ids.SHUFFLE, small=True),
    )


def register(app: Dash, services: Services) -> None:
    """The strip, the choice, the chosen one."""

    @app.callback(
        Output(Ids.STATE, "data"),
        Input("url", "search"),
        Input({"type": Ids.TILE, "index": ALL}, "n_clicks"),
        State(Ids.STATE, "data"),
    )
    def choose_picture(search: str | None, clicks: list, chosen: Any):
        sample = Selection.parse(search).sample
        if isinstance(ctx.triggered_id, dict):
            if not any(clicks) or not ctx.triggered[0]["value"]:  # the strip was redrawn, nobody clicked
                raise PreventUpdate
            return ctx.triggered_id["index"]
        if sample is None or sample == chosen:
            raise PreventUpdate
        return sample

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.CHOSEN, "children"),
        Output(Ids.STRIP, "children"),
        Input(LATER, "data"),
        Input("url", "search"),
        Input(Ids.STATE, "data"),
        Input(Ids.SHUFFLE, "n_clicks"),
        prevent_initial_call=True,
    )
    def show_picture(later: Any, search: str | None, chosen: Any, shuffles: int | None):
        if not later:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        pictures = run.pictures(selection.split)
        row = row_of(pictures, chosen)
        return shown(run, selection, pictures, row), strip(run, selection, pictures, row, shuffles or 0)


def row_of(pictures: Pictures, chosen: Any) -> int:
    """Position of the chosen example; of the first when that is not in this split. Raises Missing where none is."""
    if not len(pictures.ids):
        raise Missing("This data set has no image in this split.")
    if not isinstance(chosen, int):
        return 0
    row = int(np.searchsorted(pictures.ids, chosen))
    return row if row < len(pictures.ids) and pictures.ids[row] == chosen else 0


def some(labels: np.ndarray, number: int, shuffles: int) -> np.ndarray:
    """`number` rows at most that go round the classes; other ones with every shuffle."""
    rng = np.random.default_rng(max(shuffles, 0))
    order = rng.permutation(len(labels))
    by_class = [order[labels[order] == c] for c in range(int(labels.min(initial=0)), int(labels.max(initial=0)) + 1)]
    rounds = [rows[turn] for turn in range(number) for rows in by_class if turn < len(rows)]
    return np.array(rounds[:number], int)


def shown(run: RunData, selection: Selection, pictures: Pictures, row: int) -> list:
    """The picture, large, and what was said of it."""
    example_id = int(pictures.ids[row])
    predictions = run.predictions(selection.split)
    at = predictions.row(example_id)
    guess, label = int(predictions.predicted[at]), predictions.label(at)
    name = label_name(run.classes, label)
    verdict = badge(name) if label is None else badge("right", "good") if guess == label else badge("wrong", "bad")
    return [
        html.Img(
            src=single_url(run.picture_set, selection.split, example_id),
            alt=f"Image {example_id}: {name}",
            className="crisp",
        ),
        html.Div(
            [
                html.B(["" if label is None else dot(label), name]),
                html.Span(
                    f"predicted {run.classes[guess]}"
                    + (f", {100 * predictions.confidence[at]:.1f} %" if run.can("top-k") else ""),
                    className="quiet small",
                ),
                html.Div([verdict]),
                html.Span(f"{selection.split} #{example_id}", className="faint small"),
            ]
        ),
    ]


def strip(run: RunData, selection: Selection, pictures: Pictures, chosen: int, shuffles: int) -> list:
    """Buttons, one a picture."""
    rows = some(pictures.labels, PICTURES_OFFERED, shuffles)
    ids = [int(i) for i in pictures.ids[rows]]
    height, width = pictures.images.shape[1:3]
    sheet = sprite_url(run.picture_set, selection.split, ids)
    return [
        html.Button(
            html.Span(className="px", style=tile_style(sheet, place, len(ids), height, width)),
            id={"type": Ids.TILE, "index": example_id},
            type="button",
            className="tile",
            **{
                "data-alike": selection.with_(sample=example_id).query(),
                "aria-label": f"Follow image {example_id}, {label_name(run.classes, int(pictures.labels[row]))}",
                "aria-pressed": str(row == chosen).lower(),
            },
        )
        for place, (row, example_id) in enumerate(zip(rows, ids, strict=True))
    ]
