"""Confusion matrix: rows are truths, columns predictions. Click a cell for its images; Shift-click a second."""

from enum import StrEnum

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis.matrix_rows import Shown
from dashboard.components import button, card, csv_link, matrix, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.components.selection_bar import without_outcome
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import confusion as figure
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import LARGEST_MATRIX
from dashboard.state.vocabulary import TOPS
from ml.stats.intervals import wilson
from ml.system.wording import quantity

ID = "dashboard-confusion"
TOP_N_ABOVE = 6  # classes; of more than these, the top n alone can be shown
SIZES = ((13, 13), (20, 11), (30, 9))  # up to so many classes, numbers so large; none for more


class Ids(StrEnum):
    FACE = "dashboard-confusion-face"
    GRAPH = "dashboard-confusion-graph"
    VIEW = "dashboard-confusion-view"
    WAYS = "dashboard-confusion-ways"
    BODY = "dashboard-confusion-body"
    GRID = "dashboard-confusion-grid"
    LABELS = "dashboard-confusion-labels"
    TABLE = "dashboard-confusion-table"
    TOP_CONFUSIONS = "dashboard-confusion-top"
    OUTCOMES = "dashboard-confusion-parts"
    SCALE = "dashboard-confusion-most"
    CSV = "dashboard-confusion-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """The matrix with its labels as buttons, or the same as a table of buttons, and the top confusions."""
    legend = [
        html.I(className="ramp seq"),
        html.Span(id=Ids.SCALE),
        html.I(className="ramp calm"),
        html.Span("right answers"),
    ]
    side = html.Div(
        [
            plain.place(Ids.OUTCOMES),
            html.H3("Top confusions"),
            plain.place(Ids.TOP_CONFUSIONS, "ul", className="toplist"),
            html.Div(id=Ids.CSV),
        ],
        className="cm-side",
    )
    body = [
        slot(Ids.FACE),
        html.Div([plain.place(Ids.WAYS, className="ways")]),
        html.Div([matrix.layout(ID, legend), side], className="cm-lay"),
    ]
    return card("Confusion", __doc__, body, tools=plain.place(Ids.VIEW, className="row-ff"))


def register(app: Dash, services: Services) -> None:
    """Draw from the address; a click becomes a new address."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.GRID, "style"),
        Output(Ids.BODY, "className"),
        plain.children(Ids.LABELS),
        plain.children(Ids.TABLE),
        plain.children(Ids.TOP_CONFUSIONS),
        plain.children(Ids.OUTCOMES),
        plain.children(Ids.VIEW),
        plain.children(Ids.WAYS),
        Output(Ids.SCALE, "children"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input(theme.STATE, "data"),
    )
    def draw_confusion(search: str | None, mode: str):
        selection = Selection.parse(search)
        run, view = services.store.shown(selection.run).for_selection(selection), selection.matrix
        shown = Shown.of(run, selection)
        chosen = matrix.chosen_cells(run, selection)
        size = next((size for most, size in SIZES if len(shown.names) <= most), 0)
        drawn = figure.heatmap(
            shown.counts,
            shown.names,
            right=shown.right,
            ends=ends(shown.counts, view.normalise),
            normalise=view.normalise,
            log=view.log,
            diagonal=view.diagonal,
            chosen=None if chosen is None else figure.grouped(chosen, shown.rows) > 0,
            held=shown.place(selection.other_cell(run.classes)),
            size=size,
            mode=theme.mode_of(mode),
        )
        drawn["layout"]["meta"] = matrix.leading(search, selection, shown.members)
        return (
            drawn,
            {"--n": len(shown.names)},
            "cm-view as-table" if view.table else "cm-view",
            labels(shown, selection),
            table(shown, selection) if view.table else [],
            top(run, selection, shown.each),
            [*answer(run, selection), *parts(selection, shown.each)],
            views(selection),
            ways(run, selection),
            most(shown.counts, selection),
            csv_link(table_url("confusion", selection)),
        )

    def drawn_run(selection: Selection) -> RunData:
        return services.store.shown(selection.run).for_selection(selection)

    matrix.lead(app, ID, drawn_run, contrast=True)


