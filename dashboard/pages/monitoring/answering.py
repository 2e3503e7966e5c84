"""Each run that answered, beside its own test set (in brackets). Choose one to see it above."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.analysis import drift
from dashboard.components import badge, button, card, column_head, csv_link, dot, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.format.csv import Source, csv_data_url
from dashboard.format.numbers import milliseconds
from dashboard.format.proportion import Proportion
from dashboard.pages.monitoring.drift_tests import KINDS
from dashboard.records.prediction_log import Tally
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SINCE
from ml.artifacts.reader import Broken, Missing


class Ids(StrEnum):
    FACE = "monitoring-runs-face"
    TABLE = "monitoring-runs-table"
    CSV = "monitoring-runs-csv"


MAX_RUNS_LISTED = 12  # runs that the table holds, those with most answers
COLUMN_HEADS = (
    "Run", "Predictions", "Mean confidence", "Abstentions", "Unlike the training data (OOD)", "Most answered",
    "Drift (PSI): confidence", "Drift (PSI): classes", "p50 – p95",
)  # fmt: skip


def layout(services: Services, selection: Selection) -> html.Article:
    """One row a run."""
    region = {"aria-label": "Runs side by side", "className": "tablewrap", "tabIndex": "0", "role": "region"}
    body = plain.place(Ids.TABLE, **region)
    return card("By run", __doc__, [slot(Ids.FACE, "Counting"), body], tools=[html.Span(id=Ids.CSV)])


def register(app: Dash, services: Services) -> None:
    """The table, again whenever the page's clock ticks."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.TABLE),
        Output(Ids.CSV, "children"),
        Input("url", "search"),
        Input("monitoring-tick-state", "data"),
    )
    def list_runs(search: str | None, _: object):
        selection = Selection.parse(search)
        tallies = answering(services, selection.since or SINCE[0])
        if not tallies:
            raise Missing("No run has answered a picture in this stretch.")
        shown = services.store.used(selection.run)
        rows = [row(run, tally, selection, current=run.run_id == shown) for run, tally in tallies]
        head = html.Tr([column_head(words) for words in COLUMN_HEADS])
        cells = [numbers(run, tally) for run, tally in tallies]
        link = csv_link(csv_data_url(list(cells[0]), [list(one.values()) for one in cells], None), name="runs-live.csv")
        return html.Table([html.Thead(head), html.Tbody(rows)]), link


def answering(services: Services, span: str) -> list[tuple[RunData, Tally]]:
    """Runs that are here with what they answered, most first; at most MAX_RUNS_LISTED."""
    tallies = []
    for run_id in services.monitor.runs():
        tally = services.monitor.seen(span, run_id)
        if tally.n:
            try:
                run = services.store.open(run_id)
                run.predictions("test")
            except (Missing, Broken):
                continue  # deleted since, or never judged
            tallies.append((run, tally))
    return sorted(tallies, key=lambda one: -one[1].n)[:MAX_RUNS_LISTED]


def numbers(run: RunData, tally: Tally) -> dict[str, object]:
    """What a row says, as a line of the CSV."""
    base = drift.Baseline.of(run)
    gap = drift.gap(tally, base)
    sure, mix = drift.confidence(tally, base), drift.mix(tally, base, run.classes)
    return {
        "run": run.run_id, "predictions": tally.n, "mean confidence": round(tally.confidence / tally.n, 6),
        "mean confidence on test": round(float(base.confidence.mean()), 6), "abstentions": tally.abstained,
        "abstentions on test": base.abstained.count, "test": base.n, "compared": tally.checked, "unlike": tally.unlike,
        "unlike on test": base.unlike.count, "compared on test": base.unlike.n, "psi confidence": round(sure.value, 6),
        "psi classes": round(mix.value, 6), "ks distance": round(gap.distance, 6) if gap else "",
        "ks p": round(gap.p, 6) if gap and not gap.few else "", "ks n": gap.n if gap else 0,
        **{f"p{q} ms": round(1000 * tally.percentile(q / 100), 2) for q in (50, 95, 99)},
        "data": Source.of(run).data,
    }  # fmt: skip


def row(run: RunData, tally: Tally, selection: Selection, *, current: bool) -> html.Tr:
    """One run; each proportion with its interval and n, and the same on test."""
    base = drift.Baseline.of(run)
    name = max(tally.classes, key=lambda one: tally.classes[one])
    place = run.classes.index(name) if name in run.classes else None
    most = Proportion(tally.classes[name], tally.n)
    usual = Proportion(int(base.classes[place]), base.n) if place is not None else Proportion(0, 0)
    search = selection.with_(run=run.run_id).query()
    here = button(run.title, small=True, kind="ghost", search=search, **{"aria-current": str(current).lower()})
    times = " – ".join(milliseconds(tally.percentile(q)) for q in (0.5, 0.95))
    sure = f"{100 * tally.confidence / tally.n:.1f} %"
    return html.Tr(
        [
            html.Th(here, scope="row"),
            html.Td(f"{tally.n:,}"),
            html.Td([sure, small(f"(test {100 * base.confidence.mean():.1f} %)" if base.n else "")]),
            html.Td(doubt(Proportion(tally.abstained, tally.n), base.abstained)),
            html.Td(doubt(Proportion(tally.unlike, tally.checked), base.unlike)),
            html.Td([dot(place) if place is not None else None, f" {name} ", *doubt(most, usual)]),
            html.Td(changed(drift.confidence(tally, base))),
            html.Td(changed(drift.mix(tally, base, run.classes))),
            html.Td(f"{times} ms"),
        ]
    )


def small(words: str) -> html.Span:
    return html.Span(words, className="faint small")


def doubt(live: Proportion, usual: Proportion) -> list[Any]:
    """In percent, interval and n below, the test set's in brackets."""
    known = f" (test {usual.percent} %)" if usual.n else ""
    if not live.n:
        return ["–", small(f"none compared yet{known}")]
    return [f"{live.percent} %", small(f"{live.span}, {live.count:,} of {live.n:,}{known}")]


def changed(index: drift.Index) -> list[Any]:
    """The stability index and what it means."""
    words, kind = KINDS.get(index.word, ("too few", "mute"))
    return [badge(words, kind), small(f"{index.value:.3f}, chance {index.chance:.3f}")]
