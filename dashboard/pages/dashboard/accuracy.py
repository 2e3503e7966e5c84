"""Share of each true class named right, with 95 % interval."""

import numpy as np
from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.components import card, class_bars, csv_link, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunData
from dashboard.exports.tables import Table, of_run, url
from dashboard.figures import accuracy as figure
from dashboard.format.proportion import Proportion
from dashboard.pages.dashboard.scores import floor_of
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.stats.intervals import wilson

ID = "dashboard-accuracy"
FACE = f"{ID}-face"


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars, best class first."""
    tools = [
        segmented(f"{ID}-select", [("zero", "From 0"), ("cut", "Zoomed")], "zero", "Axis"),
        html.Span(id=f"{ID}-csv"),
    ]
    return card("Accuracy per class", __doc__, [slot(FACE), class_bars.layout(ID)], tools=tools, id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but true, predicted and outcome, which are this panel's own."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-names"),
        plain.children(f"{ID}-values"),
        Output(f"{ID}-bars", "style"),
        Output(f"{ID}-csv", "children"),
        Output(f"{ID}-select", "options"),
        Input("url", "search"),
        Input(f"{ID}-select", "value"),
        Input(theme.STATE, "data"),
    )
    def draw_accuracy(search: str | None, axis: str, mode: str):
        selection = Selection.parse(search)
        mode = theme.mode_of(mode)
        run = services.store.shown(selection.run).asked(selection)
        counts = run.confusion(selection)
        right, n = counts.diagonal(), counts.sum(1)
        low, high = wilson(right, n)
        share = np.divide(right, n, out=np.zeros(len(n)), where=n > 0)
        order = np.argsort(-share, kind="stable")
        names = [run.classes[i] for i in order]
        colours = [theme.class_colours(mode, len(names))[i] for i in order]
        cut = floor_of(low[n > 0]) if (n > 0).any() else 0.0
        floor = cut if axis == "cut" else 0.0
        drawn = figure.bars(
            right[order],
            n[order],
            low[order],
            high[order],
            names,
            colours=colours,
            floor=floor,
            chosen=selection.true,
            mode=mode,
        )
        shares = [Proportion(int(right[i]), int(n[i])) for i in order]
        buttons, values = class_bars.named_right(selection.explicit(), names, shares)
        options = [{"value": "zero", "label": "From 0"}, {"value": "cut", "label": f"From {100 * cut:.0f} %"}]
        return (
            drawn,
            buttons,
            values,
            {"--n": len(names)},
            csv_link(url("scores", selection)),
            options,
        )

    class_bars.register(app, ID, "true")


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
