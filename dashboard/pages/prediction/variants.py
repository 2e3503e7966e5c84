"""The same picture in every plausible preparation, with the uncalibrated confidence; choose one to see it above."""

from collections import Counter
from enum import StrEnum
from typing import Any

from dash import Dash, Input, html

from dashboard.components import card, csv_link, dot, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.format.csv import csv_data_url
from dashboard.format.numbers import percent
from dashboard.pages.prediction import answer_state, request
from dashboard.pages.prediction import on_demand as asked
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.images.preparation_variants import USUAL, Agreement, Variant


class Ids(StrEnum):
    CARD = "prediction-variants-card"
    FACE = "prediction-variants-face"
    ASKED = "prediction-variants-asked"
    SUMMARY = "prediction-variants-summary"
    TILES = "prediction-variants-tiles"
    CSV = "prediction-variants-csv"


def layout(services: Services, selection: Selection) -> html.Article:
    """One tile a way; choosing it shows the page as it is with that preparation."""
    body = [
        slot(Ids.FACE, "Preparing the picture in other ways"),
        plain.place(Ids.SUMMARY, "p", className="summary", role="status"),
        plain.place(Ids.TILES, className="variants"),
        *asked.layout(Ids.ASKED),
    ]
    return card("Prepared differently", __doc__, body, tools=plain.place(Ids.CSV), id=Ids.CARD)


def register(app: Dash, services: Services) -> None:
    """All ways in one batch, once the card is near."""
    asked.register(app, Ids.ASKED, Ids.CARD, answer_state.Ids.STATE)

    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.SUMMARY),
        plain.children(Ids.TILES),
        plain.children(Ids.CSV),
        Input(Ids.ASKED, "data"),
        *request.states(),
        prevent_initial_call=True,
    )
    def list_variants(_: Any, search: Any, *values: Any) -> tuple[Any, Any, Any]:
        return drawn(services, request.again(services, search, *values))


def drawn(services: Services, asked: request.Question | None) -> tuple[Any, Any, Any]:
    """Summary, tiles and their CSV; nothing without a picture. Raises Missing, Broken or uploads.Refusal."""
    if asked is None:
        return None, [], None
    found = services.predictor.agreement(asked.run.run_id, asked.image, orientation=asked.orientation, **asked.options)
    classes = asked.run.classes
    chosen = asked.way if any(one.name == asked.way for one in found.variants) else USUAL
    tiles = [tile(one, classes, current=one.name == chosen) for one in found.variants]
    rows = [[one.name, one.title, classes[one.predicted], *map(float, one.probabilities)] for one in found.variants]
    table = csv_data_url(["way", "prepared", "label", *(f"p_{name}" for name in classes)], rows)
    return summary(found, classes), tiles, csv_link(table, name="preparations.csv")


def summary(found: Agreement, classes: list[str]) -> str:
    """How many ways lead to the class that the usual one leads to. They are all there are, no sample: no interval."""
    label = classes[found.variants[0].predicted]
    if found.n == 1:
        return f"There is one plausible way only, and it leads to {label}."
    moved = f"At most {percent(found.distance)} % of the probability moves."
    if found.same == found.n:
        return f"All {found.n} ways lead to {label}. {moved}"
    others = Counter(one.predicted for one in found.variants if one.predicted != found.variants[0].predicted)
    rest = ", ".join(f"{classes[i]} ({n})" for i, n in others.most_common())
    return f"{found.same} of {found.n} ways lead to {label}, the others to {rest}. {moved}"


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
