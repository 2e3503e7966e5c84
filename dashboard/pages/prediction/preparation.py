"""Switch a step off to see what it does to the answer; what changed nothing is faint."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import numpy as np
from dash import Dash, Input, Output, dcc, html

from dashboard.components import button, card, plain, segmented
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.images.form import Prepared
from ml.images.preparation import PREPARATION_STEPS
from ml.system.wording import quantity


class Ids(StrEnum):
    MODE = "prediction-preparation-mode"
    RESET = "prediction-preparation-reset"
    SUMMARY = "prediction-preparation-summary"
    STEPS = "prediction-preparation-steps"
    OFF = "prediction-preparation-off"  # names of the steps that are switched off; assets/prepare.js fills it
    HAND = "prediction-hand"
    HAND_STATE = "prediction-hand-state"  # {turn, box, of}: by hand, of which picture; assets/prepare.js fills it


CONTROLS = {"mode": (Ids.MODE, "value"), "off": (Ids.OFF, "data"), "hand": (Ids.HAND_STATE, "data")}
NOTHING: Mapping[str, str] = {}
NAMES = [kind.name for kind in PREPARATION_STEPS]
SWITCHES = [kind.name for kind in PREPARATION_STEPS if not kind.fixed]
THUMBNAIL_SIDE = 240  # pixels of a step's picture, shown at half of that
CROP_EDGES = (("left", "Left", 0), ("top", "Top", 0), ("right", "Right", 100), ("bottom", "Bottom", 100))


def switch_id(name: str) -> str:
    """The checkbox of a step."""
    return f"prediction-preparation-{name}"


def picture_id(name: str) -> str:
    """Where the picture after a step appears."""
    return f"prediction-preparation-{name}-picture"


def note_id(name: str) -> str:
    """What the step did, in words."""
    return f"prediction-preparation-{name}-note"


def layout(services: Services, selection: Selection) -> html.Article:
    """The steps in their order, each with its switch; turning and cutting by hand below them."""
    tools = [
        segmented(
            Ids.MODE, [("auto", "Auto"), ("full", "Always"), ("none", "Never")], "auto", "When a picture is prepared"
        ),
        button("Reset", id=Ids.RESET, small=True),
    ]
    body = [
        plain.place(Ids.STEPS, "ol", className="steps"),
        plain.Plain(Ids.HAND, "details", {"className": "hand"}, by_hand()),
        dcc.Store(id=Ids.OFF),
        dcc.Store(id=Ids.HAND_STATE),
    ]
    return card("How the picture was prepared", html.Span(__doc__, id=Ids.SUMMARY), body, tools=tools)


def by_hand() -> list[Any]:
    """The picture to draw a box on; buttons and fields that do the same by keyboard."""
    stage = html.Div(
        [html.Img(alt="The picture, turned", id=f"{Ids.HAND}-picture"), html.Span(className="cut")],
        id=f"{Ids.HAND}-stage",
        className="stage",
    )
    turn = field("turn", "Degrees to the left", 0, -180, 180)
    quarter = [
        html.Button(words, type="button", className="btn-ff sm", **{"data-turn": degrees})
        for words, degrees in (("90° to the left", "90"), ("90° to the right", "-90"))
    ]
    edges = [field(name, f"{words} edge, %", value, 0, 100) for name, words, value in CROP_EDGES]
    whole = html.Button("Whole picture, not turned", type="button", className="btn-ff sm ghost", **{"data-whole": ""})
    words = "Draw a box on the picture to cut it, or say where its edges are, in per cent of the turned picture."
    return [
        html.Summary("Turn and cut by hand", className="btn-ff sm"),
        html.Div(
            [
                stage,
                html.Div(
                    [
                        html.P(words, className="small quiet"),
                        html.Div(quarter, className="row-ff"),
                        turn,
                        html.Div(edges, className="edges"),
                        html.Div(whole),
                    ],
                    className="fields",
                ),
            ],
            className="by-hand",
        ),
    ]


def field(name: str, words: str, value: int, low: int, high: int) -> html.Div:
    """A number with its label, which no callback reads."""
    id = f"{Ids.HAND}-{name}"
    number = plain.element(
        "Input", id=id, type="number", value=str(value), min=low, max=high, step=1, className="form-control"
    )
    return html.Div([html.Label(words, htmlFor=id), number], className="field")


def strip(prepared: Prepared, mode: str, off: tuple[str, ...], worth: Mapping[str, str] = NOTHING) -> list[dict]:
    """One item a step: its number, its picture, its switch, what it did. worth: by name, what it was measured to be."""
    locked = prepared.unchanged or mode == "none"
    items, seen = [], (np.zeros(0), "")
    for place, (kind, step) in enumerate(zip(PREPARATION_STEPS, prepared.steps, strict=True), start=1):
        if step.image is not seen[0]:  # what changed nothing looks as before
            seen = step.image, uploads.thumbnail(step.image, THUMBNAIL_SIDE)
        crisp = max(step.image.shape[:2]) <= 64
        image = plain.element(
            "Img",
            src=seen[1],
            alt=f"After {step.title}: {step.why}",
            className="crisp" if crisp else "",
        )
        # what is asked for by hand is done whatever the form, so that its switch always works
        still = kind.fixed or not step.taken or (locked and kind.name != "hand")
        box = plain.element(
            "Input",
            id=switch_id(kind.name),
            type="checkbox",
            className="form-check-input",
            checked=kind.name not in off,
            disabled=still,
        )
        words = [
            plain.element("Span", str(place), className="n", **{"aria-hidden": "true"}),
            plain.element("B", kind.title),
        ]
        label = plain.element("Label", [box, *words], htmlFor=switch_id(kind.name), className="st")
        items.append(
            plain.element(
                "Li",
                [
                    plain.element("Div", image, id=picture_id(kind.name), className="frame"),
                    plain.element(
                        "Div",
                        [
                            label,
                            plain.element("Small", step.why, id=note_id(kind.name)),
                            *(
                                [plain.element("Small", worth[kind.name], className="faint")]
                                if kind.name in worth
                                else []
                            ),
                        ],
                        className="says",
                    ),
                ],
                className="" if step.done else "idle",
            )
        )
    return items


def summary(prepared: Prepared, mode: str, worth: str = "") -> str:
    """What the card says of the whole. worth: what the run's steps were measured to be, in words."""
    if prepared.unchanged:
        return (
            "This picture already has the form the network was trained on, so it passed as it is. "
            "Choose Always to prepare it anyway."
        )
    if mode == "none":
        return "Only made to fit as the training images were, because preparation is off."
    done = sum(step.done for step in prepared.steps)
    return " ".join(
        filter(None, (f"{done} of {quantity(len(prepared.steps), 'step')} changed the picture. {__doc__}", worth))
    )


def register(app: Dash, _: Services) -> None:
    """Reset; assets/prepare.js puts back the switches, the turn and the cut."""
    app.clientside_callback(
        "() => 'auto'",
        Output(Ids.MODE, "value"),
        Input(Ids.RESET, "n_clicks"),
        prevent_initial_call=True,
    )
