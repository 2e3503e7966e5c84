"""Loss and accuracy after each pass over the training images, there and on images kept aside for validation."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.analysis import learning
from dashboard.components import card, csv_link
from dashboard.components.curves import two_charts
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import history as figures
from dashboard.format.csv import table_url
from dashboard.pages.insights.stages import LATER
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.kinds import TRAINING
from ml.system.wording import quantity

NEEDS = ("history",)


class Ids(StrEnum):
    FACE = "insights-history-face"
    LOSS = "insights-history-loss-graph"
    ACCURACY = "insights-history-accuracy-graph"
    NOTE = "insights-history-note"
    CSV = "insights-history-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """Two charts side by side."""
    charts = two_charts(Ids.LOSS, Ids.ACCURACY, "band")
    body = [slot(Ids.FACE), charts, html.P(id=Ids.NOTE, className="faint small")]
    return card("How it learned", __doc__, body, tools=html.Span(csv_link(""), id=Ids.CSV))


def register(app: Dash, services: Services) -> None:
    """Both curves of the open run."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.LOSS, "figure"),
        Output(Ids.ACCURACY, "figure"),
        Output(Ids.NOTE, "children"),
        Output(Ids.CSV, "children"),
        Input(LATER, "data"),
        Input("app-view-state", "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_history(later: Any, search: str | None, mode: Any):
        if not later:
            raise PreventUpdate
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        frame = run.history()
        mode = theme.mode_of(mode)
        loss = figures.curves(frame, measure="loss", mode=mode, height=250)
        accuracy = figures.curves(frame, measure="accuracy", mode=mode, height=250, interval=learning.band(run))
        return loss, accuracy, note(run, len(frame), learning.judged_on(run)), csv_link(table_url("history", selection))


def note(run: RunData, epochs: int, n: int) -> str:
    """Of what the curves are, and which epoch the run is."""
    if not run.can(TRAINING):
        best = run.manifest.get("best_epoch")
        kept = f"; the predictions of epoch {best} are the run's" if best else ""
        return f"{quantity(epochs, 'epoch')}, {learning.teller(run)}, validation on {n:,}{kept}."
    seconds = run.manifest.get("training_seconds", run.manifest["seconds"])
    took = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    best = run.manifest["best_epoch"]
    return (
        f"{quantity(epochs, 'epoch')} over {quantity(run.manifest['train_images'], 'training image')} in {took}, "
        f"validation on {n:,}; the weights of epoch {best} are the run."
    )


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row an epoch."""
    frame = run.history()
    return list(frame.columns), frame.to_numpy().tolist()


TABLES = {"history": of_run(csv_rows)}
