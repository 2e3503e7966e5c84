"""The HTTP interface for programs, and the explanation pictures that pages show by address."""

import io
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import IO, Any

import numpy as np
import orjson
from flask import Flask, Response, abort, jsonify, request
from PIL import Image
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import parse_form_data

from dashboard.api import openapi
from dashboard.figures.overlay import heatmap_overlay
from dashboard.format.images import kept
from dashboard.records.rows import READ_ONLY, Declined
from dashboard.services import feedback
from dashboard.services.container import Services
from dashboard.services.explainer import EXPLAIN, NoExplanation
from dashboard.services.runs import UPLOAD_BYTES, Busy
from dashboard.services.uploads import API_BYTES, Picture, Refusal, allowed, data_url, decode, thumbnail
from dashboard.state.selection import Selection
from dashboard.web import rate_limits
from dashboard.web.errors import note
from dashboard.web.security import BATCH, BATCH_BYTES
from ml.artifacts.reader import Broken, Missing
from ml.images.preparation import MODES
from ml.images.upload_archives import FILES, UNPACKED
from ml.inference.batch import BatchAnswer
from ml.inference.engines import ENGINES

FIELDS = ("run", "top", "prepare", "engine")
BATCH_FIELDS = (*FIELDS, "seen")
FRAME_FIELDS = ("run", "overlay")
FRAME_BYTES = 2 * 10**6
EXPLAIN_FIELDS = ("run", "prepare", "target", "method", "layer", "as")
BATCH_WORDS = (
    f"A batch may have {FILES:,} files, {BATCH_BYTES // 10**6} MB as sent and {UNPACKED // 10**6} MB unpacked."
)
LINES = "application/x-ndjson"
BATCHES = threading.BoundedSemaphore(2)  # batches under way: each keeps what was sent in memory, and one of 8 threads
PATIENCE = 5.0  # seconds a batch waits for another
PIECE_BYTES = 262_144  # of one field that is not the picture; also the parser's buffer, which reads 64 kB at a time


