"""Bars: what was answered lately. Line and ticks: the same run on its test set. Where they part, something changed."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import drift
from dashboard.components import badge, card, csv_link, graph, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.exports import tables
from dashboard.figures import drift as figure
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
    TESTS_FACE = "monitoring-tests-face"
    TESTS = "monitoring-tests"
    CSV = "monitoring-compared-csv"
    TESTS_CSV = "monitoring-tests-csv"


KINDS = {"none": ("no drift", "good"), "some": ("some drift", "warn"), "much": ("much drift", "bad")}
HELP = "Whether live answers part from those on the test set by more than chance would have it."
HOW = (
    "The population stability index is Σ (p − q) ln(p / q) over bins, p live and q on test: by custom under 0.1 is no "
    "change, up to 0.25 some, above that much. It is not called a change where chance alone would give half as much. "
    "Kolmogorov–Smirnov: the largest distance between the two distributions of confidence; with many pictures a "
    "small p goes with a small distance, so look at both."
)


def layout() -> list[html.Article]:
    """Two charts and what the tests say."""
    charts = html.Div(
        [
            html.Div([html.H3("Confidence"), graph(Ids.CONFIDENCE)]),
            html.Div([html.H3("Classes answered"), graph(Ids.MIX)]),
        ],
        className="mon-charts",
    )
    beside = card(
        "Beside the test set",
        __doc__ or "",
        [slot(Ids.FACE, "Counting"), charts],
        tools=[html.Span(id=Ids.CSV)],
        span=8,
    )
    tests = card(
        "Drift",
        HELP,
        [slot(Ids.TESTS_FACE, "Testing"), plain.place(Ids.TESTS)],
        tools=[html.Span(id=Ids.TESTS_CSV)],
        span=4,
    )
    return [beside, tests]


def register(app: Dash, services: Services) -> None:
    """Charts and tests of the run of the address, again whenever the page's clock ticks."""

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
        low, high = wilson(np.array(counts), sum(counts))
        chart = figure.mix(
            counts,
            base.classes.tolist(),
            run.classes,
            colours=theme.class_colours(mode, len(run.classes)),
            ends=(low, high),
            mode=mode,
        )
        sure = figure.confidences(np.array(tally.bins), base.bins, mode=mode)
        pixels = figure.height(len(run.classes))
        link = csv_link(tables.carried(*counted(tally, base, run.classes)), name=f"{run.run_id}-beside-test.csv")
        return sure, chart, {"height": f"{min(pixels, TALL)}px"}, {"height": f"{pixels}px"}, link

    @panel_callback(
        app,
        Ids.TESTS_FACE,
        plain.children(Ids.TESTS),
        Output(Ids.TESTS_CSV, "children"),
        Input("url", "search"),
        Input("monitoring-tick-state", "data"),
    )
    def draw_tests(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        tally = seen(services, run, selection)[1]
        base = drift.Baseline.of(run)
        indices = [
            ("Confidence", drift.confidence(tally, base)),
            ("Classes answered", drift.mix(tally, base, run.classes)),
        ]
        gap = drift.gap(tally, base)
        link = csv_link(tables.carried(*tested(indices, gap, base)), name=f"{run.run_id}-drift.csv")
        return said(indices, gap, tally.n, base), link


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


def tested(
    indices: list[tuple[str, drift.Index]], gap: drift.Gap | None, base: drift.Baseline
) -> tuple[list[str], list[list]]:
    """Head and rows of what the tests say."""
    rows: list[list] = [
        ["population stability index", name, found.value, found.chance, "", found.n, base.n, found.word]
        for name, found in indices
    ]
    if gap is not None:
        rows.append(["Kolmogorov-Smirnov distance", "Confidence", gap.distance, "", gap.p, gap.n, base.n, ""])
    return ["test", "of", "value", "by chance", "p", "live n", "test n", "change"], rows


def said(indices: list[tuple[str, drift.Index]], gap: drift.Gap | None, n: int, base: drift.Baseline) -> list[Any]:
    """A line a test: its number, what chance would give, and what that means."""
    lines = []
    for name, found in indices:
        words, kind = KINDS.get(found.word, (f"too few (under {drift.FEWEST})", "mute"))
        lines.append(
            html.Li(
                [
                    html.Div([html.B(f"{name}: stability index {found.value:.3f}"), badge(words, kind)]),
                    html.Span(f"chance gives about {found.chance:.3f} with n = {found.n:,}", className="faint small"),
                ]
            )
        )
    if gap is not None:
        p = f"p\u00a0=\u00a0{gap.p:.2g}" if gap.p >= 0.0001 else "p\u00a0<\u00a00.0001"
        words = f"of {gap.n:,} confidences kept one by one, against {base.n:,}"
        lines.append(
            html.Li(
                [
                    html.B(f"Confidence: Kolmogorov–Smirnov distance {gap.distance:.3f}, {p}"),
                    html.Span(words, className="faint small"),
                ]
            )
        )
    return [
        html.Ul(lines, className="mon-tests"),
        html.Details([html.Summary("How to read this"), html.P(HOW)], open=True),
    ]
