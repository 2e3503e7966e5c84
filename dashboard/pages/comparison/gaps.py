"""A minus B in points of recall (a class named right), 95 % interval; a filled dot where it holds among all classes."""

from dash import Dash, html

from dashboard.analysis import class_parts, confidence
from dashboard.analysis.class_parts import Part
from dashboard.analysis.comparison import gaps
from dashboard.components import card, class_bars
from dashboard.components.class_bars import Bars
from dashboard.data.pair import RunPair
from dashboard.exports.tables import Table, of_pair
from dashboard.figures import gaps as figure
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from dashboard.state.vocabulary import BUCKETS
from ml.artifacts.reader import Missing

ID = "comparison-gaps"
INTERVAL_NOTE = (
    "Intervals: Newcombe's for paired proportions. Filled: p under 0.05 in the exact McNemar test, "
    "after Holm's correction for all classes."
)


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars in class order, like the rows of the matrix beside them; of many classes where A is better first."""
    body = [*class_bars.layout(ID), html.P(INTERVAL_NOTE, className="faint small")]
    return card("Gap per class", __doc__, body, tools=class_bars.tools(ID), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true, predicted, outcome and bucket."""

    def draw(selection: Selection, _: str, mode: str, part: Part) -> Bars:
        if why := confidence.chosen_by_outcome(selection, ("true", "pred", "outcome", "bucket")):
            raise Missing(f"{why} A's answers chose them, so the two cannot be compared on them.")
        pair = services.store.compare(selection)
        recall_gaps, classes = gaps(pair.by_class(selection)), pair.a.classes
        order, known = list(range(len(classes))), len(classes)
        if known > MANY_CLASSES:  # a gap of one image is neither first nor last
            order, known = class_parts.by_interval(recall_gaps.low, recall_gaps.high, recall_gaps.n)
        listed = part.of(classes, order, known)
        rows, shown = listed.places, [classes[i] for i in listed.places]
        gap, low, high, n, sure = (
            each[rows] for each in (recall_gaps.gap, recall_gaps.low, recall_gaps.high, recall_gaps.n, recall_gaps.sure)
        )
        drawn = figure.bars(gap, low, high, n, sure, shown, chosen=selection.true, mode=mode)
        names, values = [], []
        for name, points, a, b, k in zip(shown, gap, low, high, n, strict=True):
            interval = f"interval {figure.points(a)} to {figure.points(b)}, of {k}"
            words = f"{name} {figure.points(points)} points, {interval}"
            names.append(class_bars.name_button(selection.differing(), "true", name, words))
            values.append((figure.points(points), f"±{50 * (b - a):.1f}") if k else ("–", ""))
        return Bars(drawn, names, values, listed=listed)

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
