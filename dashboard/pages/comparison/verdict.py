"""Which of the two is better, by how much, and how sure can we be?"""

from collections.abc import Sequence

import numpy as np
from dash import Dash, Input, html

from dashboard.analysis import claims
from dashboard.analysis.comparison import Verdict, verdict
from dashboard.components import csv_link, plain, stat, way, whisker
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.figures.gaps import points, reach
from dashboard.format.csv import table_url
from dashboard.format.numbers import chance
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
        pair = services.store.compare(selection)
        comparison = verdict(pair)
        claimed = claims.sentences(services.store, pair)
        return [hero(comparison, selection, claimed), html.Div(stats(comparison, selection), className="stats")]


def hero(comparison: Verdict, selection: Selection, claimed: Sequence[str] = ()) -> html.Div:
    """The gap, the sentence, and where zero lies from here. claimed: what the gap can be put down to."""
    _, only_a, only_b, _ = comparison.buckets
    sentence = comparison.sentence()
    how = (
        f"Interval: {REDRAWS:,} paired bootstrap redraws, seed {SEED}. "
        f"p: exact McNemar test of {only_a:,} against {only_b:,}."
    )
    copy = html.Button(
        [icon("link"), html.Span("Copy verdict")],
        type="button",
        className="btn-ff sm",
        **{"data-copy": " ".join([sentence, *claimed])},
    )
    said = [html.P(words, className="claim") for words in claimed]
    digits = 1 if abs(comparison.gap) >= 0.001 else 2
    return html.Div(
        [
            html.Div(
                [
                    html.Span([points(comparison.gap, digits), html.Small("points")], className="hero-n"),
                    html.Div([html.H2(sentence), *said, html.P(how, className="quiet small")]),
                ],
                className="hero-top",
            ),
            scale(comparison),
            html.Div([copy, csv_link(table_url("comparison", selection))], className="row-ff tail"),
        ],
        className="hero",
    )


def scale(comparison: Verdict) -> html.Div:
    """The gap and its interval on an axis around zero, B's side at the left and A's at the right."""
    end, step = reach(np.array([comparison.low]), np.array([comparison.high]))

    def at(value: float) -> str:
        return f"{50 + 50 * 100 * value / end:.2f}%"

    side = "a" if comparison.gap >= 0 else "b"
    ticks = [step * k for k in (-2, -1, 0, 1, 2) if abs(step * k) <= end]
    parts: list = [
        html.I(className="gridline zero" if not t else "gridline", style={"left": at(t / 100)}) for t in ticks
    ]
    parts += [
        html.Span(f"{'+' if t > 0 else '−' if t < 0 else ''}{abs(t):g}", className="tick", style={"left": at(t / 100)})
        for t in ticks
    ]
    width = f"calc({at(comparison.high)} - {at(comparison.low)})"
    parts += [
        html.I(className=f"range {side}", style={"left": at(comparison.low), "width": width}),
        html.I(className=f"at {side}", style={"left": at(comparison.gap)}),
        html.Span([letter("b"), "better"], className="side left"),
        html.Span([letter("a"), "better"], className="side right"),
    ]
    value, low, high = (points(x, 2) for x in (comparison.gap, comparison.low, comparison.high))
    words = f"A minus B {value} points, 95 percent interval {low} to {high}"
    return html.Div(parts, className="gapline", role="img", **{"aria-label": words})


