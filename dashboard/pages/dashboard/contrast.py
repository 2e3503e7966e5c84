"""Two cells of the matrix side by side: the mean of each, its confidence (share of images, %), pictures."""

from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.analysis import confidence
from dashboard.components import button, csv_link, dot, graph, help_line, plain, save_menu, tiles
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.components.selection_bar import words
from dashboard.data.run import RunData
from dashboard.figures import confidence as figure
from dashboard.format.csv import table_url
from dashboard.format.images import inline_url
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.system.wording import quantity

ID = "dashboard-contrast"
FACE = f"{ID}-face"
ADDRESS_STORE = f"{ID}-state"  # dcc.Store: the address while it names a second cell, "" otherwise
TRUE, PRED = f"{ID}-true", f"{ID}-pred"
SIDES = ("a", "b")
TILES = 12

OPEN = """(search, before) => {
    const now = new URLSearchParams(search || '').has('contrast') ? search : '';
    if (now === before) return [dash_clientside.no_update, dash_clientside.no_update];
    const panel = document.getElementById('%s');
    if (now && !before && panel) setTimeout(() => panel.scrollIntoView({block: 'nearest'}), 60);
    return [now, now ? 'ff-card contrast' : 'contrast gone'];
}"""


def layout(services: Services, selection: Selection) -> html.Section:
    """Not there until a second cell is chosen."""
    head = html.Div(
        [
            html.Div([html.H2("Contrast", className="card-title"), help_line(__doc__)]),
            html.Div([save_menu(), plain.place(f"{ID}-tools", className="row-ff")], className="tools"),
        ],
        className="card-h",
    )
    return html.Section(
        [
            dcc.Store(id=ADDRESS_STORE, data=""),
            slot(FACE, "Laying both cells out"),
            html.Div([head, html.Div([side(name) for name in SIDES], className="sides")]),
        ],
        id=ID,
        className="contrast gone",
        **{"aria-label": "Contrast of two cells"},
    )


def side(name: str) -> html.Div:
    """Head, mean and histogram, pictures."""
    choose: list = []
    if name == "b":
        choose = [
            html.Div(
                [
                    html.Label("true", htmlFor=TRUE, className="small quiet"),
                    dbc.Select(id=TRUE, options=[], className="sm"),
                    html.Label("predicted", htmlFor=PRED, className="small quiet"),
                    dbc.Select(id=PRED, options=[], className="sm"),
                ],
                className="row-ff",
            )
        ]
    return html.Div(
        [
            plain.place(f"{ID}-{name}-head", className="side-h"),
            *choose,
            html.Div(
                [
                    plain.place(f"{ID}-{name}-mean", "figure", className="mean"),
                    html.Div(graph(f"{ID}-{name}-graph"), className="chart"),
                ],
                className="meanrow",
            ),
            plain.place(f"{ID}-{name}-tiles", className="tiles"),
        ],
        className=f"side {name}",
    )


