"""Three ways of asking (attribution) what in the picture spoke for the answer, and what for the runner-up class."""

from typing import Any

import numpy as np
from dash import Dash, Input, Output, html

from dashboard.components import card, explanations, segmented
from dashboard.components.panel import panel_callback, slot
from dashboard.figures.overlay import heatmap_overlay
from dashboard.pages.prediction import answer_state, on_demand
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation
from dashboard.state.selection import Selection

NEEDS = ("network",)
ID = "prediction-explained"
FACE = "prediction-explained-face"
CARD = "prediction-explained-card"
LAZY_STATE = "prediction-explained-asked"  # dcc.Store: the answer's state from then on; before, nobody is asked
VIEW = "prediction-explained-view"  # over which picture the maps lie
VIEWS = (("sent", "As you sent it"), ("seen", "As the network sees it"))
CELLS = [(row, way) for row in explanations.ROWS for way in explanations.METHODS]


def layout(services: Services, selection: Selection) -> html.Article:
    """The grid; it asks the network when it is looked at."""
    view = html.Div(segmented(VIEW, VIEWS, "", "Over which picture"), id=f"{VIEW}-place", hidden=True)
    body = [slot(FACE), html.Div([view, explanations.layout(ID)], className="xp-both"), *on_demand.layout(LAZY_STATE)]
    sentence = f"{(__doc__ or '').splitlines()[0]} {explanations.HELP}"
    return card("What spoke for which class", sentence, body, id=CARD)


def register(app: Dash, services: Services) -> None:
    """Six maps for each picture and layer."""
    on_demand.register(app, LAZY_STATE, CARD, answer_state.Ids.STATE)
    explanations.register(app, ID)

    @panel_callback(
        app,
        FACE,
        *(Output(explanations.cell(ID, *one), "src") for one in CELLS),
        *(Output(explanations.cell(ID, *one), "alt") for one in CELLS),
        *(Output(f"{ID}-class-{row}", "children") for row in explanations.ROWS),
        Output(f"{ID}-grid", "style"),
        Output(f"{ID}-note", "children"),
        Output(VIEW, "value"),
        Output(f"{VIEW}-place", "hidden"),
        Output(f"{ID}-layer", "options"),
        Output(f"{ID}-layer", "value"),
        Input(LAZY_STATE, "data"),
        Input(f"{ID}-layer", "value"),
        Input(VIEW, "value"),
        prevent_initial_call=True,
    )
    def draw_explained(state: Any, layer: Any, view: Any):
        return drawn(services, state, layer, view)


def drawn(services: Services, state: Any, layer: Any, view: Any = "") -> tuple:
    """Everything the grid shows, in the order of the callback's outputs. view: of VIEWS; '' for the picture as it was
    sent where that is a photograph to the network, else the network's own."""
    run, image = answer_state.seen(state)
    again = services.predictor.predict(run, image)
    seen = again.prepared.image
    truth = answer_state.truth_of(state)
    both = explanations.targets(again.probabilities, again.classes, truth)
    whose = services.store.open(run)
    offered = explanations.offered(whose)
    options = explanations.places(whose.manifest.get("layers", []))
    chosen = layer if any(one["value"] == layer for one in options) else explanations.AUTO
    whole = answer_state.whole_of(state)
    if view not in dict(VIEWS):
        view = "sent" if answer_state.over_whole(state, seen) else "seen"
    under = whole if view == "sent" else None
    sources, why = dict.fromkeys(CELLS, ""), f" {explanations.without(whose)}".rstrip()
    for way in offered:
        try:
            maps = services.explainer.together(
                run, seen, [one.id for one in both], way, layer="" if chosen == explanations.AUTO else chosen
            )
        except NoExplanation as none:
            why = f" No {explanations.TITLES[way]}: {none}."
            continue
        for row, heatmap in enumerate(maps):
            veil = under.veil(heatmap) if under else heatmap_overlay(heatmap)
            sources[row, way] = uploads.thumbnail(veil)
    height, width = seen.shape[:2]
    shown = under or answer_state.Whole(uploads.thumbnail(seen), height, width, np.eye(2, 3))
    words = f"As you sent it; dark: what the network, which reads {width} × {height}, did not see."
    return (
        *sources.values(),
        *(explanations.alt(way, both[row]) for row, way in CELLS),
        *(explanations.line(target) for target in both),
        explanations.over(shown.src, shown.height, shown.width, offered),
        f"{words if under else f'As the network sees it, {width} × {height}.'}{why}",
        view,
        whole is None,
        options,
        chosen,
    )
