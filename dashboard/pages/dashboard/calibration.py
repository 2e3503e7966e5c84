"""Reliability diagram: is it right as often as it says? Below the dashed line it is too sure. A bin opens images."""

from typing import Any

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.components import card, csv_link, lazy_panel, plain, reliability
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import table_url
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = reliability.NEEDS
ID = "dashboard-calibration"
FACE = f"{ID}-face"


def layout(services: Services, selection: Selection) -> html.Article:
    """Drawn when it comes near the window."""
    body = [slot(FACE, "Counting the bins"), html.Div(reliability.layout(ID), className="reliable")]
    return card("Calibration", __doc__, body, tools=html.Span(csv_link(""), id=f"{ID}-csv"))


def register(app: Dash, services: Services, address_store: str) -> None:
    """address_store: the store that holds the address once the panel is near."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-bins"),
        plain.children(f"{ID}-errors"),
        Output(f"{ID}-csv", "children"),
        Input(address_store, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_calibration(search: Any, mode: Any):
        selection = lazy_panel.read(search)
        drawn = reliability.draw(
            services.store.shown(selection.run).for_selection(selection), selection, theme.mode_of(mode)
        )
        return *drawn, csv_link(table_url("calibration", selection))

    reliability.register(app, services, ID)


TABLES = reliability.TABLES
