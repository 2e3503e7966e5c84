"""A square matrix of classes: a chart with its labels as buttons, the same as a table of buttons, a list of cells.

A panel named `<id>` has the parts `<id>-graph`, `<id>-grid`, `<id>-labels`, `<id>-table`, `<id>-body` and `<id>-view`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard.analysis.matrix_rows import arranged, named
from dashboard.components import clicks, graph, plain, segmented
from dashboard.components.plain import element
from dashboard.data.run import RunData
from dashboard.figures.labels import told_apart
from dashboard.state.selection import Selection

PAIRS_LISTED = 11  # lines of a list beside ten rows
MAX_QUERY_LENGTH = 7_800  # characters of an address that Selection still reads
Members = Mapping[str, tuple[str, ...]]  # the classes behind a row that stands for several; other names are classes

ACROSS = 12  # columns whose numbers fit side by side; those of more stand on end


def layout(id: str, legend: list, *, bare: bool = False) -> html.Div:
    """Chart and table, one of them shown. bare: no margins for recall and precision."""
    return html.Div(
        [
            html.Div(
                [
                    plain.place(f"{id}-labels", style={"display": "contents"}),
                    html.Div(graph(f"{id}-graph"), className="plot"),
                ],
                id=f"{id}-grid",
                className="cm bare" if bare else "cm",
            ),
            plain.place(f"{id}-table", className="cm-table bare" if bare else "cm-table"),
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
        "(view) => view === 'table' ? 'cm-view as-table' : 'cm-view'",
        Output(f"{id}-body", "className"),
        Input(f"{id}-view", "value"),
    )


def clicked(click: object) -> tuple[str, str] | None:
    """(truth, guess) of a click on the chart, None when it is not one."""
    truth, guess = clicks.name(click, "y"), clicks.name(click, "x")
    return (truth, guess) if truth is not None and guess is not None else None


def lead(app: Dash, id: str, drawn: Callable[[Selection], RunData | None], *, contrast: bool = False) -> None:
    """A click on a cell narrows the selection to it. drawn: whose matrix it is, None where a row is a class.

    contrast: with Shift, a second cell is held against the chosen one.
    """

    def choose(selection: Selection, click: object, keys: clicks.Keys) -> Selection | None:
        cell = clicked(click)
        if cell is None:
            return None
        run = drawn(selection)
        rows, columns = behind(run, selection, *cell) if run is not None else ((cell[0],), (cell[1],))
        if contrast and keys.shift and len(rows) == len(columns) == 1:
            return selection.beside(*cell)
        return selection.cell(rows, columns, add=keys.ctrl)

    clicks.lead(app, f"{id}-graph", choose, keyed=True)


def leading(search: str | None, selection: Selection, members: Members) -> dict[str, Any]:
    """What assets/ahead.js makes a cell's address of, before the server is asked for it.

    of: the address that this holds for; cell: that of a cell, ~T~ and ~P~ in place of its names; many: the rows that
    stand for several classes, which the server alone follows; chosen: the cell chosen now, which leads back.
    """
    back = selection.cell(selection.true, selection.pred)
    one = len(selection.true) == len(selection.pred) == 1
    return {
        "of": search or "",
        "cell": selection.with_(true=(), pred=()).cell("~T~", "~P~").query(),
        "many": list(members),
        "chosen": [selection.true[0], selection.pred[0]] if one else None,
        "back": back.query(),
    }


def behind(run: RunData, selection: Selection, truth: str, guess: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes of a clicked row and column. Raises PreventUpdate where the matrix has no such cell."""
    rows = named(run, arranged(run, selection))
    if truth not in rows or guess not in rows:
        raise PreventUpdate
    return rows[truth], rows[guess]


def chosen_cells(run: RunData, selection: Selection) -> np.ndarray | None:
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


def labels(
    classes: Sequence[str], rows: Selection, columns: Selection, words: tuple[str, str], members: Members | None = None
) -> list:
    """Row and column names as buttons around the chart. rows, columns: what a row's and a column's name narrows.

    words: what a screen reader says before the name of a row and of a column.
    """
    parts: list = [
        element("Span", ["true ↓", element("Br"), "predicted →"], className="axis", style={"gridArea": "1 / 1"})
    ]
    for field, selection, say, kind in (("pred", columns, words[1], "cl"), ("true", rows, words[0], "rl")):
        for i, (name, short) in enumerate(zip(classes, told_apart(classes), strict=True)):  # Tab: columns, then rows
            value = (members or {}).get(name, (name,))
            parts.append(
                element(
                    "Button",
                    element("Span", short),
                    type="button",
                    className=kind,
                    title=name,
                    style={"gridArea": f"1 / {i + 2}" if kind == "cl" else f"{i + 2} / 1"},
                    **{
                        "data-search": selection.toggle(field, value).query(),
                        "data-add": selection.toggle(field, value, add=True).query(),
                        "aria-label": f"{say} {name}",
                        "aria-pressed": str(set(value) <= set(getattr(selection, field))).lower(),
                    },
                )
            )
    return parts


