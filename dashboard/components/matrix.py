"""A square matrix of classes: a chart with its labels as buttons, the same as a table of buttons, a list of cells.

A panel named `<id>` has the parts `<id>-graph`, `<id>-grid`, `<id>-labels`, `<id>-table`, `<id>-body` and `<id>-view`.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard.components import graph, plain, segmented
from dashboard.selection import Selection
from dashboard.store import RunView

TOP = 11  # lines of a list beside ten rows


def layout(id: str, legend: list, *, bare: bool = False) -> html.Div:
    """Chart and table, one of them shown. bare: no margins for recall and precision."""
    return html.Div(
        [
            html.Div(
                [
                    *plain.place(f"{id}-labels", style={"display": "contents"}),
                    html.Div(graph(f"{id}-graph"), className="plot"),
                ],
                id=f"{id}-grid",
                className="cm bare" if bare else "cm",
            ),
            *plain.place(f"{id}-table", className="cm-table bare" if bare else "cm-table"),
            html.Div(legend, className="legend"),
        ],
        id=f"{id}-body",
        className="cm-view",
    )


def view_switch(id: str) -> html.Div:
    """Chart or table."""
    return segmented(f"{id}-view", [("chart", "Chart"), ("table", "Table")], "chart", "View")


def register(app: Dash, id: str) -> None:
    """The switch between chart and table."""

    app.clientside_callback(
        "(view) => view === 'table' ? 'cm-view table' : 'cm-view'",
        Output(f"{id}-body", "className"),
        Input(f"{id}-view", "value"),
    )


def clicked(click: object) -> tuple[str, str]:
    """(truth, guess) of a click on the chart. Raises PreventUpdate when it is not one."""
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


def labels(classes: Sequence[str], rows: Selection, columns: Selection, words: tuple[str, str]) -> list:
    """Row and column names as buttons around the chart. rows, columns: what a row's and a column's name narrows.

    words: what a screen reader says before the name of a row and of a column.
    """
    parts: list = [html.Span(["true ↓", html.Br(), "guess →"], className="axis", style={"gridArea": "1 / 1"})]
    for i, name in enumerate(classes):
        for field, selection, say, place, kind in (
            ("pred", columns, words[1], f"1 / {i + 2}", "cl"),
            ("true", rows, words[0], f"{i + 2} / 1", "rl"),
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
                        "aria-label": f"{say} {name}",
                        "aria-pressed": str(name in getattr(selection, field)).lower(),
                    },
                )
            )
    return parts


def margins(n: int, right: Sequence[str], below: Sequence[str], heads: tuple[str, str]) -> list:
    """A number at the right of each row and below each column; heads: what they are."""
    parts = [html.Span(text, className="mg", style={"gridArea": f"{i + 2} / {n + 2}"}) for i, text in enumerate(right)]
    parts += [
        html.Span(text, className="mg b", style={"gridArea": f"{n + 2} / {i + 2}"}) for i, text in enumerate(below)
    ]
    parts.append(html.Span(heads[0], className="mg head-r", style={"gridArea": f"1 / {n + 2}"}))
    parts.append(html.Span(heads[1], className="mg foot-p", style={"gridArea": f"{n + 2} / 1"}))
    return parts


def table(
    classes: Sequence[str],
    selection: Selection,
    cell: Callable[[int, int], tuple[str, str]],
    *,
    name: str,
    right: Sequence[str] = (),
    head: str = "",
) -> html.Div:
    """The keyboard's matrix: one button a cell, arrow keys move.

    cell: (i, j) → its text ('' for nothing there) and what a screen reader says. right: a number for each row's end,
    with its head.
    """
    n = len(classes)
    top = [
        html.Span("true ↓ guess →", className="head-t"),
        *(html.Span(c, className="head-t", title=c) for c in classes),
    ]
    rows = [html.Div([*top, html.Span(head, className="mg")] if right else top, className="row-t")]
    for i, truth in enumerate(classes):
        line: list = [html.Span(truth, className="head-t", title=truth)]
        for j, guess in enumerate(classes):
            text, said = cell(i, j)
            line.append(
                html.Button(
                    text or "0", type="button", className="" if text else "zero", **link(selection, truth, guess, said)
                )
            )
        rows.append(html.Div([*line, html.Span(right[i], className="mg")] if right else line, className="row-t"))
    return html.Div(
        rows, role="group", style={"--n": n}, **{"aria-label": f"{name}, {n} by {n}", "data-arrows": str(n)}
    )


def link(selection: Selection, truth: str, guess: str, said: str | None = None) -> dict[str, str]:
    """The attributes of a button that chooses a cell."""
    more = {"aria-label": said} if said else {}
    return {
        "data-search": selection.cell(truth, guess).query(),
        "data-add": selection.cell(truth, guess, add=True).query(),
        "aria-pressed": str(selection.true == (truth,) and selection.pred == (guess,)).lower(),
        **more,
    }


def toplist(cells: Iterable[tuple[str, str, str, float, dict]], selection: Selection, nothing: str) -> list:
    """Lines (truth, guess, number, share of the largest 0..1, style of the bar), each a button choosing its cell."""
    lines = [
        html.Li(
            html.Button(
                [
                    html.Span([truth, html.Span(" → ", className="faint"), guess]),
                    html.B(text),
                    html.I(style={"width": f"{100 * share:.1f}%", **style}),
                ],
                type="button",
                **link(selection, truth, guess),
            )
        )
        for truth, guess, text, share, style in cells
    ]
    return lines or [html.Li(nothing, className="quiet small")]