def register(app: Dash, services: Services) -> None:
    """Drawn only while the address names a second cell."""
    app.clientside_callback(
        OPEN % ID,
        Output(ADDRESS_STORE, "data"),
        Output(ID, "className"),
        Input("url", "search"),
        State(ADDRESS_STORE, "data"),
    )

    @panel_callback(
        app,
        FACE,
        plain.children(f"{ID}-tools"),
        *(
            output
            for name in SIDES
            for output in (
                plain.children(f"{ID}-{name}-head"),
                plain.children(f"{ID}-{name}-mean"),
                Output(f"{ID}-{name}-graph", "figure"),
                plain.children(f"{ID}-{name}-tiles"),
            )
        ),
        Output(TRUE, "options"),
        Output(TRUE, "value"),
        Output(PRED, "options"),
        Output(PRED, "value"),
        Input(ADDRESS_STORE, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_contrast(search: Any, mode: Any):
        if not isinstance(search, str) or not search:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run).for_selection(selection)
        return drawn(run, selection, theme.mode_of(mode))

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(TRUE, "value"),
        Input(PRED, "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_other(true: Any, pred: Any, search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        if true not in run.classes or pred not in run.classes or not selection.contrast:
            raise PreventUpdate
        if selection.other_cell(run.classes) == (true, pred):
            raise PreventUpdate
        return selection.beside(true, pred).query() if selection.true or selection.pred else None


def drawn(run: RunData, selection: Selection, mode: str) -> tuple:
    """Every part, in the order of the callback's outputs. Raises Missing where the second cell is not of this run."""
    other = selection.contrasted(run.classes)
    if other is None:
        raise Missing(f"The second cell, {selection.contrast}, is none of {run.title}'s matrix.")
    first = selection.with_(contrast=None)
    counts = [spread(run, one) for one in (first, other)]
    top = max((float(c.max() / c.sum()) for c in counts if c.sum()), default=1.0)
    parts: list = []
    for one, count in zip((first, other), counts, strict=True):
        rows = run.ordered(one)
        parts += [
            head(run, selection, one, len(rows)),
            mean(run, one, len(rows)),
            figure.shares(count, top=top, mode=mode),
            tiles.answers(run, selection, rows[:TILES]) if len(rows) else [html.P("No image.", className="quiet")],
        ]
    options = [{"value": name, "label": name} for name in run.classes]
    return tools(selection, other), *parts, options, other.true[0], options, other.pred[0]


def spread(run: RunData, selection: Selection) -> np.ndarray:
    """int [bins]: the selected images by confidence, bins as in the histogram of confidence."""
    predictions, rows = run.predictions(selection.split), run.rows(selection)
    return confidence.bins(predictions.confidence[rows], predictions.right[rows], confidence.BINS)["n"].to_numpy()


def head(run: RunData, selection: Selection, one: Selection, n: int) -> list:
    """What this side holds, how many, their share of all images and of their true class, and where to see them all."""

    def names(values: tuple[str, ...], none: str) -> list:
        if not values:
            return [none]
        one = values[0]
        mark = [dot(run.classes.index(one))] if one in run.classes else []
        return [*mark, one if len(values) == 1 else f"{one} and {len(values) - 1} more"]

    total = len(run.predictions(one.split).ids)
    title = [*names(one.true, "any class"), html.Span("→", className="faint"), *names(one.pred, "any prediction")]
    if not one.true and not one.pred:
        title = ["The mistakes" if one.outcomes == ("wrong",) else "The selection"]
    sentence: list = [html.B(f"{n:,} "), words(n, total)]
    if len(one.true) == 1:
        of = run.count(one, without=("pred", "outcome"))
        share = Proportion(n, of)
        sentence.append(f"; {share.percent} % ({share.span}) of {of:,} {one.true[0]}")
    links: list = [csv_link(table_url("selection", one))]
    if one != selection.with_(contrast=None):
        links.insert(0, button(f"All {n:,} in the gallery", small=True, search=swapped(selection, one).query()))
    return [html.H3([*title, *links]), html.P(sentence, className="small quiet")]


def mean(run: RunData, selection: Selection, n: int) -> list:
    """The mean picture."""
    if not n:
        return [html.Figcaption("no image")]
    picture = np.rint(run.mean_picture(selection)).astype(np.uint8)
    return [
        html.Img(src=inline_url(picture), alt=f"Mean of {quantity(n, 'image')}", className="crisp"),
        html.Figcaption(f"mean of {n:,}"),
    ]


def swapped(selection: Selection, other: Selection) -> Selection:
    """The same two cells with the second one chosen; without the first where that is more than a cell."""
    cell = len(selection.true) == len(selection.pred) == 1
    return other.with_(contrast=f"{selection.true[0]}~{selection.pred[0]}" if cell else None)


def tools(selection: Selection, other: Selection) -> list:
    """Swap the sides, close."""
    close = button(
        icon("close"),
        kind="icon ghost",
        small=True,
        search=selection.with_(contrast=None, page=selection.page).query(),
        title="Escape",
        **{"aria-label": "Close the contrast", "data-close": ""},
    )
    return [button("Swap", small=True, search=swapped(selection, other).query()), close]