class Unanswerable(ValueError):
    """A request that names its own mistake. status: HTTP, 4xx."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def register(server: Flask, services: Services) -> None:
    """Add POST /api/v1/predict, frame, batch and explain, GET and POST /api/v1/runs, GET /api/v1/openapi.json and
    GET /explanations/… to the server."""

    def told(answer: Callable[[], Response]) -> Response:
        try:
            return answer()
        except (Unanswerable, Refusal) as refusal:
            response, status = jsonify(error=str(refusal)), refusal.status
        except Missing as missing:
            hint = f" Try: {missing.command}" if missing.command else ""
            response, status = jsonify(error=f"{missing}{hint}"), 404
        except NoExplanation as none:
            response, status = jsonify(error=f"There is no such picture: {none}."), 404
        except Broken as broken:
            response, status = jsonify(error=str(broken)), 409
        response.status_code = status
        if status == 503:
            response.headers["Retry-After"] = "2"
        return response

    @server.post("/api/v1/predict")
    def api_predict() -> Response:
        return told(lambda: jsonify(predict(services)))

    @server.post("/api/v1/frame")
    def api_frame() -> Response:
        return told(lambda: jsonify(frame(services)))

    @server.post(BATCH)
    def api_batch() -> Response:
        return told(lambda: batch(services, rate_limits.spender(server)))

    @server.post("/api/v1/explain")
    def api_explain() -> Response:
        return told(lambda: explain(services))

    for path, field in (("predict", "image"), ("frame", "image"), ("batch", "files"), ("explain", "image")):
        server.add_url_rule(f"/api/v1/{path}", f"api_{path}_how", _how(field), methods=["GET"])

    @server.get("/api/v1/openapi.json")
    def api_described() -> Response:
        return jsonify(openapi.document())

    @server.get("/api/v1/runs")
    def api_runs() -> Response:
        return jsonify(runs(services))

    @server.post("/api/v1/runs")
    def api_take() -> tuple[Response, int]:
        try:
            return jsonify(take(services)), 201
        except Unanswerable as refusal:
            return jsonify(error=str(refusal)), refusal.status
        except Busy as busy:
            return jsonify(error=str(busy)), 503
        except Declined as declined:
            if declined.field != "name":
                return jsonify(error=str(declined)), 403 if services.read_only else 422
            return jsonify(error=str(declined), field="name", free=declined.free), 409

    @server.get("/explanations/warm")
    def warm() -> Response:
        services.warm(services.store.used(Selection.parse(request.query_string.decode("latin-1")).run))
        return Response(status=204)

    @server.get("/explanations/<run_id>/<split>/<int:example_id>.png")
    def explanation(run_id: str, split: str, example_id: int) -> Response:
        return _explanation(services, run_id, split, example_id)


def predict(services: Services) -> dict[str, Any]:
    """The answer to the current request; raises Unanswerable, Refusal, Missing or Broken."""
    content, fields = _form("image", (*FIELDS, "ticket"), API_BYTES, allowed(API_BYTES))
    if fields.get("ticket", "0") not in ("0", "1"):
        raise Unanswerable("ticket must be 0 or 1.")
    asked = _asked(services, fields)  # names the mistake before a picture is decoded
    picture = decode(content, limit=API_BYTES)
    answer = services.predictor.predict(
        asked["run"], picture.pixels, orientation=picture.orientation, mode=asked["prepare"], engine=asked["engine"]
    )
    services.monitor.saw(answer.run, answer.label, answer.confidence, answer.seconds, answer.prepared.image)
    told = {
        "run": answer.run,
        "label": answer.label,
        "confidence": answer.confidence,
        "top": [{"label": label, "probability": probability} for label, probability in answer.top(asked["top"])],
        "ms": round(1000 * answer.seconds, 2),
    }
    if fields.get("ticket") == "1":
        image = data_url(Picture(answer.prepared.image, 1, 0, 0))
        told["ticket"] = {"run": answer.run, "image": image, **feedback.ticket(services, answer, image)}
    return told


def frame(services: Services) -> dict[str, Any]:
    """The answer to one frame of a camera: prepared the quick way, not counted by the monitor, kept nowhere.

    Raises Unanswerable, Refusal, Missing or Broken.
    """
    content, fields = _form("image", FRAME_FIELDS, FRAME_BYTES, allowed(FRAME_BYTES))
    overlay = fields.pop("overlay", "0")
    if overlay not in ("0", "1"):
        raise Unanswerable("overlay must be 0 or 1.")
    asked = _asked(services, fields)
    picture = decode(content, limit=FRAME_BYTES)
    answer = services.predictor.glance(asked["run"], picture.pixels, orientation=picture.orientation)
    cam = None
    if overlay == "1":
        cam = services.explainer.glance(answer.run, answer.prepared.image, answer.predicted)
    height, width = picture.pixels.shape[:2][:: -1 if picture.orientation >= 5 else 1]  # upright, as the place has it
    shares = answer.prepared.place / np.array([[width], [height]])
    told = {
        "run": answer.run,
        "label": answer.label,
        "confidence": answer.confidence,
        "top": [{"label": label, "probability": probability} for label, probability in answer.top(asked["top"])],
        "ms": round(1000 * answer.seconds, 2),
        "height": answer.prepared.image.shape[0],
        "width": answer.prepared.image.shape[1],
        "place": [[round(float(value), 6) for value in row] for row in shares],
    }
    return told if cam is None else {**told, "overlay": thumbnail(heatmap_overlay(cam))}


def batch(services: Services, spend: Callable[[float], None]) -> Response:
    """One JSON line a file, written as they are answered, and a last one that counts them.

    spend: takes the client's tokens for each file. Raises Unanswerable, Missing or Broken before the first line.
    """
    if not BATCHES.acquire(timeout=PATIENCE):
        raise Unanswerable("Two batches are being read right now. Try again in a few seconds.", 503)
    once = threading.Lock()

    def free() -> None:
        if once.acquire(blocking=False):
            BATCHES.release()

    try:
        form, files = _parts(BATCH_BYTES, BATCH_WORDS, FILES + len(BATCH_FIELDS))
        _known(form, BATCH_FIELDS, "files")
        if set(files) - {"files"} or not files:
            raise Unanswerable(f"Send the files in a field named files, as often as there are files. {BATCH_WORDS}")
        asked, seen = _asked(services, form), form.get("seen", "0")
        if seen not in ("0", "1"):
            raise Unanswerable("seen must be 0 or 1.")
        sent = [(one.filename or "", one.stream) for one in files.getlist("files")][::-1]
        run_id, classes, said = services.predictor.answers(
            asked["run"], _popped(sent), mode=asked["prepare"], engine=asked["engine"]
        )
    except BaseException:
        free()
        raise
    lines = _lines(run_id, classes, _counted(services, run_id, classes, said), asked["top"], seen == "1", spend)
    response = Response(_then(lines, free), mimetype=LINES)
    response.call_on_close(free)  # where the client left before the first line
    return response


def _popped(sent: list[tuple[str, IO[bytes]]]) -> Iterator[tuple[str, IO[bytes]]]:
    """From the end, each forgotten here once it is handed on."""
    while sent:
        yield sent.pop()


def _counted(
    services: Services, run_id: str, classes: tuple[str, ...], said: Iterator[BatchAnswer]
) -> Iterator[BatchAnswer]:
    """The same answers, each of them seen by the monitor."""
    for one in said:
        if one.probabilities is not None:
            best = int(one.probabilities.argmax())
            services.monitor.saw(run_id, classes[best], float(one.probabilities[best]), one.seconds, one.image)
        yield one


def _then(lines: Iterator[bytes], after: Callable[[], None]) -> Iterator[bytes]:
    try:
        yield from lines
    finally:
        after()


def _lines(
    run_id: str,
    classes: tuple[str, ...],
    said: Iterator[BatchAnswer],
    top: int,
    seen: bool,
    spend: Callable[[float], None],
) -> Iterator[bytes]:
    began, answered, files = time.perf_counter(), 0, 0
    try:
        for one in said:
            files += 1
            answered += one.probabilities is not None
            spend(1.0)
            told = one.line(classes, top)
            if seen and one.image is not None:
                told["seen"] = thumbnail(one.image)
            yield orjson.dumps(told) + b"\n"
    except Exception as error:  # the status is on its way already: the last line must say it
        number = note(error, BATCH)
        yield orjson.dumps({"error": f"Something went wrong on the server; its log has it as {number}."}) + b"\n"
        return
    counted = {"files": files, "answered": answered, "refused": files - answered}
    yield orjson.dumps({"done": {"run": run_id, **counted, "seconds": round(time.perf_counter() - began, 3)}}) + b"\n"


def explain(services: Services) -> Response:
    """What spoke for a class in the picture of the current request, as a see-through PNG or as numbers.

    Raises Unanswerable, Refusal, Missing, Broken or NoExplanation.
    """
    content, fields = _form("image", EXPLAIN_FIELDS, API_BYTES, allowed(API_BYTES))
    method, form = fields.get("method", "grad-cam"), fields.get("as", "png")
    if method not in EXPLAIN:
        raise Unanswerable(f"method must be one of {', '.join(EXPLAIN)}.")
    if form not in ("png", "json"):
        raise Unanswerable("as must be png or json.")
    asked = _asked(services, fields)
    view = services.store.open(asked["run"])
    target, layer = fields.get("target") or None, fields.get("layer", "")
    if target is not None and target not in view.classes:
        raise Unanswerable(f"There is no class {target[:60]!r}; the classes are {', '.join(view.classes)}.")
    layers = [one["name"] for one in view.manifest.get("layers", [])]
    if layer and (layer not in layers or method != "grad-cam"):
        raise Unanswerable(f"layer goes with grad-cam and is one of {', '.join(layers)}.")
    picture = decode(content, limit=API_BYTES)
    answer = services.predictor.predict(
        view.run_id, picture.pixels, orientation=picture.orientation, mode=asked["prepare"]
    )
    chosen = answer.predicted if target is None else view.classes.index(target)
    try:
        if form == "png":
            found = services.explainer.explain(view.run_id, answer.prepared.image, chosen, method, layer=layer)
            headers = {"X-Target": str(chosen), "Cache-Control": "no-store"}
            return Response(overlay_png(found), mimetype="image/png", headers=headers)
        values = services.explainer.attribution(view.run_id, answer.prepared.image, chosen, method, layer=layer)
    except ValueError as error:
        if isinstance(error, Broken):
            raise
        raise Unanswerable(f"{str(error).rstrip('.').capitalize()}.") from None
    return jsonify(
        run=view.run_id,
        method=method,
        target=view.classes[chosen],
        probability=float(answer.probabilities[chosen]),
        label=answer.label,
        height=values.shape[0],
        width=values.shape[1],
        values=[[float(f"{value:.6g}") for value in row] for row in values.tolist()],
    )


def take(services: Services) -> dict[str, Any]:
    """Take in the run that the current request carries; raises Unanswerable, Declined."""
    if services.read_only:
        raise Declined(READ_ONLY)
    content, fields = _form("file", ("name",), UPLOAD_BYTES, f"A run may have up to {UPLOAD_BYTES // 10**6} MB.")
    taken = services.registry.take(content, fields.get("name") or None)
    return {"run": taken.run_id, "was": taken.was, "needs": taken.needs}


def runs(services: Services) -> dict[str, Any]:
    """Every run with what a program needs to choose one; broken ones with their reason."""
    listed, marks = [], services.store.marks()
    for entry in services.store.runs():
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
    return {"default": services.store.default_run(), "runs": listed}


def overlay_png(attribution: np.ndarray) -> bytes:
    """attribution: float32 [h, w] from 0 to 1 → an RGBA PNG of that size."""
    buffer = io.BytesIO()
    Image.fromarray(heatmap_overlay(attribution)).save(buffer, "PNG")
    return buffer.getvalue()


def _explanation(services: Services, run_id: str, split: str, example_id: int) -> Response:
    method = request.args.get("method", "grad-cam")
    try:
        view = services.store.open(run_id)
        if request.args.get("v", digest := view.picture_set[1]) != digest:
            abort(404, "These pictures were imported anew.")
        image = view.picture(split, example_id)
        target = request.args.get("target", "")
        if not target.isascii() or not target.isdigit() or int(target[:6]) >= len(view.classes):
            abort(404, "There is no such class.")
        layer = request.args.get("layer", "")
        attribution = services.explainer.explain(view.run_id, image, int(target), method, layer=layer)
    except NoExplanation as none:
        abort(404, f"There is no such picture: {none}.")
    except (Missing, Broken, ValueError):
        abort(404, "There is no such explanation.")
    return Response(overlay_png(attribution), mimetype="image/png", headers={"Cache-Control": kept()})


def _asked(services: Services, fields: dict[str, str]) -> dict[str, Any]:
    """run, top, prepare and engine of a request, checked. Raises Unanswerable, Missing or Broken."""
    prepare, engine = fields.get("prepare", "auto"), fields.get("engine", "torch")
    if prepare not in MODES:
        raise Unanswerable(f"prepare must be one of {', '.join(MODES)}.")
    if engine not in ENGINES:
        raise Unanswerable(f"engine must be one of {', '.join(ENGINES)}.")
    view = services.store.open(fields.get("run") or None)
    most = len(view.classes)
    top = _whole(fields["top"], most) if "top" in fields else min(3, most)
    return {"run": view.run_id, "prepare": prepare, "engine": engine, "top": top}


def _how(field: str) -> Callable[[], tuple[Response, int, dict[str, str]]]:
    """The answer to a GET: otherwise Dash's page for any path would come."""

    def how() -> tuple[Response, int, dict[str, str]]:
        what = "a picture" if field == "image" else "pictures"
        sentence = f"Send {what} by POST, as multipart/form-data in a field named {field}."
        return jsonify(error=sentence), 405, {"Allow": "POST"}

    return how


