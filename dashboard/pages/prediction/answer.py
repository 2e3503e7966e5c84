"""What the network takes the picture for, and how sure it is."""

from dataclasses import dataclass, replace
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly.io.json import to_json_plotly

from dashboard import theme
from dashboard.analysis import prediction_sets, preparation_worth
from dashboard.components import graph, panel_states, plain, save_menu
from dashboard.components.panel import failed, panel_callback, slot
from dashboard.figures import probabilities
from dashboard.format.numbers import milliseconds
from dashboard.pages.prediction import address, asked, picture, preparation, request, samples
from dashboard.pages.prediction import feedback as feedback_card
from dashboard.pages.prediction.answer_state import Ids, seen, truth_of, whole
from dashboard.pages.prediction.answer_text import AnswerText, classes_title, describe, readable
from dashboard.services import feedback, uploads
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.images.preparation_variants import USUAL
from ml.inference.engines import NAMES

NEEDS = ("network",)
NO_PICTURE_YET = "No picture yet. Drop one on the left, or take one from the test set below."
CHANGES_ONLY = (
    "No picture yet. This link holds changes to a picture, not the picture: give it again, and they are made to it."
)
REFUSED = "There is no answer, because the picture could not be read."
NO_ANSWER = "The network could not be asked about this picture."
STILL = "The picture is kept in this tab. Try again, or choose another picture or run; the other pages are fine."
ASKING = "Asking the network"
# in place of a face that says there is no answer, once there is something to ask about
ASKING_JS = """(question, kept, face) => {
    const asked = new URLSearchParams(question || '').has('sample') || (kept && kept.src);
    const said = Array.isArray(face) ? face.length : face;
    return asked && said ? %s : dash_clientside.no_update;
}"""
MOVE_SLIDER_JS = """(told) => {
    const none = dash_clientside.no_update, slider = document.getElementById('%s');
    if (typeof told !== 'string' || !slider || slider.dataset.held || slider.dataset.ahead) return none;
    return Math.round(100 * Number(new URLSearchParams(told).get('abstain') || 0));
}"""


def layout(services: Services, selection: Selection, explanation: Component) -> html.Article:
    """How it is told; picture with its explanation, the answer in words, all classes as bars."""
    classes = samples.class_names(services, selection)
    # an address that opens a picture has an answer on its way, which takes seconds where torch is not loaded yet
    face = panel_states.loading(ASKING) if selection.sample is not None else nothing_yet(services, selection)
    words = html.Div(
        [
            html.Div(id=Ids.BADGE, className="badge-slot"),
            plain.place(Ids.UNLIKE, className="unlike"),
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
            html.H3(classes_title(len(classes)), id=Ids.ALL),
            slot(Ids.GRAPH_FACE),
            graph(Ids.GRAPH, style={"height": f"{probabilities.height(len(classes) or 10)}px"}),
            html.Div(id=Ids.UNUSUAL),
        ]
    )
    slider = html.Div(
        [
            html.Label("No answer under", htmlFor=Ids.ABSTAIN),
            dcc.Input(id=Ids.ABSTAIN, type="range", min=0, max=99, step=1, value=round(100 * (selection.abstain or 0))),
            plain.place(Ids.THRESHOLD, "b"),
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
            html.Div(face, id=Ids.FACE, className="face-slot"),
            plain.place(Ids.ASKED, className="asked", role="status"),
            html.Div([plain.place(Ids.CHOICES, className="told"), slider], className="ways"),
            html.Div([explanation, words, bars], id=Ids.BODY, className="answer"),
        ],
        id=Ids.CARD,
        className="ff-card",
    )


def nothing_yet(services: Services, selection: Selection, sentence: str = NO_PICTURE_YET) -> list[Any]:
    """The empty face, and what a picture can be called."""
    return [panel_states.empty(sentence), asked.nameable(services, selection)]


