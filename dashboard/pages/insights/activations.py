"""Where each filter finds what it looks for in your picture (its feature map): the brighter, the stronger."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard.components import card, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures import activations as figures
from dashboard.format.images import inline_url
from dashboard.pages.insights import architecture, picture
from dashboard.pages.insights.stages import INSIDE
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing

NEEDS = ("network", "layers")


class Ids(StrEnum):
    FACE = "insights-activations-face"
    LAYER = "insights-activations-layer"
    MAPS = "insights-activations-maps"
    NOTE = "insights-activations-note"


def layout(services: Services, selection: Selection) -> html.Article:
    """A layer and its maps."""
    choice = html.Div([html.Label("Layer", htmlFor=Ids.LAYER), dbc.Select(id=Ids.LAYER, options=[])], className="field")
    body = [
        slot(Ids.FACE),
        html.Div(choice, className="row-ff picks"),
        html.Div(panel_states.loading("Asking the network"), id=Ids.MAPS, className="maps"),
        html.P(id=Ids.NOTE, className="faint small"),
    ]
    return card("Feature maps", __doc__, body)


def register(app: Dash, services: Services) -> None:
    """Maps of the chosen picture at the chosen layer."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.MAPS, "children"),
        Output(Ids.LAYER, "options"),
        Output(Ids.LAYER, "value"),
        Output(Ids.NOTE, "children"),
        Input(INSIDE, "data"),
        Input("app-view-state", "data"),
        Input(picture.Ids.STATE, "data"),
        Input(Ids.LAYER, "value"),
        prevent_initial_call=True,
    )
    def draw_activations(near: Any, search: str | None, chosen: Any, layer: Any):
        if not near:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        maps = feature_maps(services, run, selection, chosen)
        layer = layer if isinstance(layer, str) and layer in maps else first_rectified(run, maps)
        return drawing(maps[layer], layer), options(run, maps), layer, note(maps[layer])


def feature_maps(services: Services, run: RunData, selection: Selection, chosen: Any) -> dict[str, np.ndarray]:
    """layer → float32 [ch, h, w] of the chosen picture, in the network's order."""
    pictures = run.pictures(selection.split)
    maps = services.explainer.feature_maps(run.run_id, pictures.images[picture.row_of(pictures, chosen)])
    if not maps:
        raise Missing("This network has no convolutions, so nothing in it is a picture any more after the first step.")
    return maps


def kinds(run: RunData) -> dict[str, dict[str, Any]]:
    """layer name → its entry in the manifest."""
    return {layer["name"]: layer for layer in run.manifest.get("layers", [])}


def first_rectified(run: RunData, maps: dict[str, np.ndarray]) -> str:
    """The first layer of maps without negative values, where bright simply means yes; else the first."""
    known = kinds(run)
    return next((name for name in maps if known.get(name, {}).get("kind") == "ReLU"), next(iter(maps)))


def options(run: RunData, maps: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """'2 ReLU: 32 maps of 26 × 26'."""
    known = kinds(run)
    return [
        {
            "value": name,
            "label": f"{place} {architecture.title(known[name]) if name in known else name}: "
            f"{layer_maps.shape[0]} maps of {layer_maps.shape[1]} × {layer_maps.shape[2]}",
        }
        for place, (name, layer_maps) in enumerate(maps.items(), 1)
    ]


def drawing(maps: np.ndarray, layer: str) -> html.Img:
    """All maps (64 at most) as one picture."""
    image = figures.sheet(maps)
    times = max(1, 720 // image.shape[1])  # square pixels stay square when the browser scales down
    big = image.repeat(times, 0).repeat(times, 1)
    few = min(len(maps), figures.LIMIT)
    return html.Img(src=inline_url(big), alt=f"{few} feature maps of layer {layer}")


def note(maps: np.ndarray) -> str:
    """Which filters speak loudest, and how many stay silent."""
    first = figures.excited(maps)[:3] + 1
    silent = int((maps.max(axis=(1, 2)) <= 0).sum())
    shown = "" if len(maps) <= figures.LIMIT else f"The first {figures.LIMIT} of {len(maps)}. "
    signs = "Blue is above zero, orange below, black is zero. " if maps.min(initial=0) < 0 else "Black is zero. "
    return (
        f"{shown}In order of filters, left to right. {signs}Loudest: filters {', '.join(map(str, first[:-1]))} "
        f"and {first[-1]}; "
        f"{silent or 'none'} of {len(maps)} {'stays' if silent == 1 else 'stay'} silent. Largest value "
        f"{maps.max():.2f}."
    )
