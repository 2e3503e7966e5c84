"""The same images laid flat (t-SNE): neighbours stay near. Draw around a group to select it."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, lasso, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.exports import feature_space
from dashboard.figures import projection as figures
from dashboard.pages.insights import projection
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = ("features",)
PLOT = "map"  # the plot's name in the address


class Ids(StrEnum):
    GRAPH = "insights-plane-graph"
    FACE = "insights-plane-face"
    DRAWN = "insights-plane-state"
    OUTLINE = "insights-plane-outline"  # dcc.Store: what was just drawn around, [[x, y], …]
    TIP = "insights-plane-tip"


def layout(services: Services, selection: Selection) -> html.Article:
    """The map; it opens with the lasso in hand."""
    chart = lasso.chart(Ids.GRAPH, clear_on_unhover=True)
    body = [
        slot(Ids.FACE),
        html.Div(
            [chart, panel_states.loading("Spreading the images"), projection.tip(Ids.TIP)],
            className="chart plane",
            role="group",
            **{"aria-label": "2D feature map"},
        ),
        html.P(
            "Without a mouse: the classes above and Add filter select too. Nothing chosen means every point is lit.",
            className="faint small",
        ),
        dcc.Store(id=Ids.DRAWN),
        dcc.Store(id=Ids.OUTLINE),
    ]
    return card("Map", __doc__, body)


def register(app: Dash, services: Services) -> None:
    """Points, lasso, the picture under the pointer, the click."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.DRAWN, "data"),
        Input(LATER, "data"),
        Input("url", "search"),
        Input(projection.Ids.COLOUR, "value"),
        Input(theme.STATE, "data"),
        State(Ids.DRAWN, "data"),
        prevent_initial_call=True,
    )
    def draw_map(later: Any, search: str | None, colour: Any, mode: Any, drawn: Any):
        if not later:
            raise PreventUpdate
        scene = feature_space.Scene(services, search, colour, mode)
        change = scene.change(drawn)
        if change is None:
            raise PreventUpdate
        drawn_around = scene.selection.lasso
        data = figures.plane(
            scene.points("map_x", "map_y"),
            scene.group,
            scene.colours,
            selected=scene.selected,
            sample=scene.sample,
            outline=drawn_around.vertices if drawn_around and drawn_around.plot == PLOT else (),
            beneath=scene.beneath(),
            mode=scene.mode,
            keep=scene.place,
        )
        data["layout"]["meta"] = lasso.around(search, scene.selection, PLOT)
        return projection.patch(data) if change == "view" else data, scene.state

    lasso.register(app, Ids.GRAPH, Ids.OUTLINE, PLOT)
    projection.register_points(app, services, Ids.GRAPH, Ids.TIP)
