"""The same picture in every plausible preparation, with the uncalibrated confidence; choose one to see it above."""

from collections import Counter
from enum import StrEnum
from typing import Any

from dash import Dash, Input, html

from dashboard.components import card, csv_link, dot, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import Source, csv_data_url
from dashboard.format.numbers import percent
from dashboard.pages.prediction import answer_state, on_demand, request
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.images.preparation_variants import USUAL, Agreement, Variant

NEEDS = ("network",)


class Ids(StrEnum):
    CARD = "prediction-variants-card"
    FACE = "prediction-variants-face"
    LAZY_STATE = "prediction-variants-asked"
    SUMMARY = "prediction-variants-summary"
    TILES = "prediction-variants-tiles"
    CSV = "prediction-variants-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """One tile a way; choosing it shows the page as it is with that preparation."""
    body = [
        slot(Ids.FACE, "Preparing the picture in other ways"),
        plain.place(Ids.SUMMARY, "p", className="summary", role="status"),
        plain.place(Ids.TILES, className="variants"),
        *on_demand.layout(Ids.LAZY_STATE),
    ]
    return card("Prepared differently", __doc__, body, tools=plain.place(Ids.CSV), id=Ids.CARD)


def register(app: Dash, services: Services) -> None:
    """All ways in one batch, once the card is near."""
    on_demand.register(app, Ids.LAZY_STATE, Ids.CARD, answer_state.Ids.STATE)

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.SUMMARY),
        plain.children(Ids.TILES),
        plain.children(Ids.CSV),
        Input(Ids.LAZY_STATE, "data"),
        *request.states(),
        prevent_initial_call=True,
    )
    def list_variants(_: Any, search: Any, *values: Any) -> tuple[Any, Any, Any]:
        return drawn(services, request.again(services, search, *values))


def drawn(services: Services, question: request.Question | None) -> tuple[Any, Any, Any]:
    """Summary, tiles and their CSV; nothing without a picture. Raises Missing, Broken or uploads.Refusal."""
    if question is None:
        return None, [], None
    agreement = services.predictor.agreement(
        question.run.run_id, question.image, orientation=question.orientation, **question.options
    )
    classes = question.run.classes
    chosen = question.way if any(one.name == question.way for one in agreement.variants) else USUAL
    tiles = [tile(one, classes, current=one.name == chosen) for one in agreement.variants]
    rows = [[one.name, one.title, classes[one.predicted], *map(float, one.probabilities)] for one in agreement.variants]
    table = csv_data_url(
        ["way", "prepared", "label", *(f"p_{name}" for name in classes)], rows, Source.of(question.run)
    )
    return summary(agreement, classes), tiles, csv_link(table, name="preparations.csv")


def summary(agreement: Agreement, classes: list[str]) -> str:
    """How many ways lead to the class that the usual one leads to. They are all there are, no sample: no interval."""
    label = classes[agreement.variants[0].predicted]
    if agreement.n == 1:
        return f"There is one plausible way only, and it leads to {label}."
    moved = f"At most {percent(agreement.distance)} % of the probability moves."
    if agreement.same == agreement.n:
        return f"All {agreement.n} ways lead to {label}. {moved}"
    others = Counter(one.predicted for one in agreement.variants if one.predicted != agreement.variants[0].predicted)
    rest = ", ".join(f"{classes[i]} ({n})" for i, n in others.most_common())
    return f"{agreement.same} of {agreement.n} ways lead to {label}, the others to {rest}. {moved}"


def tile(one: Variant, classes: list[str], *, current: bool) -> dict:
    """A way as a button: its picture, its answer, what is other about it."""
    share = f"{percent(float(one.probabilities[one.predicted]))} %"
    return plain.element(
        "Button",
        [
            plain.element("Img", src=uploads.thumbnail(one.prepared.image), alt="", className="crisp"),
            plain.element(
                "Span",
                [dot(one.predicted), plain.element("Span", classes[one.predicted]), plain.element("B", share)],
                className="l1",
            ),
            plain.element("Span", one.title, className="l2"),
        ],
        type="button",
        className="tile",
        **{"data-way": one.name, "aria-current": str(current).lower()},
    )
