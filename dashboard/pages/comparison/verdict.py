"""Which of the two is better, by how much, and how sure can we be?"""

import numpy as np
from dash import Dash, Input, html

from dashboard.analysis.comparison import Verdict, p_words, verdict
from dashboard.components import csv_link, plain, stat, whisker
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.figures.gaps import points, reach
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.pages.comparison.letters import letter
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.stats.intervals import wilson
from ml.stats.paired import REDRAWS, SEED

FACE, BODY = "comparison-verdict-face", "comparison-verdict-body"


def layout(services: Services, selection: Selection) -> html.Section:
    """One card: the gap with its interval and the sentence, and six more numbers."""
    return html.Section(
        [slot(FACE, "Comparing the two runs"), plain.place(BODY, className="ff-card scores")],
        **{"aria-label": "Verdict"},
    )


def register(app: Dash, services: Services) -> None:
    """Redraw when runs or split change; the selection does not touch the verdict on the whole split."""

    @panel_callback(app, FACE, plain.children(BODY), Input("app-view-state", "data"))
    def draw_verdict(search: str | None):
        selection = Selection.parse(search)
        found = verdict(services.store.compare(selection))
        return [hero(found, selection), html.Div(stats(found), className="stats")]


def hero(found: Verdict, selection: Selection) -> html.Div:
    """The gap, the sentence, and where zero lies from here."""
    _, only_a, only_b, _ = found.buckets
    sentence = found.sentence()
    how = (
        f"Interval: {REDRAWS:,} paired bootstrap redraws, seed {SEED}. "
        f"p: exact McNemar test of {only_a:,} against {only_b:,}."
    )
    copy = html.Button(
        [icon("link"), html.Span("Copy verdict")],
        type="button",
        className="btn-ff sm",
        **{"data-copy": sentence},
    )
    digits = 1 if abs(found.gap) >= 0.001 else 2
    return html.Div(
        [
            html.Div(
                [
                    html.Span([points(found.gap, digits), html.Small("points")], className="hero-n"),
                    html.Div([html.H2(sentence), html.P(how, className="quiet small")]),
                ],
                className="hero-top",
            ),
            scale(found),
            html.Div([copy, csv_link(table_url("comparison", selection))], className="row-ff tail"),
        ],
        className="hero",
    )


def scale(found: Verdict) -> html.Div:
    """The gap and its interval on an axis around zero, B's side at the left and A's at the right."""
    end, step = reach(np.array([found.low]), np.array([found.high]))

    def at(value: float) -> str:
        return f"{50 + 50 * 100 * value / end:.2f}%"

    side = "a" if found.gap >= 0 else "b"
    ticks = [step * k for k in (-2, -1, 0, 1, 2) if abs(step * k) <= end]
    parts: list = [
        html.I(className="gridline zero" if not t else "gridline", style={"left": at(t / 100)}) for t in ticks
    ]
    parts += [
        html.Span(f"{'+' if t > 0 else '−' if t < 0 else ''}{abs(t):g}", className="tick", style={"left": at(t / 100)})
        for t in ticks
    ]
    width = f"calc({at(found.high)} - {at(found.low)})"
    parts += [
        html.I(className=f"range {side}", style={"left": at(found.low), "width": width}),
        html.I(className=f"at {side}", style={"left": at(found.gap)}),
        html.Span([letter("b"), "better"], className="side left"),
        html.Span([letter("a"), "better"], className="side right"),
    ]
    value, low, high = (points(x, 2) for x in (found.gap, found.low, found.high))
    words = f"A minus B {value} points, 95 percent interval {low} to {high}"
    return html.Div(parts, className="gapline", role="img", **{"aria-label": words})


def stats(found: Verdict) -> list:
    """Both accuracies, the test, the losses, agreement, and what the two know together."""
    both, only_a, only_b, neither = found.buckets
    n, loss = found.n, found.loss
    first, second = wilson(both + only_a, n), wilson(both + only_b, n)
    floor = max(0.0, min(0.8, np.floor(10 * float(min(first[0], second[0])) - 1e-9) / 10))
    far = 1.4 * max(abs(loss[1]), abs(loss[2]), 0.01)
    return [
        share([letter("a"), found.a], both + only_a, n, floor, "var(--ff-run-a)"),
        share([letter("b"), found.b], both + only_b, n, floor, "var(--ff-run-b)"),
        stat(
            "McNemar, exact",
            p_words(found.p),
            "",
            html.Span(className="whisk blank"),
            f"{only_a:,} only A, {only_b:,} only B",
        ),
        stat(
            "Loss, A minus B",
            signed(loss[0]),
            "",
            whisker(*loss, (-far, far), f"var(--ff-run-{'a' if loss[0] <= 0 else 'b'})"),
            f"{signed(loss[1])} to {signed(loss[2])}",
        ),
        share("Same answer", found.same, n, floor),
        share("At least one right", n - neither, n, floor),
    ]


def signed(value: float) -> str:
    """'−0.081'"""
    return f"{value:+.3f}".replace("-", "−")


def share(label, part: int, n: int, floor: float, colour: str = "var(--ff-accent)") -> html.Div:
    """A proportion with its Wilson interval."""
    found = Proportion(part, n)
    mark = whisker(found.value, *found.ends, (min(floor, found.ends[0]), 1), colour)
    return stat(label, found.percent, "%", mark, f"{found.span}, {part:,}")


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The numbers of the verdict on the whole split, and its sentence."""
    found = verdict(pair)
    both, only_a, only_b, _ = found.buckets
    rows: list[list] = [
        ["A", pair.a.run_id, "", "", found.n],
        ["B", pair.b.run_id, "", "", found.n],
        *(
            [f"accuracy {name}", right / found.n, *map(float, wilson(right, found.n)), found.n]
            for name, right in (("A", both + only_a), ("B", both + only_b))
        ),
        ["gap, paired bootstrap", found.gap, found.low, found.high, found.n],
        ["loss A minus B", *found.loss, found.n],
        ["same answer", found.same / found.n, *map(float, wilson(found.same, found.n)), found.n],
        ["exact McNemar p", found.p, "", "", only_a + only_b],
        *([name, count, "", "", found.n] for name, count in zip(BUCKETS, found.buckets, strict=True)),
        ["verdict", found.sentence(), "", "", found.n],
    ]
    return ["what", "value", "low", "high", "n"], rows


TABLES = {"comparison": of_pair(csv_rows)}
