"""The training pictures that the network finds most like this one: the nearest in its feature space."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, html, no_update

from dashboard.components import card, dot, evidence, explanations, more_like
from dashboard.components.panel import panel_callback, slot
from dashboard.format.images import sprite_url, tile_style
from dashboard.pages.prediction import answer_state
from dashboard.services.container import Services
from dashboard.services.predictor import Answer
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.stats.ood import Familiarity

NEEDS = ("features",)


class Ids(StrEnum):
    FACE = "prediction-neighbours-face"
    GRID = "prediction-neighbours-grid"
    SUMMARY = "prediction-neighbours-summary"
    RIVAL = "prediction-neighbours-rival"
    NOTE = "prediction-familiarity-note"
    ALIKE = "prediction-alike"


def layout(services: Services, selection: Selection) -> html.Article:
    """Ten nearest reference pictures, nearest first."""
    body = [
        slot(Ids.FACE),
        html.P(id=Ids.SUMMARY, className="small summary"),
        html.Ul(id=Ids.GRID, className="nearest"),
        html.Div(id=Ids.RIVAL),
        more_like.layout(Ids.ALIKE),
    ]
    return card("Nearest training images", __doc__, body)


def register(app: Dash, services: Services) -> None:
    """Neighbours; meter and badge."""

    # one question for both cards: each more would cost the browser 10 ms of every answer
    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.GRID, "children"),
        Output(Ids.SUMMARY, "children"),
        Output(Ids.RIVAL, "children"),
        Output(answer_state.Ids.BADGE, "children"),
        Output(answer_state.Ids.UNUSUAL, "children"),
        Input(answer_state.Ids.STATE, "data"),
        without=unknown,
    )
    def show_neighbours(state: Any) -> tuple[Any, ...]:
        seen = look(services, state)
        return (
            *neighbours(services, seen),
            second(services, seen),
            evidence.verdict(seen.familiarity),
            evidence.meter(seen.familiarity),
        )

    more_like.register(
        app, services, Ids.ALIKE, State(answer_state.Ids.STATE, "data"), lambda state: subject(services, state)
    )


def subject(services: Services, state: Any) -> more_like.Subject:
    """The picture of an answer's state, to look for its like; PreventUpdate without one. Raises as `look`."""
    run, image = answer_state.seen(state)
    answer = services.predictor.predict(run, image)
    return more_like.Subject(services.store.open(answer.run), answer.prepared.image, Selection())


def unknown(problem: Missing | Broken) -> tuple[Any, ...]:
    """Without reference features there is an answer, but no doubt about it: tiles, summary, rival, badge, meter."""
    return (
        no_update,
        no_update,
        no_update,
        None,
        [html.H3("How unusual is this picture?"), html.P(str(problem), className="faint small")],
    )


@dataclass(frozen=True)
class Seen:
    """Where a picture stands in the feature space, its answer once more, and the class held against that."""

    familiarity: Familiarity
    answer: Answer
    rival: explanations.Target


def look(services: Services, state: Any) -> Seen:
    """For the picture of an answer's state. Raises Missing or Broken."""
    run, image = answer_state.seen(state)
    answer = services.predictor.predict(run, image)
    target = explanations.targets(answer.probabilities, answer.classes, answer_state.truth_of(state))[1]
    return Seen(services.ood.familiarity(run, answer.prepared.image, rival=target.id), answer, target)


def second(services: Services, seen: Seen) -> list[Any]:
    """The nearest picture of the class that came second, and a warning where one is nearly the same picture."""
    run = seen.answer.run
    twin = services.ood.near_duplicate(run, seen.answer.prepared.image)
    return [
        *evidence.rival(services.store.open(run), seen.familiarity, seen.rival.id, seen.rival.role),
        *evidence.warning([("reference", *twin)] if twin else []),
    ]


def neighbours(services: Services, seen: Seen) -> tuple[list[Any], str]:
    """Tiles and their summary."""
    familiarity, again = seen.familiarity, seen.answer
    view = services.store.open(again.run)
    pictures = view.pictures("reference")
    ids = [int(i) for i in familiarity.neighbour_ids]
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
        for place, (example_id, label, distance) in enumerate(zip(ids, labels, familiarity.distances, strict=True))
    ]
    alike = sum(label == again.predicted for label in labels)
    twin = " The first one is the same picture to the network." if familiarity.distances[0] < 0.01 else ""
    train = view.dataset["counts"].get("train", len(ids))
    looked = f"{len(pictures.ids):,} of the {train:,}" if train > len(pictures.ids) else f"the {train:,}"
    summary = f"{alike} of {len(labels)} are labelled {again.label}.{twin} Found among {looked} training images."
    return tiles, summary