def ends(counts: np.ndarray, normalise: str) -> tuple[np.ndarray, np.ndarray]:
    """Of the 95 % interval of each cell's share of its row, or of its column where that is shown."""
    return wilson(counts, counts.sum(axis=0 if normalise == "column" else 1, keepdims=True))


def labels(shown: Shown, selection: Selection) -> list:
    """Row and column names as buttons around the chart, recall at the right, precision below."""
    words, hints = [], []
    for total, name, digits in ((shown.counts.sum(1), "recall", 1), (shown.counts.sum(0), "precision", 0)):
        low, high = wilson(shown.right, total)
        share = np.divide(shown.right, total, out=np.zeros(len(total)), where=total > 0)
        words.append([f"{100 * s:.{digits}f}" if n else "–" for s, n in zip(share, total, strict=True)])
        hints.append(
            [
                f"{name} {100 * s:.1f} % (95 % interval {100 * a:.1f} to {100 * b:.1f}), n {n:,}"
                for s, a, b, n in zip(share, low, high, total, strict=True)
            ]
        )
    names = matrix.labels(
        shown.names, selection, selection, ("Select all truly", "Select all predicted"), shown.members
    )
    return [
        *names,
        *matrix.margins(len(shown.names), words[0], words[1], ("recall", "precision"), (hints[0], hints[1])),
    ]


def table(shown: Shown, selection: Selection) -> html.Div:
    """The keyboard's matrix."""
    normalise, total = selection.matrix.normalise, shown.counts.sum(1)
    values = figure.values(shown.counts, normalise)

    def cell(i: int, j: int) -> tuple[str, str]:
        label = f"{shown.counts[i, j]} truly {shown.names[i]}, predicted {shown.names[j]}"
        hidden = i == j and not selection.matrix.diagonal
        return "" if hidden else figure.words(values[i, j], normalise), label

    right = [f"{100 * r / n:.1f}" if n else "–" for r, n in zip(shown.right, total, strict=True)]
    return matrix.table(
        shown.names,
        selection,
        cell,
        name="Confusion matrix",
        right=right,
        head="recall",
        members=shown.members,
        contrast=True,
    )


def top(run: RunData, selection: Selection, counts: np.ndarray) -> list:
    """The most frequent mistakes, each with a bar. counts: int [C, C]."""
    mistakes, total = counts * ~np.eye(len(counts), dtype=bool), counts.sum(1)
    order = np.argsort(-mistakes, axis=None, kind="stable")[: matrix.PAIRS_LISTED].tolist()
    cells: list[tuple[str, str, str, float, dict]] = []
    hints = {}
    for i, j in (divmod(k, len(counts)) for k in order):
        if mistakes[i, j]:
            pair = run.classes[i], run.classes[j]
            share = Proportion(int(mistakes[i, j]), int(total[i]))
            cells.append((*pair, f"{mistakes[i, j]:,}", mistakes[i, j] / mistakes.max(), {}))
            hints[pair] = f"{share.percent} % ({share.span}) of {share.n:,} {pair[0]}"
    return matrix.toplist(cells, selection, "No mistakes here.", hints=hints, contrast=True)


def parts(selection: Selection, counts: np.ndarray) -> list:
    """The mistakes and the right answers as two buttons, and the mirror of a chosen cell to hold against it."""
    right = int(counts.diagonal().sum())
    controls: list = [
        html.Div(
            [
                press(
                    f"{number:,} {words}", without_outcome(selection) if on else selection.with_(outcome=(outcome,)), on
                )
                for number, words, outcome in (
                    (int(counts.sum()) - right, "mistakes", "wrong"),
                    (right, "right", "right"),
                )
                for on in [selection.outcomes == (outcome,)]
            ],
            className="row-ff",
            role="group",
            **{"aria-label": "Off the diagonal, and on it"},
        )
    ]
    if len(selection.true) == len(selection.pred) == 1 and selection.true != selection.pred and not selection.contrast:
        mirror = selection.beside(selection.pred[0], selection.true[0])
        words = ["Compare with ", html.B(f"{selection.pred[0]} → {selection.true[0]}")]
        controls.append(button(html.Span(words), small=True, kind="ghost", search=mirror.query()))
    return controls


