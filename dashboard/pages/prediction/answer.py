"""What the network takes the picture for, and how sure it is."""

import contextlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.analysis import prediction_sets
from dashboard.analysis.prediction_sets import Verdict
from dashboard.components import badge, csv_link, dot, graph, panel_states, plain, save_menu
from dashboard.components.panel import panel_callback, slot
from dashboard.data.store import RunData
from dashboard.exports import tables
from dashboard.figures import probabilities
from dashboard.pages.prediction import address, picture, preparation, request, samples
from dashboard.services import feedback, uploads
from dashboard.services.container import Services
from dashboard.services.predictor import Broken, Missing
from dashboard.state.selection import LEVELS, Selection


class Ids(StrEnum):
    STATE = "prediction-answer-state"  # the picture as the network saw it: {run, image, target, truth, engine, …}
    FACE = "prediction-answer-face"
    BODY = "prediction-answer-body"
    ABOUT = "prediction-answer-about"
    LABEL = "prediction-label"
    CONFIDENCE = "prediction-confidence"
    TRUTH = "prediction-truth"
    SET = "prediction-set"
    TOP = "prediction-top"
    TOLD = "prediction-told"
    CSV = "prediction-answer-csv"
    ABSTAIN = "prediction-abstain-slider"  # assets/slide.js makes it the address's abstain
    ABSTAIN_SAID = "prediction-abstain-said"
    ALL = "prediction-probabilities-title"
    GRAPH = "prediction-probabilities-graph"
    GRAPH_FACE = "prediction-probabilities-face"
    BADGE = "prediction-familiarity-badge"
    UNUSUAL = "prediction-familiarity-meter"
    MORE = "prediction-more"


NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NOTHING = "No picture yet. Drop one on the left, or take one from the test set below."
ENGINE_NAMES = {"torch": "torch", "onnx": "ONNX", "int8": "int8"}
CHANGES_ONLY = (
    "No picture yet. This link holds changes to a picture, not the picture: give it again, and they are made to it."
)
REFUSED = "There is no answer, because the picture could not be read."
ABSTAINED = "No answer"
MOVE = """(told) => {
    const none = dash_clientside.no_update, slider = document.getElementById('%s');
    if (typeof told !== 'string' || !slider || slider.dataset.held) return none;
    return Math.round(100 * Number(new URLSearchParams(told).get('abstain') || 0));
}"""


def layout(services: Services, selection: Selection, explanation: Component) -> html.Article:
    """How it is told; picture with its explanation, the answer in words, all classes as bars."""
    classes = samples.class_names(services, selection)
    words = html.Div(
        [
            html.Div(id=Ids.BADGE, className="badge-slot"),
            html.P(id=Ids.LABEL, className="big"),
            html.P(id=Ids.CONFIDENCE, className="conf"),
            html.Div(id=Ids.TRUTH, className="quiet small"),
            plain.place(Ids.SET, className="set"),
            plain.place(Ids.TOP),
        ],
        **{"aria-live": "polite"},
    )
    bars = html.Div(
        [
            html.H3(_title(len(classes)), id=Ids.ALL),
            slot(Ids.GRAPH_FACE),
            graph(Ids.GRAPH, style={"height": f"{probabilities.height(len(classes) or 10)}px"}),
            html.Div(id=Ids.UNUSUAL),
        ]
    )
    slider = html.Div(
        [
            html.Label("No answer under", htmlFor=Ids.ABSTAIN),
            dcc.Input(id=Ids.ABSTAIN, type="range", min=0, max=99, step=1, value=round(100 * (selection.abstain or 0))),
            plain.place(Ids.ABSTAIN_SAID, "b"),
        ],
        className="way abstain",
    )
    return html.Article(
        [
            html.Div(
                [
                    html.Div(html.H2("Answer", className="card-title")),
                    html.Div(
                        [
                            html.Span(id=Ids.ABOUT, className="faint"),
                            plain.place(Ids.CSV),
                            engine_select(),
                            save_menu(),
                        ],
                        className="tools",
                    ),
                ],
                className="card-h",
            ),
            html.Div(panel_states.empty(NOTHING), id=Ids.FACE, className="face-slot"),
            html.Div([plain.place(Ids.TOLD, className="told"), slider], className="ways"),
            html.Div([explanation, words, bars], id=Ids.BODY, className="answer"),
        ],
        className="ff-card",
    )


