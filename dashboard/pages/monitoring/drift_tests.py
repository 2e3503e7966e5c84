"""Whether live answers part from those on the test set (drift) by more than chance would have it."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.analysis import drift
from dashboard.components import badge, card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import Source, csv_data_url
from dashboard.format.numbers import chance
from dashboard.pages.monitoring.counted import seen
from dashboard.services.container import Services
from dashboard.state.selection import Selection


class Ids(StrEnum):
    FACE = "monitoring-tests-face"
    BODY = "monitoring-tests"
    CSV = "monitoring-tests-csv"


KINDS = {"none": ("no drift", "good"), "some": ("some drift", "warn"), "much": ("much drift", "bad")}
TOO_FEW = f"too few (under {drift.FEWEST})"
HOW_TO_READ = (
    "The population stability index (PSI) is Σ (p − q) ln(p / q) over bins, p live and q on test: by custom under 0.1 "
    "is no change, up to 0.25 some, above that much. It is not called a change where chance alone would give half as "
    "much. Kolmogorov–Smirnov: the largest distance between the two distributions of confidence; with many pictures a "
    "small p goes with a small distance, so look at both."
)


def layout(services: Services, selection: Selection) -> html.Article:
    """A line a test."""
    body = [slot(Ids.FACE, "Testing"), plain.place(Ids.BODY)]
    return card("Drift", __doc__, body, tools=[html.Span(id=Ids.CSV)])


def register(app: Dash, services: Services) -> None:
    """Tests of the run of the address, again whenever the page's clock ticks."""

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.CSV, "children"),
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
        link = csv_link(csv_data_url(*tested(indices, gap, base), Source.of(run)), name=f"{run.run_id}-drift.csv")
        return drift_lines(indices, gap, tally.n, base), link


def tested(
    indices: list[tuple[str, drift.Index]], gap: drift.Gap | None, base: drift.Baseline
) -> tuple[list[str], list[list]]:
    """Head and rows of what the tests say."""
    rows: list[list] = [
        ["population stability index", name, index.value, index.chance, "", index.n, base.n, index.word]
        for name, index in indices
    ]
    if gap is not None:
        p, word = ("", "unknown") if gap.few else (gap.p, "")
        rows.append(["Kolmogorov-Smirnov distance", "Confidence", gap.distance, "", p, gap.n, base.n, word])
    return ["test", "of", "value", "by chance", "p", "live n", "test n", "change"], rows


def drift_lines(
    indices: list[tuple[str, drift.Index]], gap: drift.Gap | None, n: int, base: drift.Baseline
) -> list[Any]:
    """A line a test: its number, what chance would give, and what that means."""
    lines = []
    for name, index in indices:
        words, kind = KINDS.get(index.word, (TOO_FEW, "mute"))
        lines.append(
            html.Li(
                [
                    html.Div([html.B(f"{name}: population stability index {index.value:.3f}"), badge(words, kind)]),
                    html.Span(f"chance gives about {index.chance:.3f} with n = {index.n:,}", className="faint small"),
                ]
            )
        )
    if gap is not None:
        words = f"of {gap.n:,} confidences kept one by one, against {base.n:,}"
        told = f"Confidence: Kolmogorov–Smirnov distance {gap.distance:.3f}"
        if gap.few:
            head: Any = html.Div([html.B(told), badge(TOO_FEW, "mute")])
        else:
            head = html.B(f"{told}, {chance(gap.p)}".replace(" p ", " p\u00a0"))
        lines.append(html.Li([head, html.Span(words, className="faint small")]))
    return [
        html.Ul(lines, className="mon-tests"),
        html.Details([html.Summary("How to read this"), html.P(HOW_TO_READ)], open=True),
    ]
