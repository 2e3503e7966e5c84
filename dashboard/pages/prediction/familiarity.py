"""The training pictures that the network finds most like this one."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, html

from dashboard.components import badge, card, dot
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.pages.prediction import answer
from dashboard.pictures import sprite_url, tile_style
from dashboard.predictor import LIMIT, Answer, Broken, Familiarity, Missing


class Ids(StrEnum):
    FACE = "prediction-neighbours-face"
    GRID = "prediction-neighbours-grid"
    SUMMARY = "prediction-neighbours-summary"
    NOTE = "prediction-familiarity-note"


def layout() -> html.Article:
    """Ten nearest reference pictures, nearest first."""
    body = [
        slot(Ids.FACE),
        html.P(id=Ids.SUMMARY, className="small summary"),
        html.Ul(id=Ids.GRID, className="nearest"),
    ]
    return card("Nearest training images", __doc__ or "", body)


def register(app: Dash, doors: Doors) -> None:
    """Neighbours; meter and badge."""

    @panel_callback(
        app, Ids.FACE, Output(Ids.GRID, "children"), Output(Ids.SUMMARY, "children"), Input(answer.Ids.STATE, "data")
    )
    def list_neighbours(state: Any) -> tuple[Any, Any]:
        return neighbours(doors, state)

    @app.callback(
        Output(answer.Ids.BADGE, "children"), Output(answer.Ids.UNUSUAL, "children"), Input(answer.Ids.STATE, "data")
    )
    def show_familiarity(state: Any) -> tuple[Any, Any]:
        try:
            found, _ = look(doors, state)
        except (Missing, Broken) as problem:  # without reference features there is an answer but no doubt about it
            return None, [html.H3("How unusual is this picture?"), html.P(str(problem), className="faint small")]
        return verdict(found), meter(found)


def look(doors: Doors, state: Any) -> tuple[Familiarity, Answer]:
    """Where the picture of an answer's state stands, and the answer once more. Raises Missing or Broken."""
    run, image = answer.seen(state)
    again = doors.predictor.predict(run, image)
    return doors.predictor.familiarity(run, again.prepared.image), again


def neighbours(doors: Doors, state: Any) -> tuple[list[Any], str]:
    """Tiles and their summary."""
    found, again = look(doors, state)
    view = doors.store.open(again.run)
    pictures = view.pictures("reference")
    ids = [int(i) for i in found.neighbour_ids]
    labels = [int(pictures.labels[pictures.row(i)]) for i in ids]
    height, width = pictures.images.shape[1:3]
    url = sprite_url(view.dataset["name"], "reference", ids)
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


def verdict(found: Familiarity) -> html.Span:
    """One badge, in words."""
    return badge("Unlike the training data", "warn") if found.unlike else badge("Looks like the training data", "good")


def meter(found: Familiarity) -> list[Any]:
    """Where this picture's distance stands among the validation pictures'."""
    place = f"{found.percentile:.0f}"
    words = (
        f"Further from the training pictures than {place} % of {found.n:,} validation images "
        f"(mean distance of the five nearest: {found.score:.2f})."
    )
    advice = (
        " Past 95 % the answer is a guess about something the network was not made for."
        if found.unlike
        else f" Past {LIMIT:.0f} % the badge says so."
    )
    return [
        html.H3("How unusual is this picture?"),
        html.Div(
            [
                html.I(style={"left": f"{min(max(found.percentile, 0.5), 99.5):.1f}%"}),
                html.U(style={"left": f"{LIMIT:.0f}%"}),
            ],
            className="meter",
            role="img",
            **{"aria-label": f"{place} of 100"},
        ),
        html.P(words + advice, className="faint small"),
    ]
