"""What the network takes the picture for, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from dashboard import inbox, theme, uploads
from dashboard.components import badge, dot, faces, graph
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.figures import probabilities
from dashboard.pages.prediction import picture, preparation
from dashboard.pictures import single_url
from dashboard.predictor import MODES, Answer, Broken, Missing, Mode
from dashboard.selection import Selection


class Ids(StrEnum):
    STATE = "prediction-answer-state"  # the picture as the network saw it: {run, image, target, truth, …}
    FACE = "prediction-answer-face"
    BODY = "prediction-answer-body"
    ABOUT = "prediction-answer-about"
    LABEL = "prediction-label"
    CONFIDENCE = "prediction-confidence"
    TRUTH = "prediction-truth"
    TOP = "prediction-top"
    ALL = "prediction-probabilities-title"
    GRAPH = "prediction-probabilities-graph"
    GRAPH_FACE = "prediction-probabilities-face"
    BADGE = "prediction-familiarity-badge"
    UNUSUAL = "prediction-familiarity-meter"
    MORE = "prediction-more"


NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NOTHING = "No picture yet. Drop one on the left, or take one from the test set below."
REFUSED = "There is no answer, because the picture could not be read."


def layout(saliency: Component, classes: Sequence[str]) -> html.Article:
    """Picture with its explanation, the answer in words, all classes as bars."""
    words = html.Div(
        [
            html.Div(id=Ids.BADGE, className="badge-slot"),
            html.P(id=Ids.LABEL, className="big"),
            html.P(id=Ids.CONFIDENCE, className="conf"),
            html.Div(id=Ids.TRUTH, className="quiet small"),
            html.Div(id=Ids.TOP),
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
    return html.Article(
        [
            html.Div(
                [
                    html.Div(html.H2("Answer", className="card-title")),
                    html.Div(html.Span(id=Ids.ABOUT, className="faint"), className="tools"),
                ],
                className="card-h",
            ),
            html.Div(faces.empty(NOTHING), id=Ids.FACE, className="face-slot"),
            html.Div([saliency, words, bars], id=Ids.BODY, className="answer"),
        ],
        className="ff-card c8",
    )


@dataclass
class Shown:
    """What the page shows of one question; the fields are the outputs of `answer_picture`, empty by default."""

    state: dict[str, Any] | None = None
    face: Any = None
    about: str = ""
    label: str = ""
    confidence: Any = ""
    truth: Any = None
    top: Any = None
    title: str = "All classes"
    more: bool = True  # hidden
    error: str = ""
    preview: Any = field(default_factory=lambda: picture.preview(None))
    caption: str = ""
    steps: list[Any] = field(default_factory=lambda: [None] * len(preparation.NAMES))
    notes: list[str] = field(default_factory=lambda: [""] * len(preparation.NAMES))
    fixed: list[bool] = field(default_factory=lambda: [False] * len(preparation.SWITCHES))
    summary: str = ""


OUTPUTS = {
    "state": Output(Ids.STATE, "data"),
    "face": Output(Ids.FACE, "children"),
    "about": Output(Ids.ABOUT, "children"),
    "label": Output(Ids.LABEL, "children"),
    "confidence": Output(Ids.CONFIDENCE, "children"),
    "truth": Output(Ids.TRUTH, "children"),
    "top": Output(Ids.TOP, "children"),
    "title": Output(Ids.ALL, "children"),
    "more": Output(Ids.MORE, "hidden"),
    "error": Output(picture.Ids.ERROR, "children"),
    "preview": Output(picture.Ids.PREVIEW, "children"),
    "caption": Output(picture.Ids.CAPTION, "children"),
    "steps": [Output(preparation.picture_id(name), "children") for name in preparation.NAMES],
    "notes": [Output(preparation.note_id(name), "children") for name in preparation.NAMES],
    "fixed": [Output(preparation.switch_id(name), "disabled") for name in preparation.SWITCHES],
    "summary": Output(preparation.Ids.SUMMARY, "children"),
}


def register(app: Dash, doors: Doors) -> None:
    """The question to the network, and the bars."""

    @app.callback(
        output=OUTPUTS,
        inputs={
            "search": Input("url", "search"),
            "kept": Input(picture.Ids.STATE, "data"),
            "mode": Input(preparation.Ids.MODE, "value"),
            "switches": [Input(preparation.switch_id(name), "value") for name in preparation.SWITCHES],
        },
    )
    def answer_picture(search: str, kept: Any, mode: Any, switches: list[Any]) -> dict[str, Any]:
        off = [name for name, on in zip(preparation.SWITCHES, switches, strict=True) if not on]
        return vars(ask(doors, Selection.parse(search), kept, mode, off))

    # a new file wipes the old answer at once, so that nobody reads the answer to another picture
    app.clientside_callback(
        "(contents) => contents ? ['', ''] : [dash_clientside.no_update, dash_clientside.no_update]",
        Output(Ids.LABEL, "children", allow_duplicate=True),
        Output(Ids.CONFIDENCE, "children", allow_duplicate=True),
        Input(picture.Ids.UPLOAD, "contents"),
        prevent_initial_call=True,
    )

    @panel_callback(
        app,
        Ids.GRAPH_FACE,
        Output(Ids.GRAPH, "figure"),
        Output(Ids.GRAPH, "style"),
        Input(Ids.STATE, "data"),
        Input(theme.STATE, "data"),
    )
    def draw_probabilities(state: Any, mode: Any) -> tuple[Any, dict[str, str]]:
        run, image = seen(state)
        again = doors.predictor.predict(run, image)  # it has the form already and passes unchanged
        figure = probabilities.bars(
            again.probabilities, classes=again.classes, mode=theme.mode_of(mode), truth=truth_of(state)
        )
        return figure, {"height": f"{probabilities.height(len(again.classes))}px"}


def seen(state: Any) -> tuple[str, np.ndarray]:
    """Run and picture, uint8 [h, w, c], of an answer's state; PreventUpdate when there is none.

    The browser sends the state back, so it is read like any other upload. Raises Refusal (a ValueError).
    """
    from dash.exceptions import PreventUpdate

    if not isinstance(state, dict) or not isinstance(state.get("run"), str):
        raise PreventUpdate
    return state["run"], uploads.decode(uploads.from_data_url(state.get("image"))).pixels


def ask(doors: Doors, selection: Selection, kept: Any, mode: Any, off: list[str]) -> Shown:
    """Everything the page shows for a test picture (named in the URL) or an uploaded one."""
    kept = kept if isinstance(kept, dict) else {}
    if selection.sample is None and "src" not in kept:
        doors.predictor.warm(selection.run)  # the first picture should not wait for torch
        refusal = str(kept.get("error", ""))[:400]
        return Shown(face=faces.empty(REFUSED if refusal else NOTHING), error=refusal)
    shown = Shown()
    try:
        view = doors.store.shown(selection.run)
        if selection.sample is not None:
            image, orientation, truth = view.picture(selection.split, selection.sample), 1, _label(view, selection)
            address = single_url(view.dataset["name"], selection.split, selection.sample)
            shown.preview = picture.preview(
                address, f"Image {selection.sample} of the {selection.split} set", crisp=True
            )
            shown.caption = f"{selection.split} image {selection.sample} · {image.shape[1]} × {image.shape[0]}"
        else:
            upload = uploads.decode(uploads.from_data_url(kept["src"]))
            image, orientation, truth = upload.pixels, upload.orientation, None
            shown.preview = picture.preview(kept["src"], "The picture you gave", crisp=max(image.shape[:2]) <= 64)
            shown.caption = picture.caption(kept)
        chosen: Mode = mode if mode in MODES else "auto"
        answer = doors.predictor.predict(view.run_id, image, orientation=orientation, mode=chosen, off=off)
    except uploads.Refusal as refusal:
        shown.error, shown.face = str(refusal), faces.empty(REFUSED)
        return shown
    except Missing as missing:
        shown.face = faces.empty(str(missing), missing.command)
        return shown
    except Broken as broken:
        shown.face = faces.error(str(broken), "Choose another run above; the other pages are fine.")
        return shown
    doors.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    _describe(shown, answer, doors.store.marks().name(answer.run), truth)
    asked = selection.sample is not None
    origin, sent = (f"{selection.split} {selection.sample}", "") if asked else ("", str(kept["src"]))
    state = shown.state or {}
    shown.state = {**state, **inbox.ticket(doors, answer, state["image"], sent=sent, origin=origin)}
    preparation.describe(shown, answer.prepared, chosen)
    return shown


def _describe(shown: Shown, answer: Answer, run: str, truth: int | None) -> None:
    shown.about = f"{run}, {1000 * answer.seconds:.1f} ms"
    shown.label = answer.label
    shown.confidence = [f"{100 * answer.confidence:.1f}", html.Small(" %")]
    if truth is not None:
        right = truth == answer.predicted
        shown.truth = html.P(
            [
                "Labelled ",
                html.B(answer.classes[truth]),
                " ",
                badge("right", "good") if right else badge("wrong", "bad"),
            ]
        )
    rows = [
        html.Li(
            [dot(int(i)), html.Span(answer.classes[i]), html.B(f"{probabilities.percent(answer.probabilities[i])} %")]
        )
        for i in answer.order[:3]
    ]
    shown.top = [html.H3(f"Top {NUMBERS[len(rows)]}"), html.Ul(rows, className="top3")]
    shown.title = _title(len(answer.classes))
    shown.more = False
    shown.state = {
        "run": answer.run,
        "image": uploads.data_url(uploads.Picture(answer.prepared.image, 1, 0, 0)),
        "target": answer.predicted,
        "truth": truth,
    }


def _label(view: Any, selection: Selection) -> int:
    pictures = view.pictures(selection.split)
    return int(pictures.labels[pictures.row(selection.sample)])


def truth_of(state: Any) -> int | None:
    """The label of a picture of the data set, None for any other."""
    truth = state.get("truth")
    return truth if isinstance(truth, int) else None


def _title(classes: int) -> str:
    return f"All {NUMBERS[classes] if classes < len(NUMBERS) else classes} classes" if classes else "All classes"
