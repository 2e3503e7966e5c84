"""What it answered while it was still learning: the matrix and each class after the chosen epoch."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html

from dashboard import theme
from dashboard.analysis.matrix_rows import Shown
from dashboard.components import button, card, class_bars, csv_link, lazy_panel, matrix, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.figures import accuracy, confusion
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.pages.insights import projection
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.stats.intervals import wilson

ID = "insights-epoch"
FACE, BAR_FACE, NEAR = f"{ID}-face", f"{ID}-bar-face", f"{ID}-near"
SLIDER = f"{ID}-slider"  # assets/slide.js makes it the address's epoch
EPOCH_SUMMARY = f"{ID}-said"  # what is shown, in words, with the epochs that the slider's places stand for
BARS = f"{ID}-accuracy"

# Whoever sets out into the past wants to see it: true classes are the same after every epoch, guesses are not.
SLIDER_TO_EPOCH = """(asked, colour) => {
    const none = dash_clientside.no_update, slider = document.getElementById('%s');
    if (!asked || !slider) return [none, none, none];
    const away = asked.at < asked.last, leaves = away && !slider.dataset.away;
    if (away) slider.dataset.away = '1'; else delete slider.dataset.away;
    const seen = leaves && colour === 'true' ? 'predicted' : none;
    return slider.dataset.held || slider.dataset.ahead ? [none, none, seen] : [asked.last, asked.at, seen];
}"""


def bar(services: Services, selection: Selection) -> html.Section:
    """The slider, above everything that follows it; it stays in view."""
    return html.Section(
        [
            slot(BAR_FACE),
            html.Div(
                [
                    html.Label("As answered after epoch", htmlFor=SLIDER, className="label"),
                    dcc.Input(id=SLIDER, type="range", min=0, max=1, step=1, value=1),
                    plain.place(EPOCH_SUMMARY, className="said"),
                    dcc.Store(id=f"{ID}-place"),
                ],
                className="epochs",
            ),
        ],
        className="ff-card epoch-bar",
        **{"aria-label": "Time machine"},
    )


def layout(services: Services, selection: Selection) -> html.Article:
    """Matrix and classes, drawn when they come near the window."""
    left = matrix.layout(ID, [], bare=True)
    right = html.Div(
        [
            html.H3("Named right, by class", className="small"),
            class_bars.chart(BARS),
            plain.place(f"{ID}-change", "p", className="faint small"),
        ],
        className="by-class",
    )
    body = [slot(FACE, "Counting"), *lazy_panel.layout(NEAR), html.Div([left, right], className="epoch-two")]
    return card("Time machine", __doc__, body, tools=html.Span(id=f"{ID}-csv"), id=f"{ID}-card")


def register(app: Dash, services: Services) -> None:
    """The slider follows the address, the panel and the colours of the feature space follow the slider."""
    lazy_panel.register(app, NEAR, f"{ID}-card")

    @panel_callback(app, BAR_FACE, plain.children(EPOCH_SUMMARY), Output(f"{ID}-place", "data"), Input("url", "search"))
    def draw_slider(search: str | None):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        epochs = run.epochs(selection.split).epochs.tolist()
        then = run.for_selection(selection)
        at = len(epochs) if then.epoch is None else epochs.index(then.epoch)
        return epoch_summary(then, selection, epochs), {"last": len(epochs), "at": at}

    # another address moves the slider, but never under a hand
    app.clientside_callback(
        SLIDER_TO_EPOCH % SLIDER,
        Output(SLIDER, "max"),
        Output(SLIDER, "value"),
        Output(projection.Ids.COLOUR, "value"),
        Input(f"{ID}-place", "data"),
        State(projection.Ids.COLOUR, "value"),
        prevent_initial_call=True,
    )

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        Output(f"{ID}-grid", "style"),
        plain.children(f"{ID}-labels"),
        Output(f"{BARS}-graph", "figure"),
        plain.children(f"{BARS}-names"),
        plain.children(f"{BARS}-values"),
        Output(f"{BARS}-bars", "style"),
        plain.children(f"{ID}-change"),
        Output(f"{ID}-csv", "children"),
        Input(NEAR, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_machine(search: Any, mode: Any):
        selection, mode = lazy_panel.read(search), theme.mode_of(mode)
        final = services.store.shown(selection.run)
        final.epochs(selection.split)  # without a recording there is nothing to travel to
        run = final.for_selection(selection)
        shown = Shown.of(run, selection)
        chosen = matrix.chosen_cells(run, selection)
        drawn = confusion.heatmap(
            shown.counts,
            shown.names,
            right=shown.right,
            chosen=None if chosen is None else confusion.grouped(chosen, shown.rows) > 0,
            size=13 if len(shown.names) <= 12 else 0,
            mode=mode,
        )
        names = matrix.labels(shown.names, selection, selection, ("Only true class", "Only predicted"), shown.members)
        return (
            drawn,
            {"--n": len(shown.names)},
            names,
            *classes(run, selection, mode, [row[0] for row in shown.rows if len(row) == 1]),
            change(final, run, selection),
            csv_link(table_url("confusion", selection)),
        )

    matrix.lead(app, ID, lambda selection: services.store.shown(selection.run).for_selection(selection))


def epoch_summary(run: RunData, selection: Selection, epochs: list[int]) -> list:
    """The epoch and how good it was then; data-epochs: what the slider's places stand for, the last for the end."""
    right = run.predictions(selection.split).right
    share = Proportion(int(right.sum()), len(right))
    best = run.manifest.get("best_epoch")
    name = f"the end (epoch {best} was kept)" if run.epoch is None else f"{run.epoch}"
    of = "" if run.epoch is None else f" of {(run.manifest.get('config') or {}).get('epochs', max(epochs, default=0))}"
    ends = button("To the end", small=True, search=selection.with_(epoch=None).query()) if run.epoch else None
    return [
        html.B([name, html.Span(of, className="faint")], **{"data-epochs": ",".join(map(str, epochs))}),
        html.Span(
            [
                f"{share.percent} % right ",
                html.Span(f"({share.span}), {share.count:,} of {share.n:,}", className="faint"),
            ]
        ),
        ends,
    ]


def classes(run: RunData, selection: Selection, mode: str, rows: list[int]) -> tuple:
    """Chart, names, values and number of rows of the share of each class named right. rows: the classes of the matrix
    beside it that are no group."""
    counts = run.confusion(selection)
    right, n = counts.diagonal()[rows], counts.sum(1)[rows]
    low, high = wilson(right, n)
    shown, colours = [run.classes[i] for i in rows], theme.class_colours(mode, len(run.classes))
    drawn = accuracy.bars(
        right, n, low, high, shown, colours=[colours[i] for i in rows], chosen=selection.true, mode=mode
    )
    shares = [Proportion(*pair) for pair in zip(right.tolist(), n.tolist(), strict=True)]
    names, values = class_bars.accuracies(selection.explicit(), shown, shares)
    return drawn, names, class_bars.value_lines(values), {"--n": len(n)}


def change(final: RunData, then: RunData, selection: Selection) -> str:
    """What became of the answers between then and the end, over the whole split."""
    before, after = then.predictions(selection.split).right, final.predictions(selection.split).right
    if then.epoch is None:
        return "The answers of the weights that were kept, counted under every filter but class and outcome."
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    return (
        f"From here to the end, {gained:,} of {len(after):,} {selection.split} images turned from wrong to right and "
        f"{lost:,} from right to wrong. Probabilities were kept in steps of 1/255."
    )
