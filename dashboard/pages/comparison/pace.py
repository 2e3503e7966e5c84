"""Loss and accuracy of both on validation images, dashed on training images; a ring marks the epoch that was kept."""

from enum import StrEnum

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.components import card, csv_link, graph, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_pair
from dashboard.figures import pace as figure
from dashboard.format.csv import table_url
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.stats.intervals import wilson
from ml.system.wording import quantity

NEEDS = ("training",)


class Ids(StrEnum):
    FACE = "comparison-pace-face"
    BY = "comparison-pace-select"
    LOSS = "comparison-pace-loss-graph"
    ACCURACY = "comparison-pace-accuracy-graph"
    NOTE = "comparison-pace-note"
    CSV = "comparison-pace-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """Two charts side by side, by epoch or by time."""
    charts = [
        html.Div([html.H3(title), html.P(sense, className="faint small"), graph(id)], className="curve")
        for title, sense, id in (
            ("Loss", "lower is better", Ids.LOSS),
            ("Accuracy", "in percent, higher is better; bands: 95 % interval", Ids.ACCURACY),
        )
    ]
    tools = [
        segmented(Ids.BY, [("epoch", "By epoch"), ("seconds", "By time")], "epoch", "Horizontal axis"),
        html.Span(id=Ids.CSV),
    ]
    body = [slot(Ids.FACE), html.Div(charts, className="curves"), html.P(id=Ids.NOTE, className="faint small")]
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
        first, second = (run.history() for run in runs)
        loss = figure.curves(first, second, measure="loss", by=by, mode=mode, best=best)
        accuracy = figure.curves(
            first, second, measure="accuracy", by=by, mode=mode, best=best, intervals=(band(pair.a), band(pair.b))
        )
        notes = "; ".join(f"{name}: {note(run)}" for name, run in zip("AB", runs, strict=True))
        return (
            loss,
            accuracy,
            f"{notes}. Time is training alone, without evaluation.",
            csv_link(table_url("pace", selection)),
        )


def band(run: RunData) -> tuple:
    """Ends of the 95 % interval of the validation accuracy, per epoch."""
    n = run.dataset["counts"]["validation"]
    return wilson((run.history()["validation_accuracy"] * n).to_numpy(), n)


def note(run: RunData) -> str:
    """How long and on what."""
    seconds, epochs = float(run.history()["seconds"].sum()), len(run.history())
    over = f"{quantity(epochs, 'epoch')} over {quantity(run.manifest['train_images'], 'image')}"
    return f"{over} in {figure.duration(seconds)}"


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """One row a run and epoch."""
    frames = [(name, view.run_id, view.history()) for name, view in (("A", pair.a), ("B", pair.b))]
    rows = [[name, run_id, *row] for name, run_id, frame in frames for row in frame.itertuples(index=False)]
    return ["run", "run_id", *frames[0][2].columns], rows


TABLES = {"pace": of_pair(csv_rows)}
