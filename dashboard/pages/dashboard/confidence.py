"""By confidence (how sure it was): right answers up, mistakes down, heights roots of counts; without labels, shares."""

from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard import theme
from dashboard.analysis import confidence
from dashboard.analysis.confidence import Answers
from dashboard.components import bins, card, clicks, csv_link, graph, lazy_panel, plain, stat, way, whisker
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.exports.tables import Table, of_run
from dashboard.figures import confidence as figure
from dashboard.format.csv import table_url
from dashboard.format.proportion import Proportion
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.reader import Broken, Missing
from ml.stats.intervals import wilson
from ml.system.wording import quantity

NEEDS = ("top-k",)
ID = "dashboard-confidence"
NONE = "no labels: not scored"
FACE = f"{ID}-face"
SLIDER = f"{ID}-slider"  # assets/slide.js makes it the address's reject
THRESHOLD_LABEL = f"{ID}-said"  # the threshold in words, kept up by the same script

SLIDER_FROM_ADDRESS = """(search) => {
    const none = dash_clientside.no_update, slider = document.getElementById('%s');
    if (typeof search !== 'string' || !slider || slider.dataset.held || slider.dataset.ahead) return none;
    return Math.round(100 * Number(new URLSearchParams(search).get('reject') || 0));
}"""


def layout(services: Services, selection: Selection) -> html.Article:
    """Drawn when it comes near the window."""
    slider = html.Div(
        [
            html.Label("Answer only from this confidence on", htmlFor=SLIDER, className="label"),
            plain.place(THRESHOLD_LABEL, "b"),
            dcc.Input(id=SLIDER, type="range", min=0, max=99, step=1, value=round(100 * (selection.reject or 0))),
        ],
        className="reject",
    )
    body = [
        slot(FACE, "Counting the confidences"),
        html.Div(
            [
                html.Div(graph(f"{ID}-graph"), className="chart sureness"),
                plain.place(f"{ID}-bins", className="binrows"),
                slider,
                plain.place(f"{ID}-answers", className="answers"),
            ],
            className="sure",
        ),
    ]
    return card("Confidence", __doc__, body, tools=html.Span(csv_link(""), id=f"{ID}-csv"))


