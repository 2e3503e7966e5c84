"""POST /api/v1/predict and /api/v1/frame: what a picture shows, and what one frame of a camera shows, quickly."""

from typing import Annotated, Any

import numpy as np
from flask import Flask, Response, jsonify
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from dashboard.analysis import prediction_sets
from dashboard.api.openapi import FILE, Count, Milliseconds, Operation, Probability, Reply, ResponseModel
from dashboard.api.requests import DEFAULT_TOP, Asked, Choice, ComputeRequest, Flag, answer_get, form
from dashboard.figures.overlay import heatmap_overlay
from dashboard.services import feedback
from dashboard.services.container import Services
from dashboard.services.predictor import Answer as Predicted
from dashboard.services.uploads import data_url, thumbnail
from ml.images.decoding import FILE_BYTES, NAMES, Picture, allowed, decode
from ml.images.fitting import reading
from ml.inference.batch import familiarity

FRAME_BYTES = 2 * 10**6
MB = 10**6
IMAGE = {**FILE, "description": f"A file of {NAMES}, up to {FILE_BYTES // MB} MB."}
FRAME = {**FILE, "description": f"A file of {NAMES}, up to {FRAME_BYTES // MB} MB."}
FAILURES = (404, 409, 413, 415, 422, 503)


class Predict(Choice):
    ticket: Annotated[Flag, Field(description="1: send along what POST /api/v1/feedback needs.")] = "0"


class LiveFrame(ComputeRequest):
    run: Asked = ""
    overlay: Annotated[Flag, Field(description="1: send Grad-CAM's overlay along, where the network has one.")] = "0"


class Guess(ResponseModel):
    label: str = Field(description="A class.")
    probability: Probability


class Ticket(ResponseModel):
    run: str = Field(description="The run that answered.")
    prediction: str = Field(description="The server's mark that it gave this answer; empty where no feedback is taken.")
    said: str = Field(description="The answer.")
    confidence: str = Field(description="Its confidence, as the mark has it.")
    origin: str = Field(description="The data set's picture, as 'test 17'; empty for any other.")
    image: str = Field(description="The picture as the network saw it, a data URL.")


class Named(ResponseModel):
    """What every answer about a picture says first."""

    run: str = Field(description="The run that answered.")
    label: str = Field(description="The most likely class.")
    confidence: Probability
    top: list[Guess] = Field(min_length=1)
    ms: Milliseconds


class Familiarity(ResponseModel):
    """How unlike the training pictures it is; left out where the run or the engine cannot tell."""

    percentile: float = Field(ge=0, le=100, description="The share of validation pictures that are less unlike, in %.")
    unlike: bool = Field(description="Whether it is called unlike the training data: its label is then a guess.")


class LabelSet(ResponseModel):
    """Conformal prediction: the classes that it may be; left out where the run has no such sets."""

    level: int = Field(description="Of 100 such sets, how many hold the truth.")
    labels: list[str] = Field(description="Likeliest first; none where no class is likely enough.")


class Judged(Named):
    familiarity: Familiarity | SkipJsonSchema[None] = None


class AskedRun(ResponseModel):
    run: str = Field(description="A run that was asked.")
    dataset: str = Field(description="The data set that it learned from.")
    label: str = Field(description="Its most likely class.")
    confidence: Probability
    familiarity: Familiarity | SkipJsonSchema[None] = None


class Answer(Judged):
    calibrated: Probability | SkipJsonSchema[None] = None
    set: LabelSet | SkipJsonSchema[None] = None
    why: str = Field("", description="With run=auto: why this run answers; left out where there was no choice.")
    asked: list[AskedRun] = Field(
        default=[],
        description="With run=auto: what each run says, the one that answers first.",
    )
    ticket: Ticket | SkipJsonSchema[None] = None


Row = Annotated[list[float], Field(min_length=3, max_length=3)]


class Frame(Judged):
    height: Annotated[Count, Field(description="Of the picture as the network saw it.")]
    width: Annotated[Count, Field(description="Of the picture as the network saw it.")]
    place: list[Row] = Field(
        min_length=2,
        max_length=2,
        description="Where that picture lies in the frame: two rows that make of its point (x, y, 1), in pixels from "
        "the upper left corner, the point of the frame, in shares of width and height.",
    )
    overlay: str = Field(
        "", description="What spoke for the class, a see-through PNG of that picture's size as a data URL."
    )


