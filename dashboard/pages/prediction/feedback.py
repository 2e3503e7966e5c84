"""Say whether the answer is right; what you say goes into the inbox, and a training can learn from it."""

from enum import StrEnum
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard.components import button, card, class_choices, dot, plain
from dashboard.pages.prediction import answer_state, picture
from dashboard.records.feedback import NOTE
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing


class Ids(StrEnum):
    CARD = "prediction-feedback-card"
    FORM = "prediction-feedback-form"
    HELD = "prediction-feedback-state"  # which answer assets/feedback.js holds the pictures of
    STATUS = "prediction-feedback-status"
    ERROR = "prediction-feedback-error"


CONSENT = (
    "What you send is kept on this server: the picture as it came (at most 768 pixels a side, without what the file "
    "says of place or camera) and as the network saw it, what you say, and a random number for this browser, no name "
    "and no address. Whoever uses this app can see it on the Feedback page, and delete it there."
)
FEEDBACK_READ_ONLY = "This server takes no feedback (it was started with --read-only)."
FEEDBACK_UNAVAILABLE = "Feedback cannot be kept just now: the database cannot be used."


def layout(services: Services, selection: Selection) -> html.Article:
    """The form, which each answer draws anew."""
    body = [
        dcc.Store(id=Ids.HELD),
        plain.place(Ids.FORM, className="fb-form"),
        html.P(id=Ids.STATUS, className="good small", role="status"),
        html.P(id=Ids.ERROR, className="bad small", role="alert"),
    ]
    return card("Is this right?", __doc__, body, id=Ids.CARD)


def register(app: Dash, services: Services) -> None:
    """The pictures of an answer stay in the browser until they are sent; its form comes with the answer."""
    app.clientside_callback(
        ClientsideFunction("feedback", "hold"),
        Output(Ids.HELD, "data"),
        Input(answer_state.Ids.STATE, "data"),
        State(picture.Ids.STATE, "data"),
    )


def form(services: Services, state: Any) -> list[Any]:
    """Right, or wrong and which class it is, a note, and what is kept; nothing without an answer."""
    if services.read_only:
        return [html.P(FEEDBACK_READ_ONLY, className="quiet")]
    state = state if isinstance(state, dict) else {}
    run, predicted = state.get("run"), state.get("said")
    if not isinstance(run, str) or not isinstance(predicted, str):
        return []
    if not state.get("prediction"):
        return [html.P(FEEDBACK_UNAVAILABLE, className="quiet")]
    try:
        classes = services.store.open(run).classes
    except (Missing, Broken) as problem:
        return [html.P(str(problem), className="quiet")]
    picks = class_choices.choices(
        classes,
        lambda place, name: button(
            [dot(place), html.Span(name)], small=True, **{"data-feedback": "label", "data-label": name}
        ),
        label="what it is",
        without=(predicted,),
        className="row-ff",
    )
    first = [
        button(
            f"Right, it is {predicted}",
            kind="primary",
            small=False,
            **{"data-feedback": "label", "data-label": predicted},
        ),
        button(
            "Wrong, it is …",
            small=False,
            **{"data-feedback": "open", "aria-expanded": "false", "aria-controls": "prediction-feedback-classes"},
        ),
    ]
    note = html.Div(
        [
            html.Label("Note (optional)", htmlFor="prediction-feedback-note", className="label"),
            html.Textarea(id="prediction-feedback-note", rows=2, maxLength=NOTE, className="form-control"),
        ],
        className="field",
    )
    return [
        html.Div(note),
        html.Div(first, className="row-ff"),
        html.Div(
            html.Div(picks, role="group", **{"aria-label": "What it is", **class_choices.named(classes)}),
            id="prediction-feedback-classes",
            hidden=True,
        ),
        html.P(CONSENT, className="faint small"),
    ]