def engine_select() -> html.Div:
    """What computes the answer. Explanations and neighbours are torch's: they look inside the network."""
    options = [{"value": name, "label": words} for name, words in ENGINE_NAMES.items()]
    return html.Div(
        [
            html.Label("Computed by", htmlFor=request.ENGINE, className="visually-hidden"),
            dbc.Select(id=request.ENGINE, options=options, value="torch"),
        ]
    )


@dataclass
class Told:
    """The answer in words; the fields are outputs."""

    label: str = ""
    confidence: Any = ""
    truth: Any = None
    set: Any = None
    top: Any = None
    title: str = "All classes"
    told: Any = None
    said: str = ""
    csv: Any = None


@dataclass
class Shown:
    """What the page shows of one question; the fields are the outputs of `answer_picture`, empty by default."""

    told: Told
    state: dict[str, Any] | None = None
    face: Any = None
    about: str = ""
    more: bool = True  # hidden
    error: str = ""
    shown: dict[str, Any] | None = None
    caption: str = ""
    steps: Any = None
    summary: str = ""


WORDS = {
    "label": (Ids.LABEL, "children"),
    "confidence": (Ids.CONFIDENCE, "children"),
    "truth": (Ids.TRUTH, "children"),
    "set": (Ids.SET, "tree"),
    "top": (Ids.TOP, "tree"),
    "title": (Ids.ALL, "children"),
    "told": (Ids.TOLD, "tree"),
    "said": (Ids.ABSTAIN_SAID, "tree"),
    "csv": (Ids.CSV, "tree"),
}
OUTPUTS = {
    "told": {name: Output(*place) for name, place in WORDS.items()},
    "state": Output(Ids.STATE, "data"),
    "face": Output(Ids.FACE, "children"),
    "about": Output(Ids.ABOUT, "children"),
    "more": Output(Ids.MORE, "hidden"),
    "error": Output(picture.Ids.ERROR, "children"),
    "shown": Output(picture.Ids.SHOWN, "data"),
    "caption": Output(picture.Ids.CAPTION, "children"),
    "steps": plain.children(preparation.Ids.STEPS),
    "summary": Output(preparation.Ids.SUMMARY, "children"),
}


def register(app: Dash, services: Services) -> None:
    """The question to the network, how its answer is told, and the bars."""

    @app.callback(
        output=OUTPUTS,
        inputs={"search": State("url", "search"), "asked": Input(address.ASKED, "data"), **request.inputs()},
        prevent_initial_call=True,  # the address is read first
    )
    def answer_picture(
        search: Any, asked: Any, kept: Any, mode: Any, off: Any, hand: Any, engine: Any
    ) -> dict[str, Any]:
        shown = ask(services, Selection.parse(search), kept, mode, off, hand, engine)
        return {**vars(shown), "told": vars(shown.told)}

    # told another way, the picture need not travel again
    @app.callback(
        output={name: Output(*place, allow_duplicate=True) for name, place in WORDS.items()},
        inputs={"_": Input(address.TOLD, "data"), "search": State("url", "search"), "state": State(Ids.STATE, "data")},
        prevent_initial_call=True,
    )
    def tell_answer(_: Any, search: Any, state: Any) -> dict[str, Any]:
        try:
            return vars(retold(services, Selection.parse(search), state))
        except (uploads.Refusal, Missing, Broken):  # whoever asks about the picture says so
            raise PreventUpdate from None

    # a new file wipes the old answer at once, so that nobody reads the answer to another picture
    app.clientside_callback(
        "(contents) => contents ? ['', ''] : [dash_clientside.no_update, dash_clientside.no_update]",
        Output(Ids.LABEL, "children", allow_duplicate=True),
        Output(Ids.CONFIDENCE, "children", allow_duplicate=True),
        Input(picture.Ids.UPLOAD, "contents"),
        prevent_initial_call=True,
    )

    # another address moves the slider, but never under a hand
    app.clientside_callback(
        MOVE % Ids.ABSTAIN, Output(Ids.ABSTAIN, "value"), Input(address.TOLD, "data"), prevent_initial_call=True
    )

    @panel_callback(
        app,
        Ids.GRAPH_FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.GRAPH, "style"),
        Input(Ids.STATE, "data"),
        Input(theme.STATE, "data"),
        Input(address.SCALED, "data"),
    )
    def draw_probabilities(state: Any, mode: Any, look: Any) -> tuple[Any, dict[str, str]]:
        run, image = seen(state)
        # it has the form already and passes unchanged
        again = services.predictor.predict(run, image, engine=request.engine_of(state.get("engine")))
        scaling = readable(services.store.open(run), Selection.parse(look))
        figure = probabilities.bars(
            prediction_sets.judged(services.store.open(run), again.probabilities, scaling).probabilities,
            classes=again.classes,
            mode=theme.mode_of(mode),
            truth=truth_of(state),
        )
        return figure, {"height": f"{probabilities.height(len(again.classes))}px"}