OPERATIONS = (
    Operation(
        "/api/v1/predict", "post", "predict", "What a picture shows.",
        {200: Reply("The answer.", Answer)}, FAILURES, body=Predict, files={"image": IMAGE},
    ),
    Operation(
        "/api/v1/frame", "post", "frame", "What one frame of a camera shows, quickly.",
        {200: Reply("The answer.", Frame)}, FAILURES, body=LiveFrame, files={"image": FRAME},
        description="The thing is looked for in a coarser copy than predict does. Nothing is kept or counted.",
    ),
)  # fmt: skip


def register(server: Flask, services: Services) -> None:
    """Add both to the server."""

    @server.post("/api/v1/predict")
    def api_predict() -> Response:
        with services.store.moment:
            return jsonify(predict(services).json_value())

    @server.post("/api/v1/frame")
    def api_frame() -> Response:
        with services.store.moment:
            return jsonify(frame(services).json_value())

    for path in ("/api/v1/predict", "/api/v1/frame"):
        answer_get(server, path, "Send a picture by POST, as multipart/form-data in a field named image.")


def predict(services: Services) -> Answer:
    """The answer to the current request; counted by the monitor. Raises RequestError, Refusal, Missing or Broken."""
    fields, content = form(Predict, "image", FILE_BYTES, allowed(FILE_BYTES))
    run, top = fields.opened(services)  # names the mistake before a picture is decoded
    picture = decode(content, limit=FILE_BYTES, **reading(run.manifest["dataset"]))
    known: dict[str, Any] = {}
    if fields.routed:
        routed = services.router.route(picture.pixels, run.run_id, orientation=picture.orientation, mode=fields.prepare)
        other = services.store.open(routed.first.run_id)
        if reading(other.manifest["dataset"]) != reading(run.manifest["dataset"]):
            picture = decode(content, limit=FILE_BYTES, **reading(other.manifest["dataset"]))
        run, top = other, min(top, len(other.classes))
        known = routed.json_value() if len(routed.asked) > 1 else {}
    answer = services.predictor.predict(
        run.run_id, picture.pixels, orientation=picture.orientation, mode=fields.prepare, engine=fields.engine
    )
    services.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    known |= named(answer, top)
    if (sets := prediction_sets.told(run, int(fields.level))) is not None:
        known |= sets.json_value(answer.probabilities, run.classes)
    if fields.engine == "torch":
        known |= judged(services, answer)
    if fields.ticket == "0":
        return Answer(**known)
    image = data_url(Picture(answer.prepared.image, 1, 0, 0))
    ticket = Ticket(run=answer.run, image=image, **feedback.ticket(services, answer, image))
    return Answer(**known, ticket=ticket)


def frame(services: Services) -> Frame:
    """The answer to one frame of a camera: prepared the quick way, not counted by the monitor, kept nowhere.

    Raises RequestError, Refusal, Missing or Broken.
    """
    fields, content = form(LiveFrame, "image", FRAME_BYTES, allowed(FRAME_BYTES))
    chosen = services.router.wanted(fields.run)
    run = services.store.open(services.router.shown(fields.run) if chosen else fields.run or None)
    picture = decode(content, limit=FRAME_BYTES, **reading(run.manifest["dataset"]))
    if chosen:
        run = services.store.open(services.router.glance(picture.pixels, run.run_id, orientation=picture.orientation))
    answer = services.predictor.glance(run.run_id, picture.pixels, orientation=picture.orientation)
    height, width = picture.pixels.shape[:2][:: -1 if picture.orientation >= 5 else 1]  # upright, as the place has it
    place = answer.prepared.place / np.array([[width], [height]])
    overlay = {}
    if fields.overlay == "1":
        attribution = services.explainer.glance(answer.run, answer.prepared.image, answer.predicted)
        overlay = {} if attribution is None else {"overlay": thumbnail(heatmap_overlay(attribution))}
    return Frame(
        **named(answer, min(DEFAULT_TOP, len(run.classes))),
        **judged(services, answer),
        height=answer.prepared.image.shape[0],
        width=answer.prepared.image.shape[1],
        place=[[round(float(value), 6) for value in row] for row in place],
        **overlay,
    )


def named(answer: Predicted, top: int) -> dict[str, Any]:
    """The fields of Named. top: how many classes are named."""
    guesses = [Guess(label=label, probability=probability) for label, probability in answer.top(top)]
    return {
        "run": answer.run, "label": answer.label, "confidence": answer.confidence, "top": guesses,
        "ms": round(1000 * answer.seconds, 2),
    }  # fmt: skip


def judged(services: Services, answer: Predicted) -> dict[str, Any]:
    """The fields of Judged that Named has not; none where the run cannot tell."""
    percentile = services.ood.percentile(answer.run, answer.output)
    return {} if percentile is None else {"familiarity": Familiarity(**familiarity(percentile))}