def engine_select() -> html.Div:
    """What computes the answer. Explanations and neighbours are torch's: they look inside the network."""
    options = [{"value": name, "label": words} for name, words in NAMES.items()]
    return html.Div(
        [
            html.Label("Computed by", htmlFor=request.ENGINE, className="visually-hidden"),
            dbc.Select(id=request.ENGINE, options=options, value="torch"),
        ]
    )


@dataclass
class Shown:
    """What the page shows of one question; the fields are the outputs of `answer_picture`, empty by default."""

    text: AnswerText
    state: dict[str, Any] | None = None
    face: Any = None
    about: str = ""
    more: bool = True  # hidden
    error: str = ""
    shown: dict[str, Any] | None = None
    caption: str = ""
    steps: Any = None
    summary: str = ""
    asked: Any = None


WORDS = {
    "label": (Ids.LABEL, "children"),
    "confidence": (Ids.CONFIDENCE, "children"),
    "truth": (Ids.TRUTH, "children"),
    "set": (Ids.SET, "tree"),
    "top": (Ids.TOP, "tree"),
    "title": (Ids.ALL, "children"),
    "choices": (Ids.CHOICES, "tree"),
    "threshold": (Ids.THRESHOLD, "tree"),
    "csv": (Ids.CSV, "tree"),
    "unlike": (Ids.UNLIKE, "tree"),
}
OUTPUTS = {
    "text": {name: Output(*place) for name, place in WORDS.items()},
    "state": Output(Ids.STATE, "data"),
    "face": Output(Ids.FACE, "children"),
    "about": Output(Ids.ABOUT, "children"),
    "more": Output(Ids.MORE, "hidden"),
    "error": Output(picture.Ids.ERROR, "children"),
    "shown": Output(picture.Ids.SHOWN, "data"),
    "caption": Output(picture.Ids.CAPTION, "children"),
    "steps": plain.children(preparation.Ids.STEPS),
    "summary": Output(preparation.Ids.SUMMARY, "children"),
    "asked": plain.children(Ids.ASKED),
    "form": plain.children(feedback_card.Ids.FORM),  # here, for a callback of its own would ask once more an answer
}


def ask(
    services: Services,
    selection: Selection,
    kept: Any,
    mode: Any,
    off: Any = None,
    hand: Any = None,
    engine: Any = None,
    *,
    anew: bool = True,
) -> Shown:
    """Everything the page shows for a test picture (named in the URL) or an uploaded one.

    anew: the picture or the run is another one than before. That alone is an answer to count, and only of a picture
    that came from outside: those of the data set are demonstrations, and would be held against themselves.
    """
    shown = Shown(AnswerText())
    try:
        question = request.read(services, selection, kept, mode, off, hand, engine)
        if question is None:
            services.warm(selection.run, routed=selection.ask is None)  # the first picture should not wait for torch
            refusal = str(kept.get("error", ""))[:400] if isinstance(kept, dict) else ""
            nothing = CHANGES_ONLY if selection.edits else NO_PICTURE_YET
            face = panel_states.empty(REFUSED) if refusal else nothing_yet(services, selection, nothing)
            return replace(shown, face=face, error=refusal)
        shown.shown, shown.caption = question.shown, question.caption
        answer = question.ask(services)
        shown.asked = asked.told(services, selection, question)
        unlike = services.ood.unlike(answer.run, answer.prepared.image)
        shown.text = describe(question.run, answer.probabilities, selection, question.truth, unlike=unlike)
    except uploads.Refusal as refusal:
        shown.error, shown.face = str(refusal), panel_states.empty(REFUSED)
        return shown
    except Missing as missing:
        shown.face = panel_states.empty(str(missing), missing.command)
        return shown
    except Broken as broken:
        shown.face = panel_states.error(str(broken), "Choose another run above; the other pages are fine.")
        return shown
    if anew and question.sent and question.way == USUAL:
        services.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    shown.about = f"{services.store.marks().name(answer.run)}, {milliseconds(answer.seconds)} ms"
    shown.more = False
    image = uploads.data_url(uploads.Picture(answer.prepared.image, 1, 0, 0))
    shown.state = {
        "run": answer.run,
        "image": image,
        "whole": whole(answer.prepared),
        "target": answer.predicted,
        "truth": question.truth,
        "engine": question.engine,
        **feedback.ticket(services, answer, image, sent=question.sent, origin=question.origin),
    }
    chosen = question.options["mode"]
    worth = preparation_worth.measured(question.run)
    shown.steps = preparation.strip(answer.prepared, chosen, question.options["off"], worth.steps)
    shown.summary = preparation.summary(answer.prepared, chosen, worth.words)
    return shown


