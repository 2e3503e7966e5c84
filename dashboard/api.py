"""The HTTP interface for programs, and the explanation pictures that pages show by address."""

import io
from collections.abc import Collection
from typing import Any

import numpy as np
from flask import Flask, Response, abort, jsonify, request
from PIL import Image
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import parse_form_data

from dashboard.doors import Doors
from dashboard.figures.overlay import veil
from dashboard.predictor import MODES, Broken, Missing, NoExplanation
from dashboard.records import READ_ONLY, Declined
from dashboard.selection import Selection
from dashboard.shelf import UPLOAD_BYTES, Busy
from dashboard.uploads import API_BYTES, Refusal, allowed, decode

FIELDS = ("run", "top", "prepare")
PIECE_BYTES = 262_144  # of one field that is not the picture; also the parser's buffer, which reads 64 kB at a time
FOREVER = "public, max-age=31536000, immutable"  # a run's weights never change


class Unanswerable(ValueError):
    """A request that names its own mistake. status: HTTP, 4xx."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def register(server: Flask, doors: Doors) -> None:
    """Add POST /api/v1/predict, GET and POST /api/v1/runs and GET /explanations/… to the server."""

    @server.post("/api/v1/predict")
    def api_predict() -> tuple[Response, int]:
        try:
            return jsonify(predict(doors)), 200
        except (Unanswerable, Refusal) as refusal:
            return jsonify(error=str(refusal)), refusal.status
        except Missing as missing:
            return jsonify(error=str(missing)), 404
        except Broken as broken:
            return jsonify(error=str(broken)), 409

    @server.get("/api/v1/predict")
    def api_predict_how() -> tuple[Response, int, dict[str, str]]:
        sentence = "Send a picture by POST, as multipart/form-data in a field named image."
        return jsonify(error=sentence), 405, {"Allow": "POST"}  # otherwise Dash's page for any path would answer

    @server.get("/api/v1/runs")
    def api_runs() -> Response:
        return jsonify(runs(doors))

    @server.post("/api/v1/runs")
    def api_take() -> tuple[Response, int]:
        try:
            return jsonify(take(doors)), 201
        except Unanswerable as refusal:
            return jsonify(error=str(refusal)), refusal.status
        except Busy as busy:
            return jsonify(error=str(busy)), 503
        except Declined as declined:
            if declined.field != "name":
                return jsonify(error=str(declined)), 403 if doors.read_only else 422
            return jsonify(error=str(declined), field="name", free=declined.free), 409

    @server.get("/explanations/warm")
    def warm() -> Response:
        doors.predictor.warm(doors.store.used(Selection.parse(request.query_string.decode("latin-1")).run))
        return Response(status=204)

    @server.get("/explanations/<run_id>/<split>/<int:example_id>.png")
    def explanation(run_id: str, split: str, example_id: int) -> Response:
        return _explanation(doors, run_id, split, example_id)


def predict(doors: Doors) -> dict[str, Any]:
    """The answer to the current request; raises Unanswerable, Refusal, Missing or Broken."""
    content, fields = _form("image", FIELDS, API_BYTES, allowed(API_BYTES))
    run_id = fields.get("run") or None
    prepare = fields.get("prepare", "auto")
    if prepare not in MODES:
        raise Unanswerable(f"prepare must be one of {', '.join(MODES)}.")
    view = doors.store.open(run_id)  # names the mistake before a picture is decoded
    top = _whole(fields["top"], len(view.classes)) if "top" in fields else min(3, len(view.classes))
    picture = decode(content, limit=API_BYTES)
    answer = doors.predictor.predict(view.run_id, picture.pixels, orientation=picture.orientation, mode=prepare)
    doors.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    return {
        "run": answer.run,
        "label": answer.label,
        "confidence": answer.confidence,
        "top": [{"label": label, "probability": probability} for label, probability in answer.top(top)],
        "ms": round(1000 * answer.seconds, 2),
    }


def take(doors: Doors) -> dict[str, Any]:
    """Take in the run that the current request carries; raises Unanswerable, Declined."""
    if doors.read_only:
        raise Declined(READ_ONLY)
    content, fields = _form("file", ("name",), UPLOAD_BYTES, f"A run may have up to {UPLOAD_BYTES // 10**6} MB.")
    taken = doors.shelf.take(content, fields.get("name") or None)
    return {"run": taken.run_id, "was": taken.was, "needs": taken.needs}


def runs(doors: Doors) -> dict[str, Any]:
    """Every run with what a program needs to choose one; broken ones with their reason."""
    listed, marks = [], doors.store.marks()
    for entry in doors.store.runs():
        mark = marks.of(entry.run_id)
        if not entry.ok:
            listed.append({"run": entry.run_id, "ok": False, "reason": entry.reason})
            continue
        manifest, dataset = entry.manifest, entry.manifest["dataset"]
        results = {
            split: {"correct": found["correct"], "n": found["n"]}
            for split, found in manifest.get("results", {}).items()
        }
        listed.append(
            {
                "run": entry.run_id,
                "ok": True,
                "model": manifest["model"],
                "parameters": manifest["parameters"],
                "dataset": dataset["name"],
                "classes": dataset["classes"],
                "height": dataset["height"],
                "width": dataset["width"],
                "channels": dataset["channels"],
                "results": results,
                "created": manifest["created"],
                "title": mark.title,
                "tags": mark.tags,
                "note": mark.note,
                "archived": mark.archived,
            }
        )
    return {"default": doors.store.default_run(), "runs": listed}


def overlay_png(attribution: np.ndarray) -> bytes:
    """attribution: float32 [h, w] from 0 to 1 → an RGBA PNG of that size."""
    buffer = io.BytesIO()
    Image.fromarray(veil(attribution)).save(buffer, "PNG")
    return buffer.getvalue()


def _explanation(doors: Doors, run_id: str, split: str, example_id: int) -> Response:
    method = request.args.get("method", "grad-cam")
    try:
        view = doors.store.open(run_id)
        image = view.picture(split, example_id)
        target = request.args.get("target", "")
        if not target.isascii() or not target.isdigit() or int(target[:6]) >= len(view.classes):
            abort(404, "There is no such class.")
        layer = request.args.get("layer", "")
        attribution = doors.predictor.explain(
            view.run_id, image, int(target), method, layer=layer, key=(split, example_id)
        )
    except NoExplanation as none:
        abort(404, f"There is no such picture: {none}.")
    except (Missing, Broken, ValueError):
        abort(404, "There is no such explanation.")
    return Response(overlay_png(attribution), mimetype="image/png", headers={"Cache-Control": FOREVER})


def _form(picked: str, known: Collection[str], limit: int, words: str) -> tuple[bytes, dict[str, str]]:
    """The file in the field `picked` and the text fields of the current request, kept in memory: Flask would put files
    over 500 kB on disk. known: what fields there are; limit: bytes of the body; words: what is allowed."""
    if request.mimetype != "multipart/form-data":
        raise Unanswerable(f"Send multipart/form-data with the file in a field named {picked}.", 415)
    environ = {**request.environ, "wsgi.input": request.stream}
    try:
        _, form, files = parse_form_data(
            environ,
            stream_factory=lambda *_, **__: io.BytesIO(),
            max_form_memory_size=PIECE_BYTES,
            max_content_length=limit,
            max_form_parts=8,
        )
    except HTTPException as error:
        sentence = "The request is too large." if error.code == 413 else "The form could not be read."
        raise Unanswerable(f"{sentence} {words}", error.code or 400) from None
    file = files.get(picked)
    if file is None:
        raise Unanswerable(f"There is no file in the field {picked}. {words}")
    for name in form:
        if name not in known:
            raise Unanswerable(f"There is no field {name[:40]!r}; known are {', '.join((picked, *known))}.")
    return file.stream.read(), {name: form[name] for name in form}


def _whole(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise Unanswerable(f"top must be a whole number from 1 to {most}.")
    return int(text)
