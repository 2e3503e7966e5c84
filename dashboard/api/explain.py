"""POST /api/v1/explain, what in a picture spoke for a class; and the pictures of it that pages show by address."""

import io
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from flask import Flask, Response, jsonify, request
from PIL import Image
from pydantic import Field

from dashboard.api.images import current, kept
from dashboard.api.openapi import Count, Operation, Probability, Reply, ResponseModel
from dashboard.api.predict import FAILURES, IMAGE
from dashboard.api.requests import ComputeRequest, OneOf, Prepare, RunId, answer_get, form, selection
from dashboard.figures.overlay import heatmap_overlay
from dashboard.services.container import Services
from dashboard.services.explainer import EXPLAIN
from dashboard.web.errors import RequestError
from ml.artifacts.reader import Broken
from ml.images.decoding import FILE_BYTES, allowed, decode
from ml.images.fitting import reading

PATH = "/api/v1/explain"
Method = Annotated[str, OneOf(EXPLAIN)]


class Explain(ComputeRequest):
    run: RunId = ""
    prepare: Prepare = "auto"
    target: str = Field("", description="A class by name; the most likely one when left out.")
    method: Annotated[Method, Field(description="How to ask; grad-cam when left out.")] = "grad-cam"
    layer: str = Field("", description="Grad-CAM only: the layer it looks at, as the run's manifest names it.")
    form: Annotated[
        str,
        OneOf(("png", "json")),
        Field(alias="as", description="png: an overlay of the network's size; json: the numbers."),
    ] = "png"


class Attribution(ResponseModel):
    run: str = Field(description="The run that was asked.")
    method: Annotated[Method, Field(description="How it was asked.")]
    target: str = Field(description="The class that was asked about.")
    probability: Annotated[Probability, Field(description="Of that class.")]
    label: str = Field(description="The most likely class.")
    height: Count
    width: Count
    values: list[list[float]] = Field(
        description="height rows of width numbers, in the method's own unit: what spoke for the class (above zero) "
        "and against it."
    )


OPERATIONS = (
    Operation(
        PATH,
        "post",
        "explain",
        "What in a picture spoke for a class.",
        {
            200: Reply(
                "The overlay, or the numbers.",
                Attribution,
                also={"image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}}},
                headers={"X-Target": {"schema": {"type": "string"}, "description": "With a PNG: the class, from 0."}},
            )
        },
        FAILURES,
        body=Explain,
        files={"image": IMAGE},
    ),
)


def register(server: Flask, services: Services) -> None:
    """Add POST /api/v1/explain and GET /explanations/… to the server."""

    @server.post(PATH)
    def api_explain() -> Response:
        return explain(services)

    answer_get(server, PATH, "Send a picture by POST, as multipart/form-data in a field named image.")

    @server.get("/explanations/warm")
    def warm() -> Response:
        services.warm(services.store.used(selection().run))
        return Response(status=204)

    @server.get("/explanations/<run_id>/<split>/<int:example_id>.png")
    def explanation(run_id: str, split: str, example_id: int) -> Response:
        return picture(services, run_id, split, example_id)


def explain(services: Services) -> Response:
    """What spoke for a class in the picture of the current request, as a see-through PNG or as numbers.

    Raises RequestError, Refusal, Missing, Broken or NoExplanation.
    """
    fields, content = form(Explain, "image", FILE_BYTES, allowed(FILE_BYTES))
    run = services.store.open(fields.run or None)
    if fields.target and fields.target not in run.classes:
        raise RequestError(400, f"There is no class {fields.target[:60]!r}; the classes are {', '.join(run.classes)}.")
    layers = [one["name"] for one in run.manifest.get("layers", [])]
    if fields.layer and (fields.layer not in layers or fields.method != "grad-cam"):
        raise RequestError(400, f"layer goes with grad-cam and is one of {', '.join(layers)}.")
    picture = decode(content, limit=FILE_BYTES, **reading(run.manifest["dataset"]))
    answer = services.predictor.predict(
        run.run_id, picture.pixels, orientation=picture.orientation, mode=fields.prepare
    )
    target = run.classes.index(fields.target) if fields.target else answer.predicted
    image = answer.prepared.image
    try:
        if fields.form == "png":
            shown = services.explainer.explain(run.run_id, image, target, fields.method, layer=fields.layer)
            headers = {"X-Target": str(target), "Cache-Control": "no-store"}
            return Response(overlay_png(shown), mimetype="image/png", headers=headers)
        values = services.explainer.attribution(run.run_id, image, target, fields.method, layer=fields.layer)
    except Broken:  # is a ValueError
        raise
    except ValueError as error:
        raise RequestError(400, f"{str(error).rstrip('.').capitalize()}.") from None
    numbers = Attribution(
        run=run.run_id,
        method=fields.method,
        target=run.classes[target],
        probability=float(answer.probabilities[target]),
        label=answer.label,
        height=values.shape[0],
        width=values.shape[1],
        values=[[float(f"{value:.6g}") for value in row] for row in values.tolist()],
    )
    return jsonify(numbers.json_value())


def overlay_png(attribution: np.ndarray) -> bytes:
    """attribution: float32 [h, w] from 0 to 1 → an RGBA PNG of that size."""
    buffer = io.BytesIO()
    Image.fromarray(heatmap_overlay(attribution)).save(buffer, "PNG")
    return buffer.getvalue()


def picture(services: Services, run_id: str, split: str, example_id: int) -> Response:
    """The overlay of one example of a run, for the class, method and layer of the address; beside: another class that
    will be asked about as well, which a method of SHARED does at once.

    A run's weights never change, so neither does the picture. Raises RequestError, Missing, Broken, NoExplanation.
    """
    run = services.store.open(run_id)
    current(run.picture_set[1])
    image = run.picture(split, example_id)
    target, beside = (named(run.classes, name) for name in ("target", "beside"))
    if target is None:
        raise RequestError(404, "There is no such class.")
    method, layer = request.args.get("method", "grad-cam"), request.args.get("layer", "")
    both = sorted({target, target if beside is None else beside})  # the same for both, so that one asks for both
    try:
        maps = services.explainer.together(run.run_id, image, both, method, layer=layer)
    except Broken:  # is a ValueError
        raise
    except ValueError:
        raise RequestError(404, "There is no such explanation.") from None
    attribution = maps[both.index(target)]
    return Response(overlay_png(attribution), mimetype="image/png", headers={"Cache-Control": kept()})


def named(classes: Sequence[str], name: str) -> int | None:
    """The class of a query of the address by its number, None where it names none. Raises RequestError."""
    value = request.args.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 6 or int(value) >= len(classes):
        raise RequestError(404, "There is no such class.")
    return int(value)