def stats(comparison: Verdict, selection: Selection) -> list:
    """Both accuracies, the test, the losses, agreement, and what the two know together."""
    both, only_a, only_b, neither = comparison.buckets
    n, loss = comparison.n, comparison.loss
    first, second = wilson(both + only_a, n), wilson(both + only_b, n)
    floor = max(0.0, min(0.8, np.floor(10 * float(min(first[0], second[0])) - 1e-9) / 10))
    wrong = {
        "a": way(f"{only_b + neither:,} wrong", there(selection, "only-b", "neither"), label="See what A has wrong"),
        "b": way(f"{only_a + neither:,} wrong", there(selection, "only-a", "neither"), label="See what B has wrong"),
    }
    disagree = selection.clear().with_(tag=("runs-disagree",)).query()
    other = way(f"{n - comparison.same:,} differ", disagree, label="See the images on which they disagree")
    return [
        share([letter("a"), comparison.a], both + only_a, n, floor, wrong["a"], "var(--ff-run-a)"),
        share([letter("b"), comparison.b], both + only_b, n, floor, wrong["b"], "var(--ff-run-b)"),
        stat(
            "McNemar, exact",
            chance(comparison.p),
            "",
            html.Span(className="whisk blank"),
            [
                way(f"{only_a:,} only A", there(selection, "only-a"), label=f"See the {only_a:,} only A has right"),
                ", ",
                way(f"{only_b:,} only B", there(selection, "only-b"), label=f"See the {only_b:,} only B has right"),
            ],
        ),
        of_losses(loss),
        share("Same answer", comparison.same, n, floor, other),
        share("At least one right", n - neither, n, floor, way(f"{neither:,} neither", there(selection, "neither"))),
    ]


def there(selection: Selection, *buckets: str) -> str:
    """The address of the images of which these hold."""
    return selection.clear().with_(bucket=buckets).query()


def signed(value: float) -> str:
    """'−0.081'"""
    return f"{value:+z.3f}".replace("-", "−")


def share(label, part: int, n: int, floor: float, rest: html.Button, colour: str = "var(--ff-accent)") -> html.Div:
    """A proportion with its Wilson interval. rest: the way to the images that are not part of it."""
    proportion = Proportion(part, n)
    mark = whisker(proportion.value, *proportion.ends, (min(floor, proportion.ends[0]), 1), colour)
    return stat(label, proportion.percent, "%", mark, [f"{proportion.span}, {part:,}; ", rest])


def of_losses(loss: tuple[float, float, float] | None) -> html.Div | html.Button:
    """Mean loss of A minus that of B; None where one of the two came without all probabilities."""
    title = "Loss, A minus B"
    if loss is None:
        return stat(title, "–", "", html.Span(className="whisk blank"), "needs all probabilities of both")
    far = 1.4 * max(abs(loss[1]), abs(loss[2]), 0.01)
    mark = whisker(*loss, (-far, far), f"var(--ff-run-{'a' if loss[0] <= 0 else 'b'})")
    return stat(title, signed(loss[0]), "", mark, f"{signed(loss[1])} to {signed(loss[2])}")


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """The numbers of the verdict on the whole split, and its sentence."""
    comparison = verdict(pair)
    both, only_a, only_b, _ = comparison.buckets
    rows: list[list] = [
        ["A", pair.a.run_id, "", "", comparison.n],
        ["B", pair.b.run_id, "", "", comparison.n],
        *(
            [f"accuracy {name}", right / comparison.n, *map(float, wilson(right, comparison.n)), comparison.n]
            for name, right in (("A", both + only_a), ("B", both + only_b))
        ),
        ["gap, paired bootstrap", comparison.gap, comparison.low, comparison.high, comparison.n],
        ["loss A minus B", *(comparison.loss or ("", "", "")), comparison.n],
        [
            "same answer",
            comparison.same / comparison.n,
            *map(float, wilson(comparison.same, comparison.n)),
            comparison.n,
        ],
        ["exact McNemar p", comparison.p, "", "", only_a + only_b],
        *([name, count, "", "", comparison.n] for name, count in zip(BUCKETS, comparison.buckets, strict=True)),
        ["verdict", comparison.sentence(), "", "", comparison.n],
        ["what it can be put down to", claims.claim(pair).sentence(), "", "", comparison.n],
    ]
    return ["what", "value", "low", "high", "n"], rows


TABLES = {"comparison": of_pair(csv_rows)}
