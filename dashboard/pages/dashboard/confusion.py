"""Rows are truths, columns guesses. Click a cell or label to see its images."""

from enum import StrEnum

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard import exports, theme
from dashboard.components import card, csv_link, graph, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.figures import confusion as figure
from dashboard.selection import Selection
from dashboard.store import RunView

TOP = 11  # lines of top confusions beside ten rows


class Ids(StrEnum):
    FACE = "dashboard-confusion-face"
    GRAPH = "dashboard-confusion-graph"
    NORMALISE = "dashboard-confusion-select"
    SHOW = "dashboard-confusion-show"
    VIEW = "dashboard-confusion-view"
    BODY = "dashboard-confusion-body"
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
        segmented(Ids.VIEW, [("chart", "Chart"), ("table", "Table")], "chart", "View"),
    ]
    matrix = html.Div(
        [
            html.Div(
                [*plain.place(Ids.LABELS, style={"display": "contents"}), html.Div(graph(Ids.GRAPH), className="plot")],
                id=Ids.GRID,
                className="cm",
            ),
            *plain.place(Ids.TABLE, className="cm-table"),
            html.Div(
                [
                    html.I(className="ramp seq"),
                    html.Span(id=Ids.MOST),
                    html.I(className="ramp calm"),
                    dbc.Checklist(
                        id=Ids.SHOW,
                        options=[{"value": "diagonal", "label": "right answers"}],
                        value=["diagonal"],
                        className="checks",
                    ),
                ],
                className="legend",
            ),
        ],
        id=Ids.BODY,
        className="cm-view",
    )
    side = html.Div(
        [html.H3("Top confusions"), *plain.place(Ids.TOP, html.Ul, className="toplist"), html.Div(id=Ids.CSV)],
        className="cm-side",
    )
    return card(
        "Confusion", __doc__, [slot(Ids.FACE), html.Div([matrix, side], className="cm-lay")], tools=tools, span=7
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
        chosen = chosen_cells(run, selection)
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
        truth, guess = clicked(click)
        return Selection.parse(search).cell(truth, guess, add=bool((keys or {}).get("ctrl"))).query()

    @app.callback(Output(Ids.BODY, "className"), Input(Ids.VIEW, "value"))
    def show_view(view: str):
        return "cm-view table" if view == "table" else "cm-view"


def clicked(click: object) -> tuple[str, str]:
    """(truth, guess) of a click on the heatmap. Raises PreventUpdate when it is not one."""
    try:
        point = click["points"][0]  # type: ignore[index]
        truth, guess = point["y"], point["x"]
    except (TypeError, KeyError, IndexError):
        raise PreventUpdate from None
    if not (isinstance(truth, str) and isinstance(guess, str) and len(truth) <= 60 and len(guess) <= 60):
        raise PreventUpdate
    return truth, guess


def chosen_cells(run: RunView, selection: Selection) -> np.ndarray | None:
    """bool [C, C]: the cells the selection lets through, None when it leaves the matrix alone."""
    if not selection.true and not selection.pred:
        return None
    n = len(run.classes)
    rows, columns = np.ones(n, bool), np.ones(n, bool)
    if selection.true:
        rows = np.isin(np.arange(n), run.class_ids(selection.true))
    if selection.pred:
        columns = np.isin(np.arange(n), run.class_ids(selection.pred))
    cells = rows[:, None] & columns[None, :]
    if len(selection.outcomes) == 1:
        cells &= np.eye(n, dtype=bool) == (selection.outcomes[0] == "right")
    return cells


def labels(run: RunView, selection: Selection, counts: np.ndarray) -> list:
    """Row and column names as buttons around the chart, recall at the right, precision below."""
    n = len(run.classes)
    recall, precision = rates(counts)
    parts: list = [html.Span(["true ↓", html.Br(), "guess →"], className="axis", style={"gridArea": "1 / 1"})]
    for i, name in enumerate(run.classes):
        for field, words, place, kind in (
            ("pred", f"Select all guessed {name}", f"1 / {i + 2}", "cl"),
            ("true", f"Select all truly {name}", f"{i + 2} / 1", "rl"),
        ):
            parts.append(
                html.Button(
                    html.Span(name),
                    type="button",
                    className=kind,
                    title=name,
                    style={"gridArea": place},
                    **{
                        "data-search": selection.toggle(field, name).query(),
                        "data-add": selection.toggle(field, name, add=True).query(),
                        "aria-label": words,
                        "aria-pressed": str(name in getattr(selection, field)).lower(),
                    },
                )
            )
        parts.append(html.Span(f"{100 * recall[i]:.1f}", className="mg", style={"gridArea": f"{i + 2} / {n + 2}"}))
        parts.append(html.Span(f"{100 * precision[i]:.0f}", className="mg b", style={"gridArea": f"{n + 2} / {i + 2}"}))
    parts.append(html.Span("recall", className="mg head-r", style={"gridArea": f"1 / {n + 2}"}))
    parts.append(html.Span("precision", className="mg foot-p", style={"gridArea": f"{n + 2} / 1"}))
    return parts


def rates(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall of each row and precision of each column, 0 where empty."""
    hits = counts.diagonal()
    return tuple(
        np.divide(hits, total, out=np.zeros(len(hits)), where=total > 0) for total in (counts.sum(1), counts.sum(0))
    )


def table(run: RunView, selection: Selection, counts: np.ndarray, normalise: str) -> html.Div:
    """The keyboard's matrix: one button a cell, arrow keys move."""
    n = len(run.classes)
    recall, _ = rates(counts)
    shown = figure.values(counts, normalise)
    rows = [
        html.Div(
            [
                html.Span("true ↓ guess →", className="head-t"),
                *(html.Span(c, className="head-t", title=c) for c in run.classes),
                html.Span("recall", className="mg"),
            ],
            className="row-t",
        )
    ]
    for i, truth in enumerate(run.classes):
        cells = [
            html.Button(
                figure.words(shown[i, j], normalise) or "0",
                type="button",
                className="" if counts[i, j] else "zero",
                **{
                    "data-search": selection.cell(truth, guess).query(),
                    "data-add": selection.cell(truth, guess, add=True).query(),
                    "aria-label": f"{counts[i, j]} truly {truth}, guessed {guess}",
                    "aria-pressed": str(selection.true == (truth,) and selection.pred == (guess,)).lower(),
                },
            )
            for j, guess in enumerate(run.classes)
        ]
        rows.append(
            html.Div(
                [
                    html.Span(truth, className="head-t", title=truth),
                    *cells,
                    html.Span(f"{100 * recall[i]:.1f}", className="mg"),
                ],
                className="row-t",
            )
        )
    return html.Div(
        rows, role="group", style={"--n": n}, **{"aria-label": f"Confusion matrix, {n} by {n}", "data-arrows": str(n)}
    )


def top(run: RunView, selection: Selection, counts: np.ndarray) -> list:
    """The most frequent mistakes, each with a bar."""
    mistakes = counts * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:TOP]
    lines = []
    for i, j in (divmod(int(k), len(counts)) for k in order):
        if not mistakes[i, j]:
            break
        truth, guess = run.classes[i], run.classes[j]
        lines.append(
            html.Li(
                html.Button(
                    [
                        html.Span([truth, html.Span(" → ", className="faint"), guess]),
                        html.B(f"{mistakes[i, j]:,}"),
                        html.I(style={"width": f"{100 * mistakes[i, j] / mistakes.max():.1f}%"}),
                    ],
                    type="button",
                    **{
                        "data-search": selection.cell(truth, guess).query(),
                        "data-add": selection.cell(truth, guess, add=True).query(),
                        "aria-pressed": str(selection.true == (truth,) and selection.pred == (guess,)).lower(),
                    },
                )
            )
        )
    return lines or [html.Li("No mistakes here.", className="quiet small")]


def most(counts: np.ndarray, normalise: str) -> str:
    """What the scale means."""
    top_value = (figure.values(counts, normalise) * ~np.eye(len(counts), dtype=bool)).max()
    words = f"1 to {top_value:,.0f}" if normalise == "count" else f"up to {100 * top_value:.0f} %"
    return f"mistakes, {words}, square-root scale"
