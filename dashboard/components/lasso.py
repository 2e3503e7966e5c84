"""Drawing around points of a chart: the outline becomes the address, the address the pictures inside.

The browser's side is assets/lasso.js, which writes the address as soon as the pointer lets go; what is inside an
outline, dashboard.data.filtering tells.
"""

from typing import Any

from dash import Dash, Input, Output, State, dcc
from dash.exceptions import PreventUpdate

from dashboard.components import graph
from dashboard.state.selection import Selection
from dashboard.state.values import Lasso
from dashboard.state.vocabulary import MAX_VERTICES

OUTLINE = """(event) => {
    const none = dash_clientside.no_update;
    if (!event || dash_clientside.lasso.taken()) return none;  // what assets/lasso.js saw drawn is the address by now
    const {lassoPoints: lasso, range: box} = event;
    if (lasso && lasso.x) return lasso.x.map((x, i) => [x, lasso.y[i]]);
    if (box && box.x) return [[box.x[0], box.y[0]], [box.x[1], box.y[0]], [box.x[1], box.y[1]], [box.x[0], box.y[1]]];
    return none;
}"""


def chart(id: str, **more: Any) -> dcc.Graph:
    """A chart whose points are on a canvas behind it; it opens with the lasso in hand."""
    made = graph(id, modebar=True, **more)
    made.config["scrollZoom"] = False
    # plotly offers to select only among points that it draws itself; the card saves the chart with its points
    made.config["modeBarButtons"] = [
        ["lasso2d", "select2d", "zoom2d", "pan2d"],
        ["zoomIn2d", "zoomOut2d", "resetScale2d"],
    ]
    return made


def register(app: Dash, chart: str, drawn: str, plot: str) -> None:
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
