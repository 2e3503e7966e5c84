"""A minus B in points of each class named right, with 95 % interval; a filled dot where it holds among all classes."""

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.analysis.comparison import gaps
from dashboard.components import card, class_bars, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunPair
from dashboard.exports.tables import Table, of_pair, url
from dashboard.figures import gaps as figure
from dashboard.services.container import Services
from dashboard.state.selection import BUCKETS, Selection

ID = "comparison-gaps"
FACE = f"{ID}-face"
HOW = (
    "Intervals: Newcombe's for paired proportions. Filled: p under 0.05 in the exact McNemar test, "
    "after Holm's correction for all classes."
)


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars in class order, like the rows of the matrix beside them."""
    body = [slot(FACE), class_bars.layout(ID), html.P(HOW, className="faint small")]
    return card("Gap per class", __doc__, body, tools=html.Span(id=f"{ID}-csv"), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true, predicted, outcome and bucket."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-names"),
        plain.children(f"{ID}-values"),
        Output(f"{ID}-bars", "style"),
        Output(f"{ID}-csv", "children"),
        Input("url", "search"),
        Input(theme.STATE, "data"),
    )
    def draw_gaps(search: str | None, mode: str):
        selection = Selection.parse(search)
        pair = services.store.compare(selection)
        found, classes = gaps(pair.by_class(selection)), pair.a.classes
        drawn = figure.bars(
            found.gap, found.low, found.high, found.n, found.sure, classes,
            chosen=selection.true, mode=theme.mode_of(mode),
        )  # fmt: skip
        buttons = [
            class_bars.name_button(
                selection.differing(),
                "true",
                name,
                f"{name} {figure.points(found.gap[i])} points, interval {figure.points(found.low[i])} to "
                f"{figure.points(found.high[i])}, of {found.n[i]}",
            )
            for i, name in enumerate(classes)
        ]
        lines = [
            (figure.points(g), f"±{50 * (high - low):.1f}") if n else ("–", "")
            for g, low, high, n in zip(found.gap, found.low, found.high, found.n, strict=True)
        ]
        csv = csv_link(url("gaps", selection))
        return drawn, buttons, class_bars.value_lines(lines), {"--n": len(classes)}, csv

    class_bars.register(app, ID, "true", Selection.differing)


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """One row a class: its buckets, the gap with its interval, and both p values."""
    found = gaps(pair.by_class(selection))
    head = ["class", "n", *BUCKETS, "gap", "low", "high", "p", "p adjusted"]
    numbers = zip(found.gap, found.low, found.high, found.p, found.adjusted, strict=True)
    return head, [
        [name, int(row.sum()), *map(int, row), *(f"{x:.6g}" for x in more)]
        for name, row, more in zip(pair.a.classes, found.buckets, numbers, strict=True)
    ]


TABLES = {"gaps": of_pair(csv_rows)}
