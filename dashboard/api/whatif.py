"""POST /api/v1/whatif: a picture changed by hand, and what becomes of the answer. Nothing is kept or counted."""

import time
from typing import Any

from flask import Flask, Response, jsonify, request

from dashboard.exports import tables
from dashboard.figures.overlay import heatmap_overlay
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.explainer import NoExplanation
from dashboard.services.predictor import Edited
from ml.artifacts.reader import Broken, Missing
from ml.inference.engines import ENGINES

ROUTE = "/api/v1/whatif"
FIELDS = ("image", "edits", "run", "engine", "look")
IMAGE_BYTES = 1_000_000  # as a network sees it, or little more


class Unanswerable(ValueError):
    """A request that names its own mistake. status: HTTP, 4xx."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def register(server: Flask, services: Services) -> None:
    """Add the route."""

    @server.post(ROUTE)
    def what_if() -> Response:
        try:
            status, told = 200, answer(services)
        except (Unanswerable, uploads.Refusal) as refusal:
            status, told = refusal.status, {"error": str(refusal)}
        except Missing as missing:
            hint = f" Try: {missing.command}" if missing.command else ""
            status, told = 404, {"error": f"{missing}{hint}"}
        except Broken as broken:
            status, told = 409, {"error": str(broken)}
        response = jsonify(told)
        response.status_code = status
        response.headers["Cache-Control"] = "no-store"
        if status == 503:
            response.headers["Retry-After"] = "2"
        return response

    @server.get(ROUTE, endpoint="api_whatif_how")
    def how() -> tuple[Response, int, dict[str, str]]:
        words = f"Send JSON by POST: {', '.join(FIELDS)}."
        return jsonify(error=words), 405, {"Allow": "POST"}  # otherwise Dash's page for any path would come


def answer(services: Services) -> dict[str, Any]:
    """The answer to the current request. Raises Unanswerable, uploads.Refusal, Missing or Broken."""
    began = time.perf_counter()
    asked = _asked()
    picture = uploads.decode(uploads.from_data_url(asked["image"], limit=IMAGE_BYTES), limit=IMAGE_BYTES)
    try:
        found = services.predictor.edited(
            asked["run"] or None,
            picture.pixels,
            asked["edits"],
            orientation=picture.orientation,
            engine=asked["engine"],
        )
    except Broken:  # is a ValueError
        raise
    except ValueError as error:
        raise Unanswerable(str(error)) from None
    told = {
        "run": found.run,
        "edits": found.edits,
        "image": uploads.thumbnail(found.changed),
        "ground": found.ground,
        "classes": list(found.classes),
        "before": _rounded(found.before),
        "after": _rounded(found.after),
        "table": tables.carried(*table(found)),
        "ms": round(1000 * (time.perf_counter() - began), 2),
    }
    if asked["look"]:
        told["look"] = _look(services, found)
    return told


def table(found: Edited) -> tuple[list[str], list[list]]:
    """One row a class, in class order; probabilities as trained."""
    rows = [
        [name, float(before), float(after), float(after - before)]
        for name, before, after in zip(found.classes, found.before, found.after, strict=True)
    ]
    return ["class", "before", "after", "change"], rows


def _rounded(probabilities: Any) -> list[float]:
    return [round(float(one), 6) for one in probabilities]


def _look(services: Services, found: Edited) -> str:
    """Grad-CAM of the class that is likeliest after the changes, see-through; '' where the network has none."""
    try:
        return uploads.thumbnail(
            heatmap_overlay(services.explainer.explain(found.run, found.changed, int(found.after.argmax())))
        )
    except NoExplanation:
        return ""


def _asked() -> dict[str, Any]:
    """What the request says, checked. Raises Unanswerable."""
    if not request.is_json:
        raise Unanswerable(f"Send JSON: {', '.join(FIELDS)}.", 415)
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict) or not set(sent) <= set(FIELDS) or "image" not in sent:
        raise Unanswerable(f"Send an object with image, and as you like of {', '.join(FIELDS[1:])}.")
    asked = {"image": "", "edits": "", "run": "", "engine": "torch", "look": False, **sent}
    for name in FIELDS[:-1]:
        if not isinstance(asked[name], str):
            raise Unanswerable(f"{name} must be text.")
    if not isinstance(asked["look"], bool):
        raise Unanswerable("look must be true or false.")
    if asked["engine"] not in ENGINES:
        raise Unanswerable(f"engine must be one of {', '.join(ENGINES)}.")
    return asked
