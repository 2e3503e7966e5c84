"""Share of each true class named right (its recall, or accuracy), with 95 % interval."""

import numpy as np
from dash import Dash, html

from dashboard import theme
from dashboard.analysis import class_parts, confidence
from dashboard.analysis.class_parts import Part
from dashboard.components import card, class_bars
from dashboard.components.class_bars import Bars
from dashboard.data.run import MATRIX_CHIPS, RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import accuracy as figure
from dashboard.format.proportion import Proportion
from dashboard.pages.dashboard.scores import floor_of
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.values import MANY_CLASSES
from ml.artifacts.reader import Missing
from ml.stats.intervals import wilson

ID = "dashboard-accuracy"


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars, best class first; of many classes first by their interval, the best and the worst."""
    tools = class_bars.tools(ID, [("zero", "From 0"), ("cut", "Zoomed")], "Axis")
    return card("Accuracy per class", __doc__, class_bars.layout(ID), tools=tools, id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true, predicted and outcome, which are this panel's own."""

    def draw(selection: Selection, axis: str, mode: str, part: Part) -> Bars:
        run = services.store.shown(selection.run).for_selection(selection)
        if why := confidence.chosen_by_outcome(selection, MATRIX_CHIPS):
            raise Missing(why)
        counts = run.confusion(selection)
        right, n = counts.diagonal(), counts.sum(1)
        low, high = wilson(right, n)
        share = np.divide(right, n, out=np.zeros(len(n)), where=n > 0)
        ranked: list[int] = np.argsort(-share, kind="stable").tolist()
        known = len(ranked)
        if known > MANY_CLASSES:
            ranked, known = class_parts.by_interval(low, high, n)
        listed = part.of(run.classes, ranked, known)
        order = listed.places
        names, colours = [run.classes[i] for i in order], theme.class_colours(mode, len(run.classes))
        cut = floor_of(low[n > 0]) if (n > 0).any() else 0.0
        drawn = figure.bars(
            right[order],
            n[order],
            low[order],
            high[order],
            names,
            colours=[colours[i] for i in order],
            floor=cut if axis == "cut" else 0.0,
            chosen=selection.true,
            mode=mode,
        )
        shares = [Proportion(int(right[i]), int(n[i])) for i in order]
        options = [{"value": "zero", "label": "From 0"}]
        if cut:
            options.append({"value": "cut", "label": f"From {100 * cut:.0f} %"})
        return Bars(drawn, *class_bars.accuracies(selection.explicit(), names, shares), options, listed)

    class_bars.register(app, ID, "true", "scores", draw, choice=True, options=True)


def csv_rows(run: RunData, selection: Selection) -> Table:
    """Scores of the split, with class names."""
    frame = run.scores(selection.split)
    names = [
        ("all" if value is None else run.classes[value])
        for value in frame["class"].astype(object).where(frame["class"].notna(), None)
    ]
    rows = [
        [
            name,
            row.metric,
            row.value,
            "" if row.low != row.low else row.low,
            "" if row.high != row.high else row.high,
            row.n,
        ]
        for name, row in zip(names, frame.itertuples(), strict=True)
    ]
    return ["class", "metric", "value", "low", "high", "n"], rows


TABLES = {"scores": of_run(csv_rows)}
