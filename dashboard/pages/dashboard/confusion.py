"""Rows are truths, columns guesses. Click a cell or label to see its images."""

from enum import StrEnum

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, html

from dashboard import exports, theme
from dashboard.components import card, csv_link, matrix, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.figures import confusion as figure
from dashboard.selection import Selection
from dashboard.store import RunView

ID = "dashboard-confusion"


class Ids(StrEnum):
    FACE = "dashboard-confusion-face"
    GRAPH = "dashboard-confusion-graph"
    NORMALISE = "dashboard-confusion-select"
    SHOW = "dashboard-confusion-show"
    GRID = "dashboard-confusion-grid"
    LABELS = "dashboard-confusion-labels"
    TABLE = "dashboard-confusion-table"
    TOP = "dashboard-confusion-top"
    MOST = "dashboard-confusion-most"
    CSV = "dashboard-confusion-csv"


def layout(doors: Doors, selection: Selection) -> html.Article:
    """The matrix with its labels as buttons, the same as a table of buttons, and the top confusions."""
    tools = [
        segmented(
            Ids.NORMALISE, [("count", "Counts"), ("row", "Row %"), ("column", "Column %")], "count", "Normalisation"
        ),
        matrix.view_switch(ID),
    ]
    legend = [
        html.I(className="ramp seq"),
        html.Span(id=Ids.MOST),
        html.I(className="ramp calm"),
        dbc.Checklist(
            id=Ids.SHOW,
            options=[{"value": "diagonal", "label": "right answers"}],
            value=["diagonal"],
            className="checks",
        ),
    ]
    side = html.Div(
        [html.H3("Top confusions"), *plain.place(Ids.TOP, html.Ul, className="toplist"), html.Div(id=Ids.CSV)],
        className="cm-side",
    )
    return card(
        "Confusion",
        __doc__,
        [slot(Ids.FACE), html.Div([matrix.layout(ID, legend), side], className="cm-lay")],
        tools=tools,
        span=7,
    )


def register(app: Dash, doors: Doors) -> None:
    """Draw from the address; a click becomes a new address."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.GRID, "style"),
        plain.children(app, Ids.LABELS),
        plain.children(app, Ids.TABLE),
        plain.children(app, Ids.TOP),
        Output(Ids.MOST, "children"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input(Ids.NORMALISE, "value"),
        Input(Ids.SHOW, "value"),
        Input(theme.STATE, "data"),
    )
    def draw_confusion(search: str | None, normalise: str, show: list[str] | None, mode: str):
        selection = Selection.parse(search)
        normalise = normalise if normalise in ("count", "row", "column") else "count"
        run = doors.store.shown(selection.run)
        counts = run.confusion(selection)
        chosen = matrix.chosen_cells(run, selection)
        diagonal = isinstance(show, list) and "diagonal" in show
        drawn = figure.heatmap(
            counts, run.classes, normalise=normalise, diagonal=diagonal, chosen=chosen, mode=theme.mode_of(mode)
        )
        return (
            drawn,
            {"--n": len(run.classes)},
            labels(run, selection, counts),
            table(run, selection, counts, normalise),
            top(run, selection, counts),
            most(counts, normalise),
            csv_link(exports.url("confusion", selection)),
        )

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(Ids.GRAPH, "clickData"),
        State("app-keys-state", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_cell(click: dict | None, keys: dict | None, search: str | None):
        truth, guess = matrix.clicked(click)
        return Selection.parse(search).cell(truth, guess, add=bool((keys or {}).get("ctrl"))).query()

    matrix.register(app, ID)


def labels(run: RunView, selection: Selection, counts: np.ndarray) -> list:
    """Row and column names as buttons around the chart, recall at the right, precision below."""
    recall, precision = rates(counts)
    return [
        *matrix.labels(run.classes, selection, selection, ("Select all truly", "Select all guessed")),
        *matrix.margins(
            len(run.classes),
            [f"{100 * r:.1f}" for r in recall],
            [f"{100 * p:.0f}" for p in precision],
            ("recall", "precision"),
        ),
    ]


def rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall of each row and precision of each column, 0 where empty."""
    hits = counts.diagonal()
    return tuple(
        np.divide(hits, total, out=np.zeros(len(hits)), where=total > 0) for total in (counts.sum(1), counts.sum(0))
    )


def table(run: RunView, selection: Selection, counts: np.ndarray, normalise: str) -> html.Div:
    """The keyboard's matrix."""
    recall, _ = rates(counts)
    shown = figure.values(counts, normalise)

    def cell(i: int, j: int) -> tuple[str, str]:
        said = f"{counts[i, j]} truly {run.classes[i]}, guessed {run.classes[j]}"
        return figure.words(shown[i, j], normalise), said

    right = [f"{100 * r:.1f}" for r in recall]
    return matrix.table(run.classes, selection, cell, name="Confusion matrix", right=right, head="recall")


def top(run: RunView, selection: Selection, counts: np.ndarray) -> list:
    """The most frequent mistakes, each with a bar."""
    mistakes = counts * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-mistakes, axis=None, kind="stable")[: matrix.TOP].tolist()
    cells: list[tuple[str, str, str, float, dict]] = [
        (run.classes[i], run.classes[j], f"{mistakes[i, j]:,}", mistakes[i, j] / mistakes.max(), {})
        for i, j in (divmod(k, len(counts)) for k in order)
        if mistakes[i, j]
    ]
    return matrix.toplist(cells, selection, "No mistakes here.")


def most(counts: np.ndarray, normalise: str) -> str:
    """What the scale means."""
    top_value = (figure.values(counts, normalise) * ~np.eye(len(counts), dtype=bool)).max()
    words = f"1 to {top_value:,.0f}" if normalise == "count" else f"up to {100 * top_value:.0f} %"
    return f"mistakes, {words}, square-root scale"
