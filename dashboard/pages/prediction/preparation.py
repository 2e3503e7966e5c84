"""Switch a step off to see what it does to the answer."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, html

from dashboard import uploads
from dashboard.components import button, card, segmented
from dashboard.doors import Doors
from dashboard.predictor import STEPS, Prepared


class Ids(StrEnum):
    MODE = "prediction-preparation-mode"
    RESET = "prediction-preparation-reset"
    SUMMARY = "prediction-preparation-summary"


NAMES = [kind.name for kind in STEPS]
SWITCHES = [kind.name for kind in STEPS if not kind.fixed]


def switch_id(name: str) -> str:
    """The checkbox of a step."""
    return f"prediction-preparation-{name}"


def picture_id(name: str) -> str:
    """Where the picture after a step appears."""
    return f"prediction-preparation-{name}-picture"


def note_id(name: str) -> str:
    """What the step did, in words."""
    return f"prediction-preparation-{name}-note"


def layout() -> html.Article:
    """One column a step, each with its switch; the last one cannot be left out."""
    steps = []
    for kind in STEPS:
        box = dbc.Checkbox(
            id=switch_id(kind.name),
            value=True,
            disabled=kind.fixed,
            className="st",
            label=html.Span([html.B(kind.title), html.Small(id=note_id(kind.name))]),
        )
        steps.append(html.Li([html.Div(id=picture_id(kind.name), className="frame"), box]))
    tools = [
        segmented(
            Ids.MODE, [("auto", "Auto"), ("full", "Always"), ("none", "Never")], "auto", "When a picture is prepared"
        ),
        button("Reset", id=Ids.RESET, small=True),
    ]
    return card(
        "How the picture was prepared",
        html.Span(__doc__, id=Ids.SUMMARY),
        html.Ul(steps, className="steps"),
        tools=tools,
    )


def describe(shown: Any, prepared: Prepared, mode: str) -> None:
    """Fill in what `answer.Shown` says of the preparation."""
    for place, step in enumerate(prepared.steps):
        crisp = max(step.image.shape[:2]) <= 64
        shown.steps[place] = html.Img(
            src=uploads.thumbnail(step.image), alt=f"After {step.title}: {step.why}", className="crisp" if crisp else ""
        )
        shown.notes[place] = step.why
    locked = prepared.unchanged or mode == "none"
    shown.fixed = [locked] * len(SWITCHES)
    if prepared.unchanged:
        shown.summary = (
            "This picture already has the form the network was trained on, so it passed as it is. "
            "Choose Always to prepare it anyway."
        )
    elif mode == "none":
        shown.summary = "Only resized, because preparation is off."
    else:
        shown.summary = __doc__ or ""


def register(app: Dash, _: Doors) -> None:
    """Reset puts every switch back."""
    app.clientside_callback(
        f"() => ['auto', {', '.join(['true'] * len(SWITCHES))}]",
        Output(Ids.MODE, "value"),
        *[Output(switch_id(name), "value") for name in SWITCHES],
        Input(Ids.RESET, "n_clicks"),
        prevent_initial_call=True,
    )