def margins(
    n: int,
    right: Sequence[str],
    below: Sequence[str],
    heads: tuple[str, str],
    hints: tuple[Sequence[str], Sequence[str]] | None = None,
) -> list:
    """A number at the right of each row and below each column; heads: what they are; hints: each one's doubt."""
    parts = []
    upright = " up" if n > ACROSS else ""
    for side, texts in enumerate((right, below)):
        for i, text in enumerate(texts):
            place = f"{n + 2} / {i + 2}" if side else f"{i + 2} / {n + 2}"
            more = {"title": hints[side][i]} if hints else {}
            parts.append(
                element("Span", text, className=f"mg b{upright}" if side else "mg", style={"gridArea": place}, **more)
            )
    parts.append(element("Span", heads[0], className="mg head-r", style={"gridArea": f"1 / {n + 2}"}))
    parts.append(element("Span", heads[1], className="mg foot-p", style={"gridArea": f"{n + 2} / 1"}))
    return parts


def table(
    classes: Sequence[str],
    selection: Selection,
    cell: Callable[[int, int], tuple[str, str]],
    *,
    name: str,
    right: Sequence[str] = (),
    head: str = "",
    members: Members | None = None,
    contrast: bool = False,
) -> html.Div:
    """The keyboard's matrix: one button a cell, arrow keys move.

    cell: (i, j) → its text ('' for nothing there) and what a screen reader says. right: a number for each row's end,
    with its head. contrast: a cell can be held against the chosen one.
    """
    n, names = len(classes), told_apart(classes)
    top = [
        html.Span("true ↓ predicted →", className="head-t"),
        *(html.Span(short, className="head-t", title=c) for short, c in zip(names, classes, strict=True)),
    ]
    rows = [html.Div([*top, html.Span(head, className="mg")] if right else top, className="row-t")]
    for i, truth in enumerate(classes):
        line: list = [html.Span(names[i], className="head-t", title=truth)]
        for j, guess in enumerate(classes):
            text, label = cell(i, j)
            line.append(
                html.Button(
                    text or "0",
                    type="button",
                    className="" if text else "zero",
                    **link(selection, truth, guess, label, members=members, contrast=contrast),
                )
            )
        rows.append(html.Div([*line, html.Span(right[i], className="mg")] if right else line, className="row-t"))
    return html.Div(
        rows, role="group", style={"--n": n}, **{"aria-label": f"{name}, {n} by {n}", "data-arrows": str(n)}
    )


def link(
    selection: Selection,
    truth: str,
    guess: str,
    label: str | None = None,
    *,
    members: Members | None = None,
    contrast: bool = False,
) -> dict[str, str]:
    """The attributes of a button that chooses a cell; contrast: and that holds it against the chosen one."""
    many = members or {}
    rows, columns = many.get(truth, (truth,)), many.get(guess, (guess,))
    more = {"aria-label": label} if label else {}
    if contrast and truth not in many and guess not in many:
        more["data-contrast"] = selection.with_(sample=None).beside(truth, guess).query()
        more["data-held"] = str(selection.contrast == f"{truth}~{guess}").lower()
    search = selection.cell(rows, columns).query()
    return {
        "data-search": search if len(search) < MAX_QUERY_LENGTH else selection.query(),
        "data-add": selection.cell(rows, columns, add=True).query(),
        "aria-pressed": str(selection.true == rows and selection.pred == columns).lower(),
        **more,
    }


def toplist(
    cells: Iterable[tuple[str, str, str, float, dict]],
    selection: Selection,
    nothing: str,
    *,
    hints: Mapping[tuple[str, str], str] | None = None,
    contrast: bool = False,
) -> list:
    """Lines (truth, guess, number, share of the largest 0..1, style of the bar), each a button choosing its cell.

    hints: what a cell's number is of. contrast: a cell can be held against the chosen one.
    """
    arrow, cells = element("I", "→", className="faint to"), list(cells)
    names = list(dict.fromkeys(name for cell in cells for name in cell[:2]))
    short = {name: element("Span", one) for name, one in zip(names, told_apart(names), strict=True)}
    lines = [
        element(
            "Li",
            element(
                "Button",
                [
                    element("Span", [short[truth], arrow, short[guess]], className="pair"),
                    element("B", text),
                    element("I", style={"width": f"{100 * share:.1f}%", **style}),
                ],
                type="button",
                title=": ".join(filter(None, (f"{truth} → {guess}", (hints or {}).get((truth, guess), "")))),
                **link(selection, truth, guess, contrast=contrast),
            ),
        )
        for truth, guess, text, share, style in cells
    ]
    return lines or [element("Li", nothing, className="quiet small")]
