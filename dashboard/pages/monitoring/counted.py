"""Pictures answered by this run, beside its test set. A confidence under 50 % counts as an abstention."""

import time
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis import drift
from dashboard.components import card, csv_link, graph, plain, stat, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures import drift as figure
from dashboard.format.numbers import milliseconds
from dashboard.format.proportion import Proportion
from dashboard.records.prediction_log import SPANS, Tally, dated
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SINCE
from ml.artifacts.reader import Missing
from ml.system.wording import are, quantity


class Ids(StrEnum):
    FACE = "monitoring-counted-face"
    STATS = "monitoring-counted-stats"
    TRAFFIC = "monitoring-traffic-graph"
    NOTE = "monitoring-counted-note"
    CSV = "monitoring-counted-csv"


BARS = 60  # of the chart over time, about


def layout(services: Services, selection: Selection) -> html.Article:
    """Numbers, then predictions over time."""
    body = html.Div(
        [
            plain.place(Ids.STATS, className="stats"),
            html.H3("Predictions over time"),
            graph(Ids.TRAFFIC, style={"height": "166px"}),
            html.P(id=Ids.NOTE, className="faint small"),
        ]
    )
    return card("Answers", __doc__, [slot(Ids.FACE, "Counting"), body], tools=[html.Span(id=Ids.CSV)])


def register(app: Dash, services: Services) -> None:
    """Counters of the run of the address, again whenever the page's clock ticks."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.STATS),
        Output(Ids.TRAFFIC, "figure"),
        Output(Ids.NOTE, "children"),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input("monitoring-tick-state", "data"),
        Input(theme.STATE, "data"),
    )
    def draw_counts(search: str | None, _: object, mode: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        minutes, tally = seen(services, run, selection)
        steps, counts, step = stretches(minutes, selection)
        chart = figure.traffic(steps, counts, step=step, mode=theme.mode_of(mode))
        return (
            stats(tally, drift.Baseline.of(run)),
            chart,
            note(tally, undated(minutes)),
            csv_link(f"/export/monitoring.csv{selection.query()}"),
        )


def seen(services: Services, run: RunData, selection: Selection) -> tuple[list[tuple[int, Tally]], Tally]:
    """(minute, tally) of the stretch the address names, and their sum. Raises Missing where there is none."""
    span = selection.since or SINCE[0]
    minutes = services.monitor.minutes(span, run.run_id)
    tally = Tally.of(one for _, one in minutes)
    if not tally.n:
        words = {"hour": "in the last hour", "day": "in the last day", "all": "yet"}[span]
        others = sorted(set(services.monitor.runs()) - {run.run_id})
        more = f" Others have: {', '.join(others[:5])}." if others else ""
        raise Missing(f"{run.title} has answered no picture {words}. Give it one on the Prediction page.{more}")
    return minutes, tally


def stretches(minutes: list[tuple[int, Tally]], selection: Selection) -> tuple[list[int], list[int], int]:
    """Starts in minutes since 1970, predictions in each, and how many minutes each has."""
    now = int(time.time() // 60)
    known = [(minute, tally) for minute, tally in minutes if dated(minute, now)]
    past = SPANS[selection.since or SINCE[0]] or max(now - min((minute for minute, _ in known), default=now) + 1, 1)
    step = max(-(-past // BARS), 1)
    step = step if step < 60 else -(-step // 60) * 60  # old minutes have become hours
    first = (now - past + 1) // step * step
    starts = list(range(first, now + 1, step))
    counts = [0] * len(starts)
    for minute, tally in known:
        counts[min(max((minute - first) // step, 0), len(starts) - 1)] += tally.n
    return starts, counts, step


def stats(tally: Tally, base: drift.Baseline) -> list[Any]:
    """Counts with their doubt and what they are on the test set, and latency percentiles."""
    times = [milliseconds(tally.percentile(share)) for share in (0.5, 0.95, 0.99)]
    usual = f"on test {100 * base.confidence.mean():.1f}" if base.n else "no answers on test"
    return [
        stat("Predictions", f"{tally.n:,}", "", None, "in this stretch"),
        stat("Mean confidence", f"{100 * tally.confidence / tally.n:.1f}", " %", None, f"n = {tally.n:,}; {usual}"),
        share("Abstentions", Proportion(tally.abstained, tally.n), base.abstained),
        share("Unlike the training data (OOD)", Proportion(tally.unlike, tally.checked), base.unlike),
        stat("Latency, median", times[0], " ms", None, "of one picture"),
        stat("Latency, p95", times[1], " ms", None, f"p99 {times[2]} ms"),
    ]


def share(name: str, live: Proportion, usual: Proportion) -> Any:
    """A proportion beside the same of the test set."""
    words = f"on test {usual.percent}" if usual.n else "on test not known"
    if not live.n:
        return stat(name, "–", "", None, f"none compared yet; {words}")
    mark = whisker(live.value, *live.ends, (0.0, 1.0))
    return stat(name, live.percent, " %", mark, f"{live.span}, {live.count:,} of {live.n:,}; {words}")


def undated(minutes: list[tuple[int, Tally]]) -> int:
    """Predictions of minutes that cannot be: the clock was set between them and now."""
    now = int(time.time() // 60)
    return sum(tally.n for minute, tally in minutes if not dated(minute, now))


def note(tally: Tally, elsewhen: int = 0) -> str:
    """What the numbers are of. elsewhen: how many predictions have a time that cannot be."""
    words = f" {quantity(elsewhen, 'prediction')} of a time that cannot be {are(elsewhen)} counted, and not drawn."
    return (
        f"Latency is preparation and forward pass, without network and waiting, to a quarter. Of {tally.n:,} pictures "
        f"{tally.checked:,} were compared with the training data, at most two a second, in the background."
        f"{words if elsewhen else ''}"
    )
