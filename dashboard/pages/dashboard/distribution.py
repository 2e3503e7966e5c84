"""Bars are guesses, ticks are truths, right column the gap."""

from dash import Dash, Input, Output, html

from dashboard import theme
from dashboard.components import card, class_bars, csv_link, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunData
from dashboard.exports.tables import Table, of_run, url
from dashboard.figures import distribution as figure
from dashboard.services.container import Services
from dashboard.state.selection import Selection

ID = "dashboard-distribution"
FACE = f"{ID}-face"


def layout(services: Services, selection: Selection) -> html.Article:
    """Bars in class order."""
    tools = [
        segmented(f"{ID}-select", [("selection", "Selection"), ("all", "All")], "selection", "Counted images"),
        html.Span(id=f"{ID}-csv"),
    ]
    return card("Class distribution", __doc__, [slot(FACE), class_bars.layout(ID)], tools=tools, id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """Counted under every chip but predicted, which is this panel's own; or over the whole split."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-names"),
        plain.children(f"{ID}-values"),
        Output(f"{ID}-bars", "style"),
        Output(f"{ID}-csv", "children"),
        Input("url", "search"),
        Input(f"{ID}-select", "value"),
        Input(theme.STATE, "data"),
    )
    def draw_distribution(search: str | None, counted: str, mode: str):
        selection = Selection.parse(search)
        mode = theme.mode_of(mode)
        run = services.store.shown(selection.run).asked(selection)
        classes = len(run.classes)
        guesses, truths = run.distribution(selection, whole=counted == "all")
        drawn = figure.bars(
            guesses, truths, run.classes, colours=theme.class_colours(mode, classes), chosen=selection.pred, mode=mode
        )
        buttons = [
            class_bars.name_button(
                selection.explicit(), "pred", name, f"{name} guessed {guesses[i]} times, true {truths[i]} times"
            )
            for i, name in enumerate(run.classes)
        ]
        lines = [(f"{g:,}", gap(int(g - t))) for g, t in zip(guesses, truths, strict=True)]
        return (
            drawn,
            buttons,
            class_bars.value_lines(lines),
            {"--n": classes},
            csv_link(url("distribution", selection)),
        )

    class_bars.register(app, ID, "pred")


def gap(difference: int) -> str:
    """'+3', '−4' or '±0'."""
    return f"{'+' if difference > 0 else '−' if difference < 0 else '±'}{abs(difference):,}"


def csv_rows(run: RunData, selection: Selection) -> Table:
    """How often each class was guessed and was the truth, under every chip but predicted."""
    guesses, truths = run.distribution(selection)
    return ["class", "guessed", "true"], [
        [name, int(g), int(t)] for name, g, t in zip(run.classes, guesses, truths, strict=True)
    ]


TABLES = {"distribution": of_run(csv_rows)}