def text_of_state(services: Services, selection: Selection, state: Any) -> AnswerText:
    """The answer of a state, told as the address now has it; PreventUpdate without one."""
    run, image = seen(state)
    view = services.store.open(run)
    answer = services.predictor.predict(run, image, engine=request.engine_of(state.get("engine")))
    unlike = services.ood.unlike(run, answer.prepared.image)
    return describe(view, answer.probabilities, selection, truth_of(state), unlike=unlike)


def register(app: Dash, services: Services) -> None:
    """The question to the network, how its answer is told, and the bars."""

    @app.callback(
        output=OUTPUTS,
        inputs={"search": State("url", "search"), "question": Input(address.QUESTION, "data"), **request.inputs()},
        prevent_initial_call=True,  # the address is read first
    )
    def answer_picture(
        search: Any, question: Any, kept: Any, mode: Any, off: Any, hand: Any, engine: Any
    ) -> dict[str, Any]:
        anew = not ctx.triggered_prop_ids or bool(
            {picture.Ids.STATE, address.QUESTION} & {*ctx.triggered_prop_ids.values()}
        )
        try:
            shown = ask(services, Selection.parse(search), kept, mode, off, hand, engine, anew=anew)
        except Exception as problem:  # or the face that says that it waits would stand for ever
            shown = Shown(AnswerText(), face=failed(problem, Ids.FACE, NO_ANSWER, still=STILL))
        return {**vars(shown), "text": vars(shown.text), "form": feedback_card.form(services, shown.state)}

    app.clientside_callback(
        ASKING_JS % to_json_plotly(panel_states.loading(ASKING)),
        Output(Ids.FACE, "children", allow_duplicate=True),
        Input(address.QUESTION, "data"),
        Input(picture.Ids.STATE, "data"),
        State(Ids.FACE, "children"),
        prevent_initial_call=True,
    )

    # told another way, the picture need not travel again
    @app.callback(
        output={name: Output(*place, allow_duplicate=True) for name, place in WORDS.items()},
        inputs={
            "_": Input(address.DISPLAY, "data"),
            "search": State("url", "search"),
            "state": State(Ids.STATE, "data"),
        },
        prevent_initial_call=True,
    )
    def tell_answer(_: Any, search: Any, state: Any) -> dict[str, Any]:
        try:
            return vars(text_of_state(services, Selection.parse(search), state))
        except (uploads.Refusal, Missing, Broken):  # whoever asks about the picture says so
            raise PreventUpdate from None

    # a new file wipes the old answer at once, so that nobody reads the answer to another picture
    app.clientside_callback(
        "(contents) => contents ? ['', '', null] : Array(3).fill(dash_clientside.no_update)",
        Output(Ids.LABEL, "children", allow_duplicate=True),
        Output(Ids.CONFIDENCE, "children", allow_duplicate=True),
        Output(Ids.UNLIKE, "tree", allow_duplicate=True),
        Input(picture.Ids.UPLOAD, "contents"),
        prevent_initial_call=True,
    )

    # another address moves the slider, but never under a hand
    app.clientside_callback(
        MOVE_SLIDER_JS % Ids.ABSTAIN,
        Output(Ids.ABSTAIN, "value"),
        Input(address.DISPLAY, "data"),
        prevent_initial_call=True,
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
        return figure, {"height": f"{figure['layout']['height']}px"}
