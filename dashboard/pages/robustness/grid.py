"""Accuracy (per cent named right) by corruption and severity. Click a cell to see the images that flip."""

from typing import Any

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import robustness
from dashboard.analysis.robustness import Cell, Table
from dashboard.components import card, clicks, csv_link, plain
from dashboard.components.panel import panel_callback
from dashboard.exports.tables import of_services
from dashboard.figures import robustness as figure
from dashboard.figures.gaps import points
from dashboard.format.csv import table_url
from dashboard.pages.robustness import cells
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.robustness.catalogue import CORRUPTIONS, SEVERITIES

NEEDS = ("network",)
ID = "robustness-grid"


def layout(services: Services, selection: Selection) -> html.Article:
    """Chart or table, and what the colours mean."""
    below = plain.place(f"{ID}-legend", className="legend")
    body = cells.chart_or_table(ID, figure.height(len(CORRUPTIONS)), below)
    return card("Under corruptions", __doc__, body, tools=cells.tools(ID, "View of the corruptions"))


def register(app: Dash, services: Services) -> None:
    """Drawn from what was measured; a click becomes a new address."""

    @panel_callback(
        app,
        f"{ID}-face",
        Output(f"{ID}-graph", "figure"),
        Output(f"{ID}-graph", "style"),
        plain.children(f"{ID}-table"),
        plain.children(f"{ID}-legend"),
        Output(f"{ID}-note", "children"),
        Output(f"{ID}-csv", "children"),
        Input(cells.STATE, "data"),
        Input(theme.STATE, "data"),
    )
    def draw_grid(state: Any, mode: Any):
        selection = cells.read(state)
        evaluation = robustness.corruptions(services.store, selection)
        return (
            drawn(evaluation, selection, theme.mode_of(mode)),
            {"height": f"{figure.height(len(evaluation.names))}px"},
            table(evaluation, selection),
            legend(evaluation),
            note(evaluation),
            csv_link(table_url("robustness", selection)),
        )

    def clicked_cell(selection: Selection, click: object) -> Cell | None:
        evaluation = robustness.corruptions(services.store, selection)
        name, severity = clicks.name(click, "y"), clicks.name(click, "x")
        place = (name, severity)
        return next((one for one in evaluation.cells if (robustness.title(one.name), f"{one.degree:g}") == place), None)

    cells.register_view(app, ID, clicked_cell)


def drawn(evaluation: Table, selection: Selection, mode: str) -> dict[str, Any]:
    """The chart, of one run or of the difference of two."""
    rows = [evaluation.of(name) for name in evaluation.names]
    names = [robustness.title(name) for name in evaluation.names]
    paired = evaluation.other is not None
    hover = [[cells.hover(cell, paired=paired) for cell in row] for row in rows]
    places = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell.address == selection.under]
    chosen = places[0] if places else None
    if paired:
        gaps = np.array([[cell.gap[0] if cell.gap else np.nan for cell in row] for row in rows], float)
        sure = np.array([[cell.sure for cell in row] for row in rows])
        return figure.difference(gaps, sure, names, hover, chosen=chosen, mode=mode)
    right = np.array([[cell.share.count for cell in row] for row in rows])
    n = np.array([[cell.share.n for cell in row] for row in rows])
    return figure.heatmap(right, n, names, hover, chosen=chosen, mode=mode)


def table(evaluation: Table, selection: Selection) -> html.Div:
    """The keyboard's heatmap."""
    rows = [(robustness.title(name), evaluation.of(name)) for name in evaluation.names]
    heads = [f"{severity}" for severity in SEVERITIES]
    name = "Per cent right by corruption and severity"
    return cells.table(rows, heads, "severity →", selection, name=name, paired=evaluation.other is not None)


def legend(evaluation: Table) -> list:
    """What the colours mean."""
    if evaluation.other is not None:
        return [
            html.Span(f"{evaluation.other.title} better"),
            html.I(className="ramp div"),
            html.Span(f"{evaluation.run.title} better; pale: the 95 % interval of the difference holds zero"),
        ]
    return [html.Span("all right"), html.I(className="ramp seq"), html.Span("all wrong")]


def note(evaluation: Table) -> str:
    """The pictures as they are, and how many were asked about."""
    clean = evaluation.clean.share
    whole = evaluation.run.dataset["counts"][robustness.SPLIT]
    part = "all of test" if clean.n == whole else f"a stratified part of the {whole:,} of test"
    words = f"As they are, {evaluation.run.title} has {clean} right: {part}."
    if evaluation.mean:
        middle, low, high, n = evaluation.mean
        many = f"On average over the {len(evaluation.cells)} cells"
        if evaluation.other is None:
            words += f" {many}, {100 * middle:.1f} % are ({100 * low:.1f} – {100 * high:.1f}, n {n:,})."
        else:
            words += f" {many}, the difference is {points(middle)} ({points(low)} to {points(high)}, n {n:,})."
    if evaluation.other is None:
        return words
    shared = min((cell.shared for cell in evaluation.cells if cell.gap), default=0)
    pair = f"{evaluation.run.title} minus {evaluation.other.title}"
    return f"{words} In points, {pair}, on the {shared:,} images both were asked about."


TABLES = {"robustness": of_services(robustness.corruption_rows, beside=robustness.other)}
