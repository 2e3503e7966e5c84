"""Reliability diagram: is it right as often as it says? Below the dashed line it is too sure. Bins select images."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import card, csv_link, plain, reliability
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import table_url
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = reliability.NEEDS
ID = "insights-calibration"


class Ids(StrEnum):
    FACE = "insights-calibration-face"
    GRAPH = "insights-calibration-graph"
    BINS = "insights-calibration-bins"
    ERRORS = "insights-calibration-errors"
    CSV = "insights-calibration-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """One small chart, its bins, the errors in a table."""
    body = [slot(Ids.FACE), html.Div(reliability.layout(ID), className="reliable")]
    return card("Calibration", __doc__, body, tools=html.Span(csv_link(""), id=Ids.CSV))


def register(app: Dash, services: Services) -> None:
    """Under every chip but confidence, threshold and outcome."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRAPH, "figure"),
        plain.children(Ids.BINS),
        plain.children(Ids.ERRORS),
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
        drawn = reliability.draw(
            services.store.shown(selection.run).for_selection(selection), selection, theme.mode_of(mode)
        )
        return *drawn, csv_link(table_url("calibration", selection))

    reliability.register(app, services, ID)
