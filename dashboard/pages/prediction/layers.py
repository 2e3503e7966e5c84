"""What each layer makes of the picture, and how any single number of it was computed."""

from typing import Any

from dash import Dash, Input, html

from dashboard.components import card, layer_walk
from dashboard.pages.prediction import answer_state
from dashboard.services.container import Services
from dashboard.state.selection import Selection

NEEDS = ("layers",)
ID = "prediction-layers"


def layout(services: Services, selection: Selection) -> html.Article:
    """A button; the walk costs nothing before."""
    return card("Through its layers", __doc__, layer_walk.layout(ID))


def register(app: Dash, services: Services) -> None:
    """The walk of the picture as the network sees it."""
    layer_walk.register(
        app, services, ID, Input(answer_state.Ids.STATE, "data"), lambda state: subject(services, state)
    )


def subject(services: Services, state: Any) -> layer_walk.Subject:
    """Run and picture of an answer's state; PreventUpdate when there is none."""
    run, image = answer_state.seen(state)
    return layer_walk.Subject(services.store.open(run), services.predictor.predict(run, image).prepared.image)
