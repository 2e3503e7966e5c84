"""POST /api/v1/whatif: a picture changed by hand, and what becomes of the answer. Nothing is kept or counted."""

import time
from collections.abc import Iterable
from typing import Annotated

from flask import Flask, Response, jsonify
from pydantic import Field

from dashboard.api.openapi import Operation, Probability, Reply, ResponseModel
from dashboard.api.predict import FAILURES
from dashboard.api.requests import ComputeRequest, Engine, RunId, answer_get, body
from dashboard.figures.overlay import heatmap_overlay
from dashboard.format.csv import Source, csv_data_url
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation
from dashboard.services.predictor import Edited
from dashboard.web.errors import RequestError
from ml.artifacts.reader import Broken

PATH = "/api/v1/whatif"
IMAGE_BYTES = 1_000_000  # as a network sees it, or little more


class Change(ComputeRequest):
    WHOLE = "Send an object with image, and as you like of edits, run, engine, look."

    image: str = Field(description="A picture as a data URL; one that has not the network's form is prepared first.")
    edits: Annotated[
        str,
        Field(
            description="What is changed, in this order, as docs/preparation.md has it: rot:15,shift:2:-1,blur:0.8",
            json_schema_extra={"maxLength": 4000},  # its own reader says in words what is too long
        ),
    ] = ""
    run: RunId = ""
    engine: Engine = "torch"
    look: bool = Field(False, description="Send Grad-CAM of the answer after the changes along.")


class Whatif(ResponseModel):
    run: str = Field(description="The run that answered.")
    edits: str = Field(description="What was changed.")
    image: str = Field(description="The picture after it, of the network's form, a data URL.")
    ground: int = Field(ge=0, le=255, description="What comes in from outside.")
    classes: list[str]
    before: list[Probability] = Field(description="Probabilities as trained, in class order.")
    after: list[Probability] = Field(description="The same after the changes.")
    table: str = Field(description="Both as CSV, a data URL.")
    ms: float = Field(ge=0)
    look: str = Field("", description="See-through, a data URL; empty where the network has no convolution.")


OPERATIONS = (
    Operation(
        PATH,
        "post",
        "whatif",
        "What becomes of the answer when a picture is changed by hand.",
        {200: Reply("Both answers.", Whatif)},
        FAILURES,
        body=Change,
    ),
)


def register(server: Flask, services: Services) -> None:
    """Add the route."""

    @server.post(PATH)
    def what_if() -> Response:
        response = jsonify(answer(services).json_value())
        response.headers["Cache-Control"] = "no-store"
        return response

    answer_get(server, PATH, f"Send JSON by POST: {', '.join(Change.model_fields)}.")


def answer(services: Services) -> Whatif:
    """The answer to the current request. Raises RequestError, Refusal, Missing or Broken."""
    began = time.perf_counter()
    fields = body(Change)
    picture = uploads.decode(uploads.from_data_url(fields.image, limit=IMAGE_BYTES), limit=IMAGE_BYTES)
    try:
        edited = services.predictor.edited(
            fields.run or None,
            picture.pixels,
            fields.edits,
            orientation=picture.orientation,
            engine=fields.engine,
        )
    except Broken:  # is a ValueError
        raise
    except ValueError as error:
        raise RequestError(400, str(error)) from None
    look = {"look": _look(services, edited)} if fields.look else {}
    return Whatif(
        run=edited.run,
        edits=edited.edits,
        image=uploads.data_url(uploads.Picture(edited.changed, 1, 0, 0)),  # it is drawn on, saved and asked about
        ground=edited.ground,
        classes=list(edited.classes),
        before=_rounded(edited.before),
        after=_rounded(edited.after),
        table=csv_data_url(*table(edited), Source.of(services.store.open(edited.run))),
        ms=round(1000 * (time.perf_counter() - began), 2),
        **look,
    )


def table(edited: Edited) -> tuple[list[str], list[list]]:
    """One row a class, in class order; probabilities as trained."""
    rows = [
        [name, float(before), float(after), float(after - before)]
        for name, before, after in zip(edited.classes, edited.before, edited.after, strict=True)
    ]
    return ["class", "before", "after", "change"], rows


def _rounded(probabilities: Iterable[float]) -> list[float]:
    return [round(float(one), 6) for one in probabilities]


def _look(services: Services, edited: Edited) -> str:
    """Grad-CAM of the class that is likeliest after the changes, see-through; '' where the network has none."""
    try:
        attribution = services.explainer.explain(edited.run, edited.changed, int(edited.after.argmax()))
    except NoExplanation:
        return ""
    return uploads.thumbnail(heatmap_overlay(attribution))
