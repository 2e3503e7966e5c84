"""The brighter a place, the more it spoke for this class."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html, no_update

from dashboard.components import panel_states, segmented
from dashboard.figures.overlay import heatmap_overlay
from dashboard.pages.prediction import answer_state
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation, ways
from dashboard.services.uploads import Refusal
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing

NEEDS = ("network",)


class Ids(StrEnum):
    PICTURE = "prediction-saliency-picture"
    OVERLAY = "prediction-saliency-overlay"
    METHOD = "prediction-saliency-method"
    STRENGTH = "prediction-saliency-strength"
    NOTE = "prediction-saliency-note"


TITLES = {"grad-cam": "Grad-CAM", "integrated": "Integrated", "occlusion": "Occlusion"}  # as many as fit in a row
NOTES = {
    "none": "The picture as the network reads it.",
    "grad-cam": "Lit: where the deepest convolution with an answer saw what speaks for {label}.",
    "integrated": "Lit, by integrated gradients: pixels that made the score of {label} grow as the picture faded in.",
    "occlusion": "Lit: patches that {label} loses most by when they are covered.",
}
STRENGTH = 72
GRADIENTS = "It needs the gradients of a network, and this one gives its answers alone."


def layout(services: Services, selection: Selection) -> html.Div:
    """The picture as the network sees it, a veil over it, and what the veil shows."""
    return html.Div(
        [
            html.Div(
                [html.Div(id=Ids.PICTURE), html.Div(id=Ids.OVERLAY, style={"opacity": STRENGTH / 100})],
                className="duplex",
            ),
            segmented(Ids.METHOD, [("none", "Picture"), *TITLES.items()], "grad-cam", "Explanation"),
            html.Div(
                [
                    html.Label("Strength", htmlFor=Ids.STRENGTH, className="faint"),
                    dbc.Input(id=Ids.STRENGTH, type="range", min=0, max=100, step=1, value=STRENGTH),
                ],
                className="strength",
            ),
            html.P(id=Ids.NOTE, className="faint small"),
        ],
        className="saliency",
    )


def register(app: Dash, services: Services) -> None:
    """The veil, and its strength."""

    @app.callback(
        Output(Ids.PICTURE, "children"),
        Output(Ids.OVERLAY, "children"),
        Output(Ids.NOTE, "children"),
        Input(answer_state.Ids.STATE, "data"),
        Input(Ids.METHOD, "value"),
    )
    def draw_saliency(state: Any, method: Any) -> tuple[Any, Any, Any]:
        return overlay(services, state, method)

    @app.callback(
        Output(Ids.METHOD, "options"),
        Output(Ids.METHOD, "value"),
        Input("app-view-state", "data"),
        State(Ids.METHOD, "value"),
    )
    def list_methods(search: str | None, method: Any):
        return choices(services, search, method)

    app.clientside_callback(
        "(strength) => ({opacity: Number(strength) / 100})",
        Output(Ids.OVERLAY, "style"),
        Input(Ids.STRENGTH, "value"),
    )


def choices(services: Services, search: str | None, method: Any) -> tuple[list[dict[str, Any]], Any]:
    """The methods, those that the run's network cannot be asked by off, and which is chosen: occlusion in place of one
    of them."""
    try:
        able = ways(services.store.shown(Selection.parse(search).run).manifest)
    except (Missing, Broken):
        able = tuple(TITLES)
    off = [way for way in TITLES if way not in able] if able else []
    options = [
        {"value": way, "label": words, "disabled": way in off, **({"title": GRADIENTS} if way in off else {})}
        for way, words in {"none": "Picture", **TITLES}.items()
    ]
    return options, "occlusion" if method in off else no_update


def overlay(services: Services, state: Any, method: Any) -> tuple[Any, Any, Any]:
    """Picture, veil and note; the note says why where there is no veil."""
    try:
        run, image = answer_state.seen(state)
        again = services.predictor.predict(run, image)
        prepared = again.prepared.image
        size = f"{prepared.shape[1]} by {prepared.shape[0]}"
        picture = html.Img(
            src=uploads.thumbnail(prepared), alt=f"The {size} picture the network sees", className="crisp"
        )
        whole = answer_state.over_whole(state, prepared)
        if not isinstance(method, str) or method not in TITLES:
            return picture, None, NOTES["none"]
        attribution = services.explainer.explain(run, prepared, again.predicted, method)
    except NoExplanation as none:
        return picture, None, f"No {TITLES[method]}: {none}."
    except (Missing, Broken, Refusal) as problem:
        return panel_states.empty(str(problem), getattr(problem, "command", "")), None, ""
    note = NOTES[method].format(label=again.label)
    if not attribution.any():
        note = f"Nothing in this picture speaks for {again.label} by {TITLES[method]}."
    if whole is not None:
        picture = html.Img(src=whole.src, alt="The picture as you sent it")
        note += " Dark: what the network did not see."
    veil = whole.veil(attribution) if whole is not None else heatmap_overlay(attribution)
    return picture, html.Img(src=uploads.thumbnail(veil), alt=note, className="crisp"), note