def _form(picked: str, known: Collection[str], limit: int, words: str) -> tuple[bytes, dict[str, str]]:
    """The file in the field `picked` and the text fields of the current request.

    known: what fields there are; limit: bytes of the body; words: what is allowed.
    """
    form, files = _parts(limit, words, 8, f"the file in a field named {picked}")
    file = files.get(picked)
    if file is None:
        raise Unanswerable(f"There is no file in the field {picked}. {words}")
    _known(form, known, picked)
    return file.stream.read(), form


def _known(form: dict[str, str], known: Collection[str], picked: str) -> None:
    for name in form:
        if name not in known:
            raise Unanswerable(f"There is no field {name[:40]!r}; known are {', '.join((picked, *known))}.")


def _parts(
    limit: int, words: str, most: int, what: str = "the files in a field named files"
) -> tuple[dict[str, str], MultiDict[str, FileStorage]]:
    """Text fields and files of the current request, kept in memory: Flask would put files over 500 kB on disk.

    limit: bytes of the body; words: what is allowed; most: parts of the form.
    """
    if request.mimetype != "multipart/form-data":
        raise Unanswerable(f"Send multipart/form-data with {what}.", 415)
    environ = {**request.environ, "wsgi.input": request.stream}
    try:
        _, form, files = parse_form_data(
            environ,
            stream_factory=lambda *_, **__: io.BytesIO(),
            max_form_memory_size=PIECE_BYTES,
            max_content_length=limit,
            max_form_parts=most,
        )
    except HTTPException as error:
        sentence = "The request is too large." if error.code == 413 else "The form could not be read."
        raise Unanswerable(f"{sentence} {words}", error.code or 400) from None
    return {name: form[name] for name in form}, files


def _whole(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise Unanswerable(f"top must be a whole number from 1 to {most}.")
    return int(text)
