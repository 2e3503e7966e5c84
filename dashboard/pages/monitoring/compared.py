"""Bars: what was answered lately. Line and ticks: the same run on its test set. Where they part, there is drift."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import drift
from dashboard.components import card, csv_link, graph
from dashboard.components.panel import panel_callback, slot
from dashboard.figures import drift as figure
from dashboard.format.csv import Source, csv_data_url
from dashboard.pages.monitoring.counted import seen
from dashboard.records.prediction_log import BINS, Tally
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.stats.intervals import wilson

TALL = 360  # pixels of the chart of confidences at most


class Ids(StrEnum):
    FACE = "monitoring-compared-face"
    CONFIDENCE = "monitoring-confidence-graph"
    MIX = "monitoring-mix-graph"
    CSV = "monitoring-compared-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """Two charts."""
    charts = html.Div(
        [
            html.Div([html.H3("Confidence"), graph(Ids.CONFIDENCE)]),
            html.Div([html.H3("Classes answered"), graph(Ids.MIX)]),
        ],
        className="mon-charts",
    )
    body = [slot(Ids.FACE, "Counting"), charts]
    return card("Beside the test set", __doc__, body, tools=[html.Span(id=Ids.CSV)])


def register(app: Dash, services: Services) -> None:
    """Charts of the run of the address, again whenever the page's clock ticks."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.CONFIDENCE, "figure"),
        Output(Ids.MIX, "figure"),
        Output(Ids.CONFIDENCE, "style"),
        Output(Ids.MIX, "style"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input("monitoring-tick-state", "data"),
        Input(theme.STATE, "data"),
    )
    def draw_compared(search: str | None, _: object, mode: object):
        selection, mode = Selection.parse(search), theme.mode_of(mode)
        run = services.store.shown(selection.run)
        tally = seen(services, run, selection)[1]
        base = drift.Baseline.of(run)
        counts = [tally.classes.get(name, 0) for name in run.classes]
        rows, colours = drift.moved(counts, base.classes.tolist()), theme.class_colours(mode, len(run.classes))
        low, high = wilson(np.array(counts)[rows], sum(counts))
        chart = figure.mix(
            [counts[i] for i in rows],
            [int(base.classes[i]) for i in rows],
            [run.classes[i] for i in rows],
            ends=(low, high),
            n=(sum(counts), base.n),
            colours=[colours[i] for i in rows],
            mode=mode,
        )
        sure = figure.confidences(np.array(tally.bins), base.bins, mode=mode)
        pixels = figure.height(len(rows))
        link = csv_link(
            csv_data_url(*counted(tally, base, run.classes), Source.of(run)), name=f"{run.run_id}-beside-test.csv"
        )
        return sure, chart, {"height": f"{min(pixels, TALL)}px"}, {"height": f"{pixels}px"}, link


def counted(tally: Tally, base: drift.Baseline, classes: Sequence[str]) -> tuple[list[str], list[list]]:
    """Head and rows of what the charts show: answers by confidence and by class, live and on test."""
    ends = [100 * place // BINS for place in range(BINS + 1)]
    rows: list[list] = [
        ["confidence", f"{low} to {high} %", live, tally.n, usual, base.n]
        for low, high, live, usual in zip(ends, ends[1:], tally.bins, base.bins.tolist(), strict=False)
    ]
    rows += [
        ["class", name, tally.classes.get(name, 0), tally.n, usual, base.n]
        for name, usual in zip(classes, base.classes.tolist(), strict=True)
    ]
    return ["of", "is", "live", "live n", "test", "test n"], rows
