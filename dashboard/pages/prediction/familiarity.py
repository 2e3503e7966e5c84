"""The training pictures that the network finds most like this one: the nearest in its feature space."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import card, dot, evidence, explanations
from dashboard.components.panel import panel_callback, slot
from dashboard.format.images import sprite_url, tile_style
from dashboard.pages.prediction import answer_state
from dashboard.services.container import Services
from dashboard.services.predictor import Answer
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.stats.ood import Familiarity


class Ids(StrEnum):
    FACE = "prediction-neighbours-face"
    GRID = "prediction-neighbours-grid"
    SUMMARY = "prediction-neighbours-summary"
    RIVAL = "prediction-neighbours-rival"
    NOTE = "prediction-familiarity-note"


def layout(services: Services, selection: Selection) -> html.Article:
    """Ten nearest reference pictures, nearest first."""
    body = [
        slot(Ids.FACE),
        html.P(id=Ids.SUMMARY, className="small summary"),
        html.Ul(id=Ids.GRID, className="nearest"),
        html.Div(id=Ids.RIVAL),
    ]
    return card("Nearest training images", __doc__, body)


def register(app: Dash, services: Services) -> None:
    """Neighbours; meter and badge."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRID, "children"),
        Output(Ids.SUMMARY, "children"),
        Output(Ids.RIVAL, "children"),
        Input(answer_state.Ids.STATE, "data"),
    )
    def list_neighbours(state: Any) -> tuple[Any, Any, Any]:
        return (*neighbours(services, state), second(services, state))

    @app.callback(
        Output(answer_state.Ids.BADGE, "children"),
        Output(answer_state.Ids.UNUSUAL, "children"),
        Input(answer_state.Ids.STATE, "data"),
    )
    def show_familiarity(state: Any) -> tuple[Any, Any]:
        try:
            found, _ = look(services, state)
        except (Missing, Broken) as problem:  # without reference features there is an answer but no doubt about it
            return None, [html.H3("How unusual is this picture?"), html.P(str(problem), className="faint small")]
        return evidence.verdict(found), evidence.meter(found)


def second(services: Services, state: Any) -> list[Any]:
    """The nearest picture of the class that came second, and a warning where one is nearly the same picture."""
    run, image = answer_state.seen(state)
    again = services.predictor.predict(run, image)
    target = explanations.targets(again.probabilities, again.classes, answer_state.truth_of(state))[1]
    found = services.ood.familiarity(run, again.prepared.image, rival=target.id)
    twin = services.ood.near_duplicate(run, again.prepared.image)
    return [
        *evidence.rival(services.store.open(run), found, target.id, target.role),
        *evidence.warning([("reference", *twin)] if twin else []),
    ]


def look(services: Services, state: Any) -> tuple[Familiarity, Answer]:
    """Where the picture of an answer's state stands, and the answer once more. Raises Missing or Broken."""
    run, image = answer_state.seen(state)
    again = services.predictor.predict(run, image)
    return services.ood.familiarity(run, again.prepared.image), again


def neighbours(services: Services, state: Any) -> tuple[list[Any], str]:
    """Tiles and their summary."""
    found, again = look(services, state)
    view = services.store.open(again.run)
    pictures = view.pictures("reference")
    ids = [int(i) for i in found.neighbour_ids]
    labels = [int(pictures.labels[pictures.row(i)]) for i in ids]
    height, width = pictures.images.shape[1:3]
    url = sprite_url(view.picture_set, "reference", ids)
    tiles = [
        html.Li(
            [
                html.Span(
                    className="px",
                    style=tile_style(url, place, len(ids), height, width),
                    role="img",
                    **{"aria-label": f"Training image {example_id}, {view.classes[label]}"},
                ),
                html.Span([dot(label), html.Span(view.classes[label])], className="cap"),
                html.Span([f"{distance:.2f}", html.Span(" away", className="wide")], className="faint"),
            ]
        )
        for place, (example_id, label, distance) in enumerate(zip(ids, labels, found.distances, strict=True))
    ]
    alike = sum(label == again.predicted for label in labels)
    twin = " The first one is the same picture to the network." if found.distances[0] < 0.01 else ""
    train = view.dataset["counts"].get("train", len(ids))
    looked = f"{len(pictures.ids):,} of the {train:,}" if train > len(pictures.ids) else f"the {train:,}"
    summary = f"{alike} of {len(labels)} are labelled {again.label}.{twin} Found among {looked} training images."
    return tiles, summary