def answer(run: RunData, selection: Selection) -> list:
    """How many images a chosen cell, row or column has, in sight of it, and the way to them further down."""
    if not selection.true and not selection.pred:
        return []
    n = run.count(selection)
    if not n:
        return [html.P("No image is like this.", className="quiet small answer")]
    words = f"See {quantity(n, 'image')}"
    return [button(words, small=True, kind="primary", **{"data-goto": "dashboard-gallery-card"})]


def press(words: str, there: Selection, on: bool, **more: str) -> html.Button:
    """A button that is pressed or not, and leads to an address, where the image that is open then stays open."""
    address = there.with_(sample=None).query()
    leads = {"data-search": address, "data-open": "", "aria-pressed": str(on).lower()}
    return html.Button(words, type="button", **leads, **more)


def views(selection: Selection) -> list:
    """What the numbers are, and chart or table."""
    view = selection.matrix
    numbers = [
        press(words, selection.view(normalise=value), view.normalise == value)
        for value, words in (("count", "Counts"), ("row", "Row %"), ("column", "Column %"))
    ]
    kinds = [
        press(words, selection.view(table=value), view.table == value)
        for value, words in ((False, "Chart"), (True, "Table"))
    ]
    return [seg(numbers, "Normalisation"), seg(kinds, "View")]


def ways(run: RunData, selection: Selection) -> list:
    """Order, colour, diagonal, and for many classes how many."""
    view, classes = selection.matrix, len(run.classes)
    order = [
        press(words, selection.view(cluster=value), view.cluster == value)
        for value, words in ((False, "Class order"), (True, "Clusters"))
    ]
    colour = [
        press(words, selection.view(log=value), view.log == value) for value, words in ((False, "√"), (True, "Log"))
    ]
    diagonal = [
        press(words, selection.view(diagonal=value), view.diagonal == value)
        for value, words in ((True, "Shown"), (False, "Hidden"))
    ]
    controls = [named("Order", order), named("Colour", colour), named("Diagonal", diagonal)]
    if classes > TOP_N_ABOVE:
        shown = view.shown(classes)
        some = [press(f"Top {n}", selection.view(top=n), shown == n) for n in TOPS if n < classes]
        every = [press("All", selection.view(top=0), shown == classes)] if classes <= LARGEST_MATRIX else []
        controls.append(named("Classes", [*every, *some]))
    return controls


def seg(buttons: list, label: str) -> html.Div:
    """A row of alternatives."""
    return html.Div(buttons, className="seg", role="group", **{"aria-label": label})


def named(label: str, buttons: list) -> html.Div:
    """A row of alternatives with its name beside it."""
    return html.Div([html.Span(label, **{"aria-hidden": "true"}), seg(buttons, label)], className="way")


def most(counts: np.ndarray, selection: Selection) -> str:
    """What the scale means."""
    view = selection.matrix
    mistakes = figure.values(counts, view.normalise) * ~np.eye(len(counts), dtype=bool)
    top_value = mistakes.max(initial=0)
    if not top_value:
        return "no mistakes"
    words = f"1 to {top_value:,.0f}" if view.normalise == "count" else f"up to {100 * top_value:.0f} %"
    return f"mistakes, {words}, {'logarithmic' if view.log else 'square-root'} scale"


def csv_rows(run: RunData, selection: Selection) -> Table:
    """The matrix as it is shown: its order, its groups, counts or shares."""
    shown, view = Shown.of(run, selection), selection.matrix
    values = figure.values(shown.counts, view.normalise)
    rows = values.round(6).tolist() if view.normalise != "count" else shown.counts.tolist()
    return ["true \\ predicted", *shown.names], [[name, *row] for name, row in zip(shown.names, rows, strict=True)]


TABLES = {"confusion": of_run(csv_rows)}
