"""Every image as the network sees it (feature space, PCA): near means alike. Turn it, click a point to open it."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, class_choices, clicks, csv_link, dot, graph, panel_states, plain, segmented
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.feature_space import COLOURS, Scene
from dashboard.exports.tables import Table, of_run
from dashboard.figures import projection as figures
from dashboard.format.csv import table_url
from dashboard.format.images import single_url
from dashboard.pages.insights.stages import SPACE, SPACE_FACE, START
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import NO_LABEL
from ml.artifacts.reader import Broken, Missing

NEEDS = ("features",)


class Ids(StrEnum):
    COLOUR = "insights-projection-colour"
    LEGEND = "insights-projection-legend"
    DRAWN = "insights-projection-state"  # dcc.Store: what the chart shows, so that only the difference is sent
    TIP = "insights-projection-tip"
    PRESSED = "insights-projection-pressed-state"  # dcc.Store: the point under a press
    CSV = "insights-projection-csv"


# plotly reports a click on a 3D point only when it draws a frame while the button is down, which a quick click on a
# slow machine outruns; so a press on the point under the pointer, let go in the same place, counts as well.
PRESSED = """(event) => {
    const chart = document.getElementById('%s');
    if (!chart) return;
    chart.pointed = event;
    if (chart.listens) return;
    chart.listens = true;
    let at = null;
    chart.addEventListener('pointerdown', (e) => { at = {x: e.clientX, y: e.clientY, event: chart.pointed}; }, true);
    chart.addEventListener('pointerup', (e) => {
        if (at && at.event && Math.hypot(e.clientX - at.x, e.clientY - at.y) < 4)
            dash_clientside.set_props('%s', {data: at.event});
        at = null;
    }, true);
}"""

DOCUMENT = "/export/projection.html"
UNSCORED = (
    "No labels: coloured by predicted class. On the map, pictures of train lie faint beneath, in the colours of their "
    "labels."
)


def layout(services: Services, selection: Selection) -> html.Article:
    """The chart, its legend, the picture that follows the pointer."""
    chart = graph(SPACE, modebar=True, clear_on_unhover=True)
    chart.config["scrollZoom"] = False  # a wheel over the chart goes on scrolling the page
    body = [
        slot(SPACE_FACE),
        segmented(Ids.COLOUR, COLOURS, "true", "Colour by"),
        plain.place(Ids.LEGEND, className="legend-ff"),
        html.Div(
            [chart, panel_states.loading("Arranging the images"), tip(Ids.TIP)],
            className="chart space",
            role="group",
            **{"aria-label": "3D feature space"},
        ),
        dcc.Store(id=Ids.DRAWN),
        dcc.Store(id=Ids.PRESSED),
    ]
    return card(
        "Feature space",
        __doc__,
        body,
        tools=html.Span(links(Selection(), "true", "light"), id=Ids.CSV, className="row-ff"),
    )


def links(selection: Selection, colour: str, mode: str) -> list:
    """The coordinates as a table, the chart as a document of its own."""
    query = selection.here().query()
    address = f"{DOCUMENT}{query}{'&' if query else '?'}colour={colour}&theme={mode}"
    return [
        html.A(
            [icon("download"), "HTML"],
            href=address,
            className="btn-ff sm",
            download="",
            title="This 3D chart as one HTML file",
        ),
        csv_link(table_url("projection", selection)),
    ]


def tip(id: str) -> dcc.Tooltip:
    """The picture under the pointer."""
    return dcc.Tooltip(
        id=id, background_color="var(--ff-solid)", border_color="var(--ff-line-2)", loading_text="", zindex=25
    )


def register(app: Dash, services: Services) -> None:
    """Points, legend, the picture under the pointer, the click, the document."""

    @panel_callback(
        app,
        SPACE_FACE,
        Output(SPACE, "figure"),
        Output(Ids.DRAWN, "data"),
        plain.children(Ids.LEGEND),
        Output(Ids.CSV, "children"),
        Input(START, "data"),
        Input("url", "search"),
        Input(Ids.COLOUR, "value"),
        Input(theme.STATE, "data"),
        State(Ids.DRAWN, "data"),
        prevent_initial_call=True,
    )
    def draw_projection(start: Any, search: str | None, colour: Any, mode: Any, drawn: Any):
        if not start:
            raise PreventUpdate
        scene = Scene(services, search, colour, mode)
        change = scene.change(drawn)
        if change is None:
            raise PreventUpdate
        data = figures.scatter(
            scene.points("pca_x", "pca_y", "pca_z"),
            scene.group,
            scene.colours,
            variance=scene.run.manifest.get("explained_variance", ()),
            selected=scene.selected,
            sample=scene.sample,
            mode=scene.mode,
            keep=scene.place,
        )
        tools = links(scene.selection, scene.colour, scene.mode)
        return patch(data) if change == "view" else data, scene.state, legend(scene), tools

    register_points(app, services, SPACE, Ids.TIP, Input(Ids.PRESSED, "data"))
    app.clientside_callback(PRESSED % (SPACE, Ids.PRESSED), Input(SPACE, "hoverData"), prevent_initial_call=True)


def legend(scene: Scene) -> list:
    """A button for each colour group: choosing it selects its images."""
    name = {"true": "true", "predicted": "pred", "outcome": "outcome"}[scene.colour]
    chosen = getattr(scene.selection, name)
    colours = dict(scene.named)

    def group(place: int | str, words: str) -> html.Button:
        own = html.I(className="dot", style={"--c": colours.get(words)}) if name == "outcome" else dot(place)
        return html.Button(
            [own, html.Span(words)],
            type="button",
            title=words,
            **{
                "data-search": scene.selection.toggle(name, words).query(),
                "data-add": scene.selection.toggle(name, words, add=True).query(),
                "aria-pressed": str(words in chosen).lower(),
            },
        )

    names = [words for words, _ in scene.named]
    note = [] if scene.scored else [html.Span(UNSCORED, className="faint small")]
    if len(names) <= MANY_CLASSES:
        return [*(group(place, words) for place, words in enumerate(names)), *drawn(scene), *note]
    first = [names.index(words) for words in chosen if words in names]
    found = class_choices.choices(names, group, label="light it up", first=first, className="legend-ff")
    words = f"{theme.COLOURED} of {len(names):,} classes have a colour of their own; choose one to see where it lies."
    return [
        html.Div(found, className="legend-many", **class_choices.named(names)),
        html.Span(words, className="faint small"),
        *drawn(scene),
        *note,
    ]


def drawn(scene: Scene) -> list:
    """How many of the images are points of the chart, where that is not all of them."""
    if len(scene.rows) == scene.n:
        return []
    words = f"{len(scene.rows):,} of {scene.n:,} images are drawn, the same share of each class"
    return [html.Span(words, className="faint small")]


def patch(data: dict[str, Any]) -> Patch:
    """The same points in another light: colours, what is selected, what is open. Points and camera stay."""
    change = Patch()
    for part in ("marker", "customdata", "meta"):
        if part in data["data"][0]:
            change["data"][0][part] = data["data"][0][part]
    for trace in (figures.SELECTED, figures.SAMPLE):
        change["data"][trace] = data["data"][trace]
    layout = data["layout"]
    change["layout"]["template"] = layout["template"]
    if "scene" in layout:
        for axis in ("xaxis", "yaxis", "zaxis"):  # the whole scene would move the camera
            change["layout"]["scene"][axis]["gridcolor"] = layout["scene"][axis]["gridcolor"]
    else:
        for part in ("shapes", "selections"):  # plotly leaves out what is empty
            change["layout"][part] = layout.get(part, [])
        for part in ("selectionrevision", "newselection"):
            change["layout"][part] = layout[part]
        if "meta" in layout:
            change["layout"]["meta"] = layout["meta"]
    return change


def register_points(app: Dash, services: Services, chart: str, pointer: str, *more: Input) -> None:
    """Hovering a point shows its picture, clicking it opens it; the server knows which example a point is.

    more: other inputs that hold the event of a click.
    """

    @app.callback(
        Output(pointer, "show"),
        Output(pointer, "bbox"),
        Output(pointer, "children"),
        Input(chart, "hoverData"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def show_point(event: Any, search: str | None):
        example = example_at(services, search, event)
        if example is None:
            return False, no_update, no_update
        run, selection, example_id = example
        return True, event["points"][0].get("bbox"), glance(run, selection, example_id)

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(chart, "clickData"),
        *more,
        State("url", "search"),
        prevent_initial_call=True,
    )
    def open_point(*values: Any):
        search, event = values[-1], ctx.triggered[0]["value"]
        example = example_at(services, search, event)
        if example is None:
            raise PreventUpdate
        _, selection, example_id = example
        return selection.with_(sample=example_id).query()


def example_at(services: Services, search: str | None, event: Any) -> tuple[RunData, Selection, int] | None:
    """Run, selection and example id of the point of a hover or click event, None for none."""
    point = clicks.point(event)
    curve, number = point.get("curveNumber"), point.get("pointNumber")
    if type(curve) is not int or type(number) is not int or number < 0:
        return None
    selection = Selection.parse(search)
    try:
        run = services.store.shown(selection.run).for_selection(selection)
        rows = run.sketched(selection.split)
        if curve == figures.SELECTED:
            rows = rows[run.holds(selection, rows)]
        ids = run.predictions(selection.split).ids[rows]
    except (Missing, Broken):
        return None
    if curve == figures.SAMPLE:
        return None if selection.sample is None else (run, selection, selection.sample)
    return (run, selection, int(ids[number])) if curve in (0, figures.SELECTED) and number < len(ids) else None


def glance(run: RunData, selection: Selection, example_id: int) -> html.Div:
    """The picture, the guess and the truth."""
    predictions = run.predictions(selection.split)
    row = predictions.row(example_id)
    guess, label = int(predictions.predicted[row]), predictions.label(row)
    truth = NO_LABEL if label is None else "right" if guess == label else f"is {run.classes[label]}"
    where = single_url(run.picture_set, selection.split, example_id)
    return html.Div(
        [
            *([html.Img(src=where, alt="")] if run.without(selection.split) is None else []),
            html.Div(
                [
                    html.B([dot(guess), run.classes[guess]]),
                    html.Span((f"{100 * predictions.confidence[row]:.0f} %, " if run.can("top-k") else "") + truth),
                    html.Span(f"#{example_id}", className="faint"),
                ]
            ),
        ],
        className="glance",
    )


def csv_rows(run: RunData, selection: Selection) -> Table:
    """Coordinates of the split."""
    frame = run.projection(selection.split)
    return list(frame.columns), frame.to_numpy(dtype=object).tolist()


TABLES = {"projection": of_run(csv_rows)}
