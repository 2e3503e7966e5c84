"""What each small window (filter) looks for: blue adds to its response, orange takes away, pale counts for nothing."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, csv_link, graph
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import filters as figures
from dashboard.format.csv import table_url
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing

NEEDS = ("layers",)


class Ids(StrEnum):
    FACE = "insights-filters-face"
    GRAPH = "insights-filters-graph"
    BOX = "insights-filters-box"
    LAYER = "insights-filters-layer"
    PART = "insights-filters-part"
    NOTE = "insights-filters-note"
    CSV = "insights-filters-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """A layer, a part of it, its kernels."""
    controls = html.Div(
        [
            html.Div([html.Label("Layer", htmlFor=Ids.LAYER), dbc.Select(id=Ids.LAYER, options=[])], className="field"),
            html.Div([html.Label("Show", htmlFor=Ids.PART), dbc.Select(id=Ids.PART, options=[])], className="field"),
        ],
        className="row-ff picks",
    )
    body = [
        slot(Ids.FACE),
        controls,
        html.Div(graph(Ids.GRAPH), id=Ids.BOX, className="chart kernels"),
        html.P(id=Ids.NOTE, className="faint small"),
    ]
    return card("Filters", __doc__, body, tools=html.Span(csv_link(""), id=Ids.CSV))


def register(app: Dash, services: Services) -> None:
    """Kernels of the chosen layer and part; both choices follow the run."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.BOX, "style"),
        Output(Ids.LAYER, "options"),
        Output(Ids.LAYER, "value"),
        Output(Ids.PART, "options"),
        Output(Ids.PART, "value"),
        Output(Ids.NOTE, "children"),
        Output(Ids.CSV, "children"),
        Input(LATER, "data"),
        Input("app-view-state", "data"),
        Input(Ids.LAYER, "value"),
        Input(Ids.PART, "value"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_filters(later: Any, search: str | None, layer: Any, part: Any, mode: Any):
        if not later:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        kernels = convolutions(run)
        layer = layer if isinstance(layer, str) and layer in kernels else next(iter(kernels))
        weights = kernels[layer].astype(np.float32)
        parts = figures.parts(*weights.shape[:2])
        number = (
            int(part) if isinstance(part, str) and part.isdecimal() and len(part) < 5 and int(part) < len(parts) else 0
        )
        return (
            figures.kernels(weights, parts[number], mode=theme.mode_of(mode)),
            {"aspectRatio": figures.aspect(weights, parts[number])},
            layer_options(run, kernels),
            layer,
            [{"value": str(i), "label": p.words} for i, p in enumerate(parts)],
            str(number),
            note(weights, parts[number]),
            csv_link(table_url("filters", selection)),
        )


def convolutions(run: RunData) -> dict[str, np.ndarray]:
    """Kernels by layer; Missing says why there are none."""
    layers = run.manifest.get("layers", [])
    if layers and not any(layer["kind"].startswith("Conv2d") for layer in layers):
        raise Missing("This network has no convolutions, so it has no filters: it reads all pixels at once.")
    return run.filters()


def layer_options(run: RunData, kernels: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """'Convolution 2, 64 filters'."""
    return [
        {"value": name, "label": f"Convolution {place}, {w.shape[0]} filters"}
        for place, (name, w) in enumerate(kernels.items(), 1)
    ]


def note(weights: np.ndarray, part: figures.Part) -> str:
    """How many are shown and where the colours end."""
    outputs, inputs, high, wide = weights.shape
    return (
        f"{len(part.places)} of {outputs * inputs:,} kernels of {high} × {wide} weights, numbered by "
        f"{'filter' if len({o for o, _ in part.places}) > 1 else 'input channel'}. "
        f"Colours reach from −{figures.strongest(weights, part):.2f} to +{figures.strongest(weights, part):.2f}."
    )


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row a weight; filter, input, row and column count from 1."""
    head = ["layer", "filter", "input", "row", "column", "weight"]
    return head, [
        [layer, *(i + 1 for i in place), f"{value:.6g}"]
        for layer, weights in run.filters().items()
        for place, value in np.ndenumerate(weights)
    ]


TABLES = {"filters": of_run(csv_rows)}