def seen(state: Any) -> tuple[str, np.ndarray]:
    """Run and picture, uint8 [h, w, c], of an answer's state; PreventUpdate when there is none.

    The browser sends the state back, so it is read like any other upload. Raises Refusal (a ValueError).
    """
    if not isinstance(state, dict) or not isinstance(state.get("run"), str):
        raise PreventUpdate
    return state["run"], uploads.decode(uploads.from_data_url(state.get("image"))).pixels


def ask(
    services: Services,
    selection: Selection,
    kept: Any,
    mode: Any,
    off: Any = None,
    hand: Any = None,
    engine: Any = None,
) -> Shown:
    """Everything the page shows for a test picture (named in the URL) or an uploaded one."""
    shown = Shown(Told())
    try:
        asked = request.read(services, selection, kept, mode, off, hand, engine)
        if asked is None:
            services.predictor.warm(selection.run)  # the first picture should not wait for torch
            refusal = str(kept.get("error", ""))[:400] if isinstance(kept, dict) else ""
            nothing = CHANGES_ONLY if selection.edits else NOTHING
            return replace(shown, face=panel_states.empty(REFUSED if refusal else nothing), error=refusal)
        shown.shown, shown.caption = asked.shown, asked.caption
        answer = asked.ask(services)
        shown.told = told(asked.run, answer.probabilities, selection, asked.truth)
    except uploads.Refusal as refusal:
        shown.error, shown.face = str(refusal), panel_states.empty(REFUSED)
        return shown
    except Missing as missing:
        shown.face = panel_states.empty(str(missing), missing.command)
        return shown
    except Broken as broken:
        shown.face = panel_states.error(str(broken), "Choose another run above; the other pages are fine.")
        return shown
    services.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    shown.about = f"{services.store.marks().name(answer.run)}, {1000 * answer.seconds:.1f} ms"
    shown.more = False
    image = uploads.data_url(uploads.Picture(answer.prepared.image, 1, 0, 0))
    shown.state = {
        "run": answer.run,
        "image": image,
        "target": answer.predicted,
        "truth": asked.truth,
        "engine": asked.engine,
        **feedback.ticket(services, answer, image, sent=asked.sent, origin=asked.origin),
    }
    chosen = asked.options["mode"]
    shown.steps = preparation.strip(answer.prepared, chosen, asked.options["off"])
    shown.summary = preparation.summary(answer.prepared, chosen)
    return shown


def retold(services: Services, selection: Selection, state: Any) -> Told:
    """The answer of a state, told as the address now has it; PreventUpdate without one."""
    run, image = seen(state)
    view = services.store.open(run)
    said = services.predictor.predict(run, image, engine=request.engine_of(state.get("engine"))).probabilities
    return told(view, said, selection, truth_of(state))


def told(run: RunData, said: np.ndarray, selection: Selection, truth: int | None) -> Told:
    """An answer in words. said: float [C], probabilities as trained; truth: a class id."""
    selection = readable(run, selection)
    found = prediction_sets.judged(run, said, selection)
    number = f"{100 * found.confidence:.1f}"
    return Told(
        ABSTAINED if found.abstains else found.label,
        [number, html.Small(" %")],
        _truth(found, truth),
        [*_abstained(found), *_set(run, said, selection)],
        _top(run, said),
        _title(len(run.classes)),
        _ways(run, selection),
        f"{100 * found.threshold:.0f} %",
        csv_link(tables.carried(*_table(run, said)), name="answer.csv"),
    )


def _table(run: RunData, said: np.ndarray) -> tuple[list[str], list[list]]:
    """Every class, likeliest first: as trained, and where the run knows it calibrated, and in which sets."""
    columns: dict[str, Any] = {"as_trained": said.astype(float)}
    with contextlib.suppress(Missing, Broken):
        columns["calibrated"] = run.scaled(said[None])[0]
    with contextlib.suppress(Missing, Broken):
        columns |= {f"in_set_{level}": run.sets(said[None], level / 100)[0].astype(int) for level in LEVELS}
    order = np.argsort(-said, kind="stable")
    rows = [[run.classes[i], *(column[i].item() for column in columns.values())] for i in order]
    return ["class", *columns], rows


def readable(run: RunData, selection: Selection) -> Selection:
    """The selection, as trained where the run has no temperature."""
    if selection.scaling is None:
        return selection
    try:
        run.temperature()
    except (Missing, Broken):
        return replace(selection, scaling=None)
    return selection


