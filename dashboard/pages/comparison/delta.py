"""A minus B in the confusion matrix. Click a cell for the images of which one run alone says so."""

from enum import StrEnum

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.components import card, csv_link, matrix, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.figures import delta as figure
from dashboard.format.csv import table_url
from dashboard.pages.comparison.letters import letter
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import TOPS

ID = "comparison-delta"


class Ids(StrEnum):
    FACE = "comparison-delta-face"
    GRAPH = "comparison-delta-graph"
    GRID = "comparison-delta-grid"
    LABELS = "comparison-delta-labels"
    TABLE = "comparison-delta-table"
    LARGEST_CHANGES = "comparison-delta-top"
    SCALE = "comparison-delta-most"
    CSV = "comparison-delta-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """The matrix with its labels as buttons, the same as a table of buttons, and the largest changes."""
    legend = [
        html.Span([letter("b"), "better"]),
        html.I(className="ramp div"),
        html.Span([letter("a"), "better"]),
        html.Span(id=Ids.SCALE),
    ]
    side = html.Div(
        [html.H3("Largest changes"), plain.place(Ids.LARGEST_CHANGES, "ul", className="toplist"), html.Div(id=Ids.CSV)],
        className="cm-side",
    )
    body = [slot(Ids.FACE), html.Div([matrix.layout(ID, legend, bare=True), side], className="cm-lay")]
    return card("What changed in the confusion", __doc__, body, tools=matrix.view_switch(ID))


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true and predicted, which are this panel's own; a click becomes a new address."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.GRID, "style"),
        plain.children(Ids.LABELS),
        plain.children(Ids.TABLE),
        plain.children(Ids.LARGEST_CHANGES),
        Output(Ids.SCALE, "children"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input(theme.STATE, "data"),
    )
    def draw_delta(search: str | None, mode: str):
        selection = Selection.parse(search)
        pair = services.store.compare(selection)
        first, second = pair.confusions(selection)
        rows, here = moved_most(first, second), matrix.chosen_cells(pair.a, selection.with_(outcome=()))
        cells, classes = np.ix_(rows, rows), [pair.a.classes[i] for i in rows]
        drawn = figure.heatmap(
            first[cells], second[cells], classes, chosen=None if here is None else here[cells], mode=theme.mode_of(mode)
        )
        most = int(np.abs(first - second).max())
        scale = f"up to {most:,}, square-root scale" if most else "no difference"
        some = f"; the {len(rows)} of {len(first):,} classes with the most changes" if len(rows) < len(first) else ""
        words = ("Select what differs among all truly", "Select what one alone calls")
        return (
            drawn,
            {"--n": len(classes)},
            matrix.labels(classes, selection.differing(), selection, words),
            table(classes, selection, first[cells], second[cells]),
            top(pair, selection, first, second),
            scale + some,
            csv_link(table_url("delta", selection)),
        )

    matrix.lead(app, ID, lambda selection: None)
    matrix.register(app, ID)


def moved_most(first: np.ndarray, second: np.ndarray) -> list[int]:
    """The classes that have a row: all; of many those about whose images the two differ most, in class order."""
    n = len(first)
    if n <= MANY_CLASSES:
        return list(range(n))
    moved = np.abs(first - second)
    return sorted(np.argsort(-(moved.sum(0) + moved.sum(1)), kind="stable")[: TOPS[2]].tolist())


def table(classes: list[str], selection: Selection, first: np.ndarray, second: np.ndarray) -> html.Div:
    """The keyboard's matrix."""

    def cell(i: int, j: int) -> tuple[str, str]:
        a, b = int(first[i, j]), int(second[i, j])
        label = f"{a - b:+d}, truly {classes[i]}, predicted {classes[j]}: {a} by A alone, {b} by B alone"
        return figure.words(a - b, a + b), label

    return matrix.table(classes, selection, cell, name="Change of the confusion matrix")


def top(pair: RunPair, selection: Selection, first: np.ndarray, second: np.ndarray) -> list:
    """The mistakes that changed most, in the colour of the run they speak for."""
    classes = pair.a.classes
    change = (first - second) * ~np.eye(len(classes), dtype=bool)
    order = np.argsort(-np.abs(change), axis=None, kind="stable")[: matrix.PAIRS_LISTED].tolist()
    most = max(int(np.abs(change).max()), 1)
    cells: list[tuple[str, str, str, float, dict]] = [
        (
            classes[i],
            classes[j],
            figure.words(int(change[i, j]), 1),
            abs(int(change[i, j])) / most,
            {"background": f"var(--ff-run-{'a' if change[i, j] < 0 else 'b'})"},
        )
        for i, j in (divmod(k, len(classes)) for k in order)
        if change[i, j]
    ]
    return matrix.toplist(cells, selection, "No mistake changed.")


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The matrix of differences as it is shown: A minus B."""
    first, second = pair.confusions(selection)
    return ["true \\ predicted", *pair.a.classes], [
        [name, *map(int, row)] for name, row in zip(pair.a.classes, first - second, strict=True)
    ]


TABLES = {"delta": of_pair(csv_rows)}
