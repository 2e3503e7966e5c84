"""The same images laid flat (t-SNE): neighbours stay near. Draw around a group to select it."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, graph, panel_states
from dashboard.components.panel import panel_callback, slot
from dashboard.exports import feature_space
from dashboard.figures import projection as figures
from dashboard.pages.insights import projection
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from dashboard.state.vocabulary import MAX_VERTICES

NEEDS = ("features",)
PLOT = "map"  # the plot's name in the address


class Ids(StrEnum):
    GRAPH = "insights-plane-graph"
    FACE = "insights-plane-face"
    DRAWN = "insights-plane-state"
    OUTLINE = "insights-plane-outline"  # dcc.Store: what was just drawn around, [[x, y], …]
    TIP = "insights-plane-tip"


OUTLINE = """(event) => {
    const none = dash_clientside.no_update;
    if (!event || dash_clientside.lasso.taken()) return none;  // what assets/lasso.js saw drawn is the address by now
    const {lassoPoints: lasso, range: box} = event;
    if (lasso && lasso.x) return lasso.x.map((x, i) => [x, lasso.y[i]]);
    if (box && box.x) return [[box.x[0], box.y[0]], [box.x[1], box.y[0]], [box.x[1], box.y[1]], [box.x[0], box.y[1]]];
    return none;
}"""


def layout(services: Services, selection: Selection) -> html.Article:
    """The map; it opens with the lasso in hand."""
    chart = dotted(Ids.GRAPH, clear_on_unhover=True)
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


def dotted(id: str, **more: Any) -> dcc.Graph:
    """A chart whose points are on a canvas behind it; it opens with the lasso in hand."""
    chart = graph(id, modebar=True, **more)
    chart.config["scrollZoom"] = False
    # plotly offers to select only among points that it draws itself; the card saves the chart with its points
    chart.config["modeBarButtons"] = [
        ["lasso2d", "select2d", "zoom2d", "pan2d"],
        ["zoomIn2d", "zoomOut2d", "resetScale2d"],
    ]
    return chart


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
        lasso = scene.selection.lasso
        data = figures.plane(
            scene.points("map_x", "map_y"),
            scene.group,
            scene.colours,
            selected=scene.selected,
            sample=scene.sample,
            outline=lasso.vertices if lasso and lasso.plot == PLOT else (),
            beneath=scene.beneath(),
            mode=scene.mode,
            keep=scene.place,
        )
        data["layout"]["meta"] = around(search, scene.selection, PLOT)
        return projection.patch(data) if change == "view" else data, scene.state

    register_lasso(app, Ids.GRAPH, Ids.OUTLINE, PLOT)
    projection.register_points(app, services, Ids.GRAPH, Ids.TIP)


def register_lasso(app: Dash, chart: str, drawn: str, plot: str) -> None:
    """Points on a canvas (assets/dots.js); drawing around them selects what is inside.

    drawn: a dcc.Store; plot: the plot's name in the address.
    """
    follow = f"() => dash_clientside.dots.follow('{chart}')"
    app.clientside_callback(follow, Input(chart, "figure"), prevent_initial_call=True)
    # the outline alone goes to the server, not the thousands of points inside it
    app.clientside_callback(OUTLINE, Output(drawn, "data"), Input(chart, "selectedData"), prevent_initial_call=True)

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(drawn, "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def select_inside(outline: Any, search: str | None):
        vertices = simplified(outline)
        if len(vertices) < 3:
            raise PreventUpdate
        return Selection.parse(search).with_(lasso=Lasso(plot, vertices)).query()


def around(search: str | None, selection: Selection, plot: str) -> dict[str, Any]:
    """What assets/lasso.js makes the address of an outline of, as soon as it is drawn.

    of: the address that this holds for; lasso: that of an outline without vertices; most: vertices of one.
    """
    return {"of": search or "", "lasso": selection.with_(lasso=Lasso(plot, ())).query(), "most": MAX_VERTICES}


def simplified(outline: Any) -> tuple[tuple[float, float], ...]:
    """A drawn outline, [[x, y], …], with MAX_VERTICES vertices at most, rounded to a thousandth of its size.

    () for anything that is no outline: it comes from the browser.
    """
    if not isinstance(outline, list) or not 3 <= len(outline) <= 20_000:
        return ()
    if not all(
        isinstance(p, list) and len(p) == 2 and all(isinstance(v, int | float) and abs(v) < 1e12 for v in p)
        for p in outline
    ):
        return ()
    import shapely  # 3 MB that only a lasso needs

    line = shapely.LineString(outline)
    west, south, east, north = line.bounds
    size = max(east - west, north - south)
    if size <= 0:
        return ()
    digits = next(d for d in range(13) if 10**-d <= size / 1000 or d == 12)
    step = size / 1000
    small = line.simplify(step, preserve_topology=False)
    while len(small.coords) > MAX_VERTICES:
        step *= 1.5
        small = line.simplify(step, preserve_topology=False)
    points = [(round(x, digits) + 0.0, round(y, digits) + 0.0) for x, y in small.coords]
    if len(points) > 3 and points[0] == points[-1]:
        points.pop()
    return tuple(dict.fromkeys(points))
