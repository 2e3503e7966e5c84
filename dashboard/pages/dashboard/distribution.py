"""Bars are guesses, ticks are truths, right column the gap."""

from dash import Dash, Input, Output, State, html
from dash.exceptions import PreventUpdate

from dashboard import exports, theme
from dashboard.components import card, class_bars, csv_link, plain, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.figures import distribution as figure
from dashboard.selection import Selection

ID = "dashboard-distribution"
FACE = f"{ID}-face"


def layout(doors: Doors, selection: Selection) -> html.Article:
    """Bars in class order."""
    tools = [
        segmented(f"{ID}-select", [("selection", "Selection"), ("all", "All")], "selection", "Counted images"),
        html.Span(id=f"{ID}-csv"),
    ]
    return card("Class distribution", __doc__, [slot(FACE), class_bars.layout(ID)], tools=tools, id=f"{ID}-card")


def register(app: Dash, doors: Doors) -> None:
    """Counted under every chip but predicted, which is this panel's own; or over the whole split."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(app, f"{ID}-names"),
        plain.children(app, f"{ID}-values"),
        Output(f"{ID}-bars", "style"),
        Output(f"{ID}-csv", "children"),
        Input("url", "search"),
        Input(f"{ID}-select", "value"),
        Input(theme.STATE, "data"),
    )
    def draw_distribution(search: str | None, counted: str, mode: str):
        selection = Selection.parse(search)
        mode = theme.mode_of(mode)
        run = doors.store.shown(selection.run).asked(selection)
        classes = len(run.classes)
        guesses, truths = run.distribution(selection, whole=counted == "all")
        drawn = figure.bars(
            guesses, truths, run.classes, colours=theme.class_colours(mode, classes), chosen=selection.pred, mode=mode
        )
        buttons = [
            class_bars.name_button(
                name,
                selection.explicit().toggle("pred", name).query(),
                selection.explicit().toggle("pred", name, add=True).query(),
                f"{name} guessed {guesses[i]} times, true {truths[i]} times",
                name in selection.pred,
            )
            for i, name in enumerate(run.classes)
        ]
        lines = [(f"{g:,}", gap(int(g - t))) for g, t in zip(guesses, truths, strict=True)]
        return (
            drawn,
            buttons,
            class_bars.value_lines(lines),
            {"--n": classes},
            csv_link(exports.url("distribution", selection)),
        )

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(f"{ID}-graph", "clickData"),
        State("app-keys-state", "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose_guess(click: dict | None, keys: dict | None, search: str | None):
        name = class_bars.clicked_class(click)
        if name is None:
            raise PreventUpdate
        return Selection.parse(search).explicit().toggle("pred", name, add=bool((keys or {}).get("ctrl"))).query()


def gap(difference: int) -> str:
    """'+3', '−4' or '±0'."""
    return f"{'+' if difference > 0 else '−' if difference < 0 else '±'}{abs(difference):,}"