def register(app: Dash, services: Services, address_store: str) -> None:
    """address_store: the store that holds the address once the panel is near."""

    @panel_callback(
        app,
        FACE,
        Output(f"{ID}-graph", "figure"),
        plain.children(f"{ID}-bins"),
        plain.children(THRESHOLD_LABEL),
        plain.children(f"{ID}-answers"),
        Output(f"{ID}-csv", "children"),
        Input(address_store, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_confidence(search: Any, mode: Any):
        selection = lazy_panel.read(search)
        run = services.store.shown(selection.run).for_selection(selection)
        table, scored = confidence.histogram(run, selection), selection.split != UNLABELLED
        if scored:
            drawn = figure.histogram(
                table, reject=selection.reject or 0.0, chosen=selection.conf, mode=theme.mode_of(mode)
            )
        else:
            n = table["n"].to_numpy()
            drawn = figure.shares(n, top=float(n.max(initial=1) / max(n.sum(), 1)), mode=theme.mode_of(mode))
        bin_rows = [
            bins.row(table, "Images by confidence", "sure", lambda k: opened(selection, k), selection.conf, scored)
        ]
        threshold = f"{100 * (selection.reject or 0):.0f} %"
        return drawn, bin_rows, threshold, answers(run, selection), csv_link(table_url("abstention", selection))

    # another address moves the slider, but never under a hand
    app.clientside_callback(
        SLIDER_FROM_ADDRESS % SLIDER,
        Output(SLIDER, "value"),
        Input(address_store, "data"),
        prevent_initial_call=True,
    )

    def choose(selection: Selection, click: object, _: clicks.Keys) -> Selection | None:
        bar = clicked(click)
        if bar is None:
            return None
        place, outcome = bar[0], bar[1] if selection.split != UNLABELLED else ""
        table = confidence.histogram(services.store.shown(selection.run).for_selection(selection), selection)
        kept = bins.is_bin(selection.conf, place, confidence.BINS) or table[outcome or "n"].iloc[place]
        return opened(selection, place, outcome) if kept else None

    clicks.lead(app, f"{ID}-graph", choose)


def clicked(click: Any) -> tuple[int, str] | None:
    """(bin, right or wrong) of a click on the histogram, None when it is not one."""
    curve, x = clicks.point(click).get("curveNumber"), clicks.number(click, "x")
    if curve not in (figure.RIGHT, figure.WRONG) or x is None or not 0 < x < 100:
        return None
    return int(x * confidence.BINS / 100), "right" if curve == figure.RIGHT else "wrong"


def opened(selection: Selection, place: int, outcome: str = "") -> Selection:
    """Exactly the images of a bin, of one outcome where it is named; where they are chosen already, let go of them."""
    ends, outcomes = bins.ends(place, confidence.BINS), (outcome,) if outcome else ()
    if bins.is_bin(selection.conf, place, confidence.BINS) and selection.outcome == outcomes:
        return selection.with_(conf=None, outcome=())
    cut = selection.reject is not None and ends[0] < selection.reject  # or fewer would open than the bin counts
    return selection.with_(conf=ends, tempered=None, outcome=outcomes, reject=None if cut else selection.reject)


def answers(run: RunData, selection: Selection) -> list:
    """Coverage, how right the answers are, what stays wrong; thresholds that validation suggests."""
    if selection.split == UNLABELLED:
        covered = confidence.coverage(run, selection)
        words = f"{covered.count:,} of {covered.n:,}"
        stats = [
            proportion("Coverage: it answers", covered, words),
            stat("Accuracy of its answers", "–", "", None, NONE),
        ]
        words = html.P("No labels: bars are shares of all images, neither right nor wrong.", className="quiet small")
        return [html.Div(stats, className="stats"), words, *presets(run, selection)]
    abstention: Answers = confidence.answers(run, selection)
    why = confidence.chosen_by_outcome(selection)
    out = abstention.coverage.n - abstention.coverage.count
    left = selection.with_(conf=(0.0, selection.reject), reject=None, outcome=()) if selection.reject else None
    stats = [
        proportion(
            "Coverage: it answers", abstention.coverage, f"{abstention.coverage.count:,} of {abstention.coverage.n:,}"
        ),
        stat("Accuracy of its answers", "–", "", None, why)
        if why
        else proportion("Accuracy of its answers", abstention.accuracy, f"n {abstention.accuracy.n:,}"),
        html.Div(
            [
                html.Span("Mistakes that stay", className="label"),
                html.B([f"{abstention.left:,}", html.Small(f" of {abstention.mistakes:,}")]),
                html.Span(stays(selection, abstention.left, out, left), className="ci"),
            ],
            className="stat",
        ),
    ]
    return [html.Div(stats, className="stats"), *presets(run, selection)]


def stays(selection: Selection, mistakes: int, out: int, left: Selection | None) -> list:
    """The ways to the mistakes among the answers, and to what is left out. left: the selection of those."""
    words: list = []
    if mistakes:
        these = selection.explicit().with_(outcome=("wrong",)).query()
        words += [way("see them", these, label=f"See the {quantity(mistakes, 'mistake')} that stay"), ", "]
    if left and out:
        return [*words, way(f"the {out:,} left out", left.query(), label=f"See the {out:,} left out")]
    return [*words, "nothing is left out"]


def proportion(label: str, share: Proportion, words: str) -> html.Div:
    """With its interval and n."""
    mark = whisker(share.value, *share.ends, (0.0, 1.0))
    return stat(label, share.percent if share.n else "–", "%", mark, f"{share.span}, {words}")


def presets(run: RunData, selection: Selection) -> list:
    """Thresholds at which validation is right often enough, as buttons."""
    buttons: list = []
    for share in confidence.TARGETS:
        try:
            threshold = confidence.threshold_for(run, share)
        except (Missing, Broken):
            return []
        if threshold is not None:
            there = selection.explicit().with_(reject=threshold or None)
            on = str(selection.reject == threshold).lower()
            words = f"{100 * share:g} % right: from {100 * threshold:.0f} %"
            buttons.append(html.Button(words, type="button", **{"data-search": there.query(), "aria-pressed": on}))
    if not buttons:
        return []
    return [
        html.Div(
            [
                html.Span("Chosen on validation", className="faint small"),
                html.Div(buttons, className="seg", role="group"),
            ],
            className="way",
        )
    ]


def csv_rows(run: RunData, selection: Selection) -> Table:
    """One row a threshold: how many are answered, how many of those right, each share with its 95 % interval."""
    table, n = confidence.curve(run, selection), len(confidence.counted(run, selection))
    if selection.split == UNLABELLED:
        return ["threshold", "n", "answered", "coverage"], [
            [f"{t:.2f}", n, int(k), f"{k / max(n, 1):.6f}"]
            for t, k in zip(table["threshold"], table["answered"], strict=True)
        ]
    answered, right = table["answered"].to_numpy(), table["right"].to_numpy()
    covered, sure = wilson(answered, n), wilson(right, answered)
    head = ["threshold", "n", "answered", "coverage", "low", "high", "right", "accuracy", "low", "high"]
    return head, [
        [
            f"{t:.2f}", n, int(k), f"{k / max(n, 1):.6f}", f"{covered[0][i]:.6f}", f"{covered[1][i]:.6f}", int(r),
            *((f"{r / k:.6f}", f"{sure[0][i]:.6f}", f"{sure[1][i]:.6f}") if k else ("", "", "")),
        ]
        for i, (t, k, r) in enumerate(zip(table["threshold"], answered, right, strict=True))
    ]  # fmt: skip


TABLES = {"abstention": of_run(csv_rows)}
