"""Is it right as often as it says? On the dashed line it is; below it, it is too sure of itself."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, csv_link, graph
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.exports import url
from dashboard.figures import calibration as figures
from dashboard.pages.insights.stages import LATER
from dashboard.selection import Selection
from dashboard.store import RunView, wilson


class Ids(StrEnum):
    FACE = "insights-calibration-face"
    GRAPH = "insights-calibration-graph"
    NOTE = "insights-calibration-note"
    CSV = "insights-calibration-csv"


def layout() -> html.Article:
    """One small chart and the error in words."""
    body = [
        slot(Ids.FACE),
        html.Div(graph(Ids.GRAPH), className="chart reliability"),
        html.P(id=Ids.NOTE, className="faint small"),
    ]
    return card("Calibration", __doc__ or "", body, span=4, tools=html.Span(csv_link(""), id=Ids.CSV))


def register(app: Dash, doors: Doors) -> None:
    """Over the whole split: a selection by outcome would say nothing here."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.NOTE, "children"),
        Output(Ids.CSV, "children"),
        Input(LATER, "data"),
        Input("url", "search"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_calibration(later: Any, search: str | None, mode: Any):
        if not later:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = doors.store.shown(selection.run)
        predictions = run.predictions(selection.split)
        table = figures.bins(predictions.confidence, predictions.right)
        low, high = wilson(table["right"].to_numpy(), table["n"].to_numpy())
        figure = figures.reliability(table, low, high, mode=theme.mode_of(mode))
        return figure, note(run, selection.split, len(predictions.ids)), csv_link(url("calibration", selection))


def note(run: RunView, split: str, n: int) -> list:
    """The calibration error of the scores, with its interval."""
    scores = run.scores(split)
    rows = scores[scores["metric"] == "calibration_error"]
    if rows.empty:
        return [f"All {n:,} {split} images in {figures.BINS} bins."]
    row = rows.iloc[0]
    return [
        html.B(f"{100 * row.value:.1f} %"),
        f" mean gap between confidence and accuracy (95 % interval {100 * row.low:.1f} to {100 * row.high:.1f}), "
        f"{figures.BINS} bins, all {n:,} {split} images.",
    ]
