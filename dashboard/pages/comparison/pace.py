"""Loss and accuracy of both on validation images, dashed on training images; a ring marks the epoch that was kept."""

from enum import StrEnum

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import learning
from dashboard.components import card, csv_link, segmented
from dashboard.components.curves import two_charts
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_pair
from dashboard.figures import pace as figure
from dashboard.format.csv import table_url
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.kinds import TRAINING

NEEDS = ("history",)
TIME = "Time is training alone, without evaluation"


class Ids(StrEnum):
    FACE = "comparison-pace-face"
    BY = "comparison-pace-select"
    LOSS = "comparison-pace-loss-graph"
    ACCURACY = "comparison-pace-accuracy-graph"
    NOTE = "comparison-pace-note"
    CSV = "comparison-pace-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """Two charts side by side, by epoch or by time."""
    charts = two_charts(Ids.LOSS, Ids.ACCURACY, "bands")
    tools = [
        segmented(Ids.BY, [("epoch", "By epoch"), ("seconds", "By time")], "epoch", "Horizontal axis"),
        html.Span(id=Ids.CSV),
    ]
    body = [slot(Ids.FACE), charts, html.P(id=Ids.NOTE, className="faint small")]
    return card("How they learned", __doc__, body, tools=tools)


def register(app: Dash, services: Services) -> None:
    """Both runs' curves, whatever the selection."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.LOSS, "figure"),
        Output(Ids.ACCURACY, "figure"),
        Output(Ids.NOTE, "children"),
        Output(Ids.CSV, "children"),
        Input("app-view-state", "data"),
        Input(Ids.BY, "value"),
        Input(theme.STATE, "data"),
    )
    def draw_pace(search: str | None, by: str, mode: str):
        selection = Selection.parse(search)
        pair = services.store.compare(selection)
        by, mode = by if by in figure.BY else "epoch", theme.mode_of(mode)
        runs = (pair.a, pair.b)
        best = (pair.a.manifest.get("best_epoch", 0), pair.b.manifest.get("best_epoch", 0))
        pair.b.need(*NEEDS)
        first, second = (run.history() for run in runs)
        untimed = " and ".join(name for name, run in zip("AB", runs, strict=True) if not learning.timed(run))
        by = "epoch" if untimed else by
        loss = figure.curves(first, second, measure="loss", by=by, mode=mode, best=best)
        accuracy = figure.curves(
            first,
            second,
            measure="accuracy",
            by=by,
            mode=mode,
            best=best,
            intervals=(learning.band(pair.a), learning.band(pair.b)),
        )
        notes = "; ".join(f"{name}: {note(run)}" for name, run in zip("AB", runs, strict=True))
        time = f"How long each epoch of {untimed} took was not told" if untimed else TIME
        return (
            loss,
            accuracy,
            f"{notes}. {time}.",
            csv_link(table_url("pace", selection)),
        )


def note(run: RunData) -> str:
    """How long and on what, and who says so where it was not trained here."""
    return learning.amount(run) + ("" if run.can(TRAINING) else f", {learning.teller(run)}")


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """One row a run and epoch."""
    frames = [(name, view.run_id, view.history()) for name, view in (("A", pair.a), ("B", pair.b))]
    columns = list(dict.fromkeys(column for *_, frame in frames for column in frame))  # what else was told differs
    told = [(name, run_id, frame.reindex(columns=columns)) for name, run_id, frame in frames]
    rows = [[name, run_id, *row] for name, run_id, frame in told for row in frame.itertuples(index=False)]
    return ["run", "run_id", *columns], rows


TABLES = {"pace": of_pair(csv_rows)}