def _truth(found: Verdict, truth: int | None) -> Any:
    if truth is None or not 0 <= truth < len(found.classes):
        return None
    if found.abstains:
        said = badge("not answered", "mute")
    else:
        said = badge("right", "good") if truth == found.predicted else badge("wrong", "bad")
    return html.P(["Labelled ", html.B(found.classes[truth]), " ", said])


def _abstained(found: Verdict) -> list[Any]:
    """Why there is no answer, [] where there is one."""
    if not found.abstains:
        return []
    words = (
        f" is likeliest, and {100 * found.confidence:.1f} % is under your threshold of {100 * found.threshold:.0f} %."
    )
    return [html.P([html.B(found.label), words], className="small quiet")]


def _set(run: RunData, said: np.ndarray, selection: Selection) -> list[Any]:
    """The conformal set in words, and what sets of its level are worth."""
    try:
        chosen = [run.classes[i] for i in prediction_sets.members(run, said, selection.level)]
        worth = prediction_sets.measured(run).get(selection.level)
    except Missing as missing:
        return [html.P([f"{missing} ", html.Code(missing.command)], className="faint small")]
    except Broken as broken:
        return [html.P(str(broken), className="faint small")]
    words = [html.P([f"{selection.level} % set: ", html.B(prediction_sets.worded(chosen))])]
    if worth is not None and worth.covered.n:
        share = worth.covered
        words.append(
            html.P(
                f"Such sets held the true class of {share.percent} % of test images ({share.span}, {share.count:,} of "
                f"{share.n:,}); {worth.size:.2f} classes each on average, {worth.empty:,} of them empty.",
                className="faint small",
            )
        )
    return words


def _top(run: RunData, said: np.ndarray) -> list[Any]:
    """The likeliest classes, as trained and calibrated."""
    try:
        scaled: np.ndarray | None = run.scaled(said[None])[0]
    except (Missing, Broken):
        scaled = None
    head = [html.Td(), html.Th("As trained", scope="col")]
    rows = []
    for i in np.argsort(-said, kind="stable")[:3].tolist():
        cells = [
            html.Th([dot(i), html.Span(run.classes[i])], scope="row"),
            html.Td(f"{probabilities.percent(said[i])} %"),
        ]
        if scaled is not None:
            cells.append(html.Td(f"{probabilities.percent(float(scaled[i]))} %"))
        rows.append(html.Tr(cells))
    if scaled is not None:
        head.append(html.Th("Calibrated", scope="col"))
    caption = html.Caption(f"Top {NUMBERS[len(rows)]}")
    return [html.Table([caption, html.Thead(html.Tr(head)), html.Tbody(rows)], className="top3")]


def _ways(run: RunData, selection: Selection) -> list[Any]:
    """Buttons that change how the answer is told: each leads to the address that says so."""
    try:
        warmth = f"divided by {run.temperature():.2f}, which is fitted on validation"
        missing = ""
    except (Missing, Broken) as problem:
        warmth, missing = "", str(problem)
    scalings = [
        _choice("As trained", selection, on=selection.scaling is None, scaling=None),
        _choice(
            "Calibrated",
            selection,
            on=selection.scaling is not None,
            title=missing or f"Logits {warmth}",
            disabled=bool(missing),
            scaling="temperature",
        ),
    ]
    levels = [_choice(f"{level} %", selection, on=selection.level == level, level=level) for level in LEVELS]
    return [
        html.Div(
            [html.Span(words), html.Div(buttons, className="seg", role="group", **{"aria-label": name})],
            className="way",
        )
        for words, name, buttons in (
            ("Confidence", "Probabilities", scalings),
            ("Set that holds the truth", "Level of the prediction set", levels),
        )
    ]


def _choice(
    words: str, selection: Selection, *, on: bool, title: str = "", disabled: bool = False, **change: Any
) -> dict:
    return plain.element(
        "Button",
        words,
        type="button",
        title=title or None,
        disabled=disabled,
        **{
            "data-search": replace(selection, **change).query(),
            "data-own": ",".join(change),  # what is changed by hand stays as it is by then
            "aria-pressed": str(on).lower(),
        },
    )


def truth_of(state: Any) -> int | None:
    """The label of a picture of the data set, None for any other."""
    truth = state.get("truth")
    return truth if isinstance(truth, int) else None


def _title(classes: int) -> str:
    return f"All {NUMBERS[classes] if classes < len(NUMBERS) else classes} classes" if classes else "All classes"
