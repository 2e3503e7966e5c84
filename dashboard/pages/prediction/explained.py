"""Three ways of asking (attribution) what in the picture spoke for the answer, and what for the runner-up class."""

from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import card, explanations
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
CELLS = [(row, way) for row in explanations.ROWS for way in explanations.METHODS]


def layout(services: Services, selection: Selection) -> html.Article:
    """The grid; it asks the network when it is looked at."""
    body = [slot(FACE), html.Div(explanations.layout(ID)), *on_demand.layout(LAZY_STATE)]
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
        Output(f"{ID}-layer", "options"),
        Output(f"{ID}-layer", "value"),
        Input(LAZY_STATE, "data"),
        Input(f"{ID}-layer", "value"),
        prevent_initial_call=True,
    )
    def draw_explained(state: Any, layer: Any):
        return drawn(services, state, layer)


def drawn(services: Services, state: Any, layer: Any) -> tuple:
    """Everything the grid shows, in the order of the callback's outputs."""
    run, image = answer_state.seen(state)
    again = services.predictor.predict(run, image)
    seen = again.prepared.image
    truth = answer_state.truth_of(state)
    both = explanations.targets(again.probabilities, again.classes, truth)
    whose = services.store.open(run)
    offered = explanations.offered(whose)
    options = explanations.places(whose.manifest.get("layers", []))
    chosen = layer if any(one["value"] == layer for one in options) else explanations.AUTO
    sources, why = [], f" {explanations.without(whose)}".rstrip()
    for row, way in CELLS:
        if way not in offered:
            sources.append("")
            continue
        try:
            heatmap = services.explainer.explain(
                run, seen, both[row].id, way, layer="" if chosen == explanations.AUTO else chosen
            )
            sources.append(uploads.thumbnail(heatmap_overlay(heatmap)))
        except NoExplanation as none:
            sources.append("")
            why = f" No {explanations.TITLES[way]}: {none}."
    height, width = seen.shape[:2]
    return (
        *sources,
        *(explanations.alt(way, both[row]) for row, way in CELLS),
        *(explanations.line(target) for target in both),
        explanations.over(uploads.thumbnail(seen), height, width, offered),
        f"As the network sees it, {width} × {height}.{why}",
        options,
        chosen,
    )
