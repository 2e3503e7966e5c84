"""A minus B in points of recall (a class named right), 95 % interval; a filled dot where it holds among all classes."""

from dash import Dash, html

from dashboard.analysis import confidence
from dashboard.analysis.comparison import gaps
from dashboard.components import card, class_bars
from dashboard.components.class_bars import Bars
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.figures import gaps as figure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import BUCKETS
from ml.artifacts.reader import Missing

ID = "comparison-gaps"
INTERVAL_NOTE = (
    "Intervals: Newcombe's for paired proportions. Filled: p under 0.05 in the exact McNemar test, "
    "after Holm's correction for all classes."
)


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars in class order, like the rows of the matrix beside them."""
    body = [*class_bars.layout(ID), html.P(INTERVAL_NOTE, className="faint small")]
    return card("Gap per class", __doc__, body, tools=class_bars.tools(ID), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true, predicted, outcome and bucket."""

    def draw(selection: Selection, _: str, mode: str) -> Bars:
        if why := confidence.chosen_by_outcome(selection, ("true", "pred", "outcome", "bucket")):
            raise Missing(f"{why} A's answers chose them, so the two cannot be compared on them.")
        pair = services.store.compare(selection)
        recall_gaps, classes = gaps(pair.by_class(selection)), pair.a.classes
        drawn = figure.bars(
            recall_gaps.gap,
            recall_gaps.low,
            recall_gaps.high,
            recall_gaps.n,
            recall_gaps.sure,
            classes,
            chosen=selection.true,
            mode=mode,
        )
        names, values = [], []
        for name, gap, low, high, n in zip(
            classes, recall_gaps.gap, recall_gaps.low, recall_gaps.high, recall_gaps.n, strict=True
        ):
            interval = f"interval {figure.points(low)} to {figure.points(high)}, of {n}"
            words = f"{name} {figure.points(gap)} points, {interval}"
            names.append(class_bars.name_button(selection.differing(), "true", name, words))
            values.append((figure.points(gap), f"±{50 * (high - low):.1f}") if n else ("–", ""))
        return Bars(drawn, names, values)

    class_bars.register(app, ID, "true", "gaps", draw, start=Selection.differing)


def csv_rows(pair: RunPair, selection: Selection) -> Table:
    """One row a class: its buckets, the gap with its interval, and both p values."""
    recall_gaps = gaps(pair.by_class(selection))
    head = ["class", "n", *BUCKETS, "gap", "low", "high", "p", "p adjusted"]
    numbers = zip(recall_gaps.gap, recall_gaps.low, recall_gaps.high, recall_gaps.p, recall_gaps.adjusted, strict=True)
    return head, [
        [name, int(row.sum()), *map(int, row), *(f"{x:.6g}" for x in more)]
        for name, row, more in zip(pair.a.classes, recall_gaps.buckets, numbers, strict=True)
    ]


TABLES = {"gaps": of_pair(csv_rows)}
