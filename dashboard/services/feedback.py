"""What people say of answers, from the page to the rows and out again: checks, pictures, CSV, archive, lessons."""

import csv
import hashlib
import io
import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from flask import Flask, Response, abort, jsonify, request, stream_with_context
from PIL import Image, ImageOps

from dashboard.data.run import RunData
from dashboard.exports.tables import guard
from dashboard.format.proportion import Proportion
from dashboard.records.feedback import KEY, NOTE, STATES, Filter, Item
from dashboard.records.rows import CLOSED, READ_ONLY, Declined
from dashboard.services import uploads
from dashboard.services.container import Services
from dashboard.services.predictor import Answer
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.data.feedback import CLIENT
from ml.jobs.tables import Job

ROUTE = "/api/v1/feedback"
COOKIE = "fashion_client"
COOKIE_SECONDS = 31_536_000
LOSS = 0.5  # points of validation accuracy that a candidate may lose and still be proposed
PIECE = 64 * 2**10  # bytes of an archive sent at a time
COLUMNS = (
    "number", "when", "run", "dataset", "answer", "confidence", "right", "label", "note", "state", "client", "origin",
    "picture", "as sent",
)  # fmt: skip
STRANGE = "This is no answer that this server gave to this picture: ask again, then judge the new answer."
PRIVATE = "A read-only server shows no feedback."


def ticket(services: Services, answer: Answer, image: str, *, sent: str = "", origin: str = "") -> dict[str, Any]:
    """What a page needs to send a judgement of an answer later: answer, confidence, origin, and the server's mark.

    image, sent: the picture as the network saw it and as it came, as data URLs; origin: the data set's picture, as
    'test 17'. The mark is '' where no feedback is taken.
    """
    said, confidence = answer.label, f"{answer.confidence:.6f}"
    taken = not services.read_only and services.feedback.folder is not None
    if not taken:
        return {"said": said, "confidence": confidence, "origin": origin, "prediction": ""}
    mark = services.feedback.signature(*_signed(answer.run, said, confidence, image, sent, origin))
    return {"said": said, "confidence": confidence, "origin": origin, "prediction": mark}


def _signed(run: str, said: str, confidence: str, image: str, sent: str, origin: str) -> list[str]:
    return [run, said, confidence, *(hashlib.sha256(one.encode()).hexdigest() for one in (image, sent)), origin]


def give(services: Services, asked: object, client: str) -> tuple[Item, bool]:
    """Keep the judgement that a request carries; the row, and whether it is new. On the disk when this returns.

    Raises Declined, Refusal, Missing, Broken.
    """
    if services.read_only:
        raise Declined(READ_ONLY)
    if not isinstance(asked, dict):
        raise Declined("Send an object: key, run, prediction, said, confidence, origin, image, sent, label, note.")
    names = ("key", "run", "prediction", "said", "confidence", "label")
    words = {name: asked.get(name) for name in (*names, "image")}
    if not all(isinstance(value, str) for value in words.values()):
        raise Declined(f"Words are needed in {', '.join(words)}.")
    sent, origin, note = ("" if asked.get(name) is None else asked[name] for name in ("sent", "origin", "note"))
    if not (isinstance(sent, str) and isinstance(origin, str) and len(origin) <= 40):
        raise Declined(STRANGE)
    note = " ".join(note.split()) if isinstance(note, str) else None
    if note is None or len(note) > NOTE or not note.isprintable():
        raise Declined(f"Note: at most {NOTE} characters that can be shown.", "note")
    if not KEY.fullmatch(str(words["key"])):
        raise Declined("Key: 32 digits and letters a to f, new for each answer.")
    run = services.store.open(words["run"] or "-")
    if words["label"] not in run.classes:
        raise Declined(f"Label: one of {', '.join(run.classes)}.", "label")
    said, confidence, image = (str(words[name]) for name in ("said", "confidence", "image"))
    parts = _signed(run.run_id, said, confidence, image, sent, origin)
    if not services.feedback.signed(words["prediction"], *parts):
        raise Declined(STRANGE if services.feedback.readable() else CLOSED)
    seen = uploads.decode(uploads.from_data_url(words["image"])).pixels
    return services.feedback.give(
        key=str(words["key"]), run=run.run_id, dataset=run.dataset["name"], said=str(words["said"]),
        confidence=float(str(words["confidence"])), label=str(words["label"]), note=note, client=client,
        picture=_png(seen), sent=_upright(sent) if sent else None, origin=origin,
    )  # fmt: skip


def _png(pixels: np.ndarray) -> bytes:
    """uint8 [h, w, 1 or 3]"""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _upright(sent: str) -> bytes:
    """A picture as it came, at most 768 pixels a side, turned as its EXIF says and without any of that. PNG."""
    picture = uploads.decode(uploads.from_data_url(sent))
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.pixels.shape[2] == 1 else picture.pixels)
    image.getexif()[uploads.ORIENTATION] = picture.orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    return _png(turned[:, :, None] if turned.ndim == 2 else turned)


def filtered(selection: Selection) -> Filter:
    """What the address says of the inbox."""
    return Filter(selection.state or "", selection.run or "", selection.true, selection.text or "")


# ---- out as a table and as an archive


def table(items: Sequence[Item]) -> Iterator[list[object]]:
    """Head and one row an answer; no cell is a formula. A client is a number that means nothing outside this table."""
    clients: dict[str, int] = {}
    yield list(COLUMNS)
    for one in items:
        who = clients.setdefault(one.client, len(clients) + 1)
        when = datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        files = [f"pictures/{one.number}.png", f"pictures/{one.number}-sent.png" if one.sent else ""]
        row = [one.number, when, one.run, one.dataset, one.said, f"{one.confidence:.6f}", "yes" if one.right else "no"]
        yield [guard(cell) for cell in [*row, one.label, one.note, one.state, f"client {who}", one.origin, *files]]


def text_of(items: Sequence[Item]) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(table(items))
    return text.getvalue()


# ---- what a training may learn from


@dataclass(frozen=True)
class Lessons:
    """What of the accepted feedback a run can learn from. kept: oldest first; images: uint8 [n, h, w, c].

    The others are counted: pictures of validation or test, of another form or class, lost, over one client's cap.
    """

    kept: tuple[Item, ...]
    images: np.ndarray
    wanted: tuple[int, ...]
    judged: int
    strange: int
    capped: int

    @property
    def clients(self) -> list[int]:
        """A number from 0 on for each kept row."""
        known: dict[str, int] = {}
        return [known.setdefault(one.client, len(known)) for one in self.kept]


def lessons(services: Services, run: RunData) -> Lessons:
    """Raises Missing or Broken where the run's data set cannot be read."""
    shape = tuple(run.dataset[side] for side in ("height", "width", "channels"))
    # what a run is judged on must never teach it, also where somebody uploaded such a picture
    exam = {image.tobytes() for split in ("validation", "test") for image in run.pictures(split).images}
    kept, images, judged, strange = [], [], 0, 0
    for one in services.feedback.accepted(run.dataset["name"]):
        try:
            image = uploads.decode(services.feedback.picture(one.picture)).pixels
        except (LookupError, uploads.Refusal):
            strange += 1
            continue
        if image.shape[:2] == shape[:2] and image.shape[2] == 1 and shape[2] == 3:
            image = np.repeat(image, 3, axis=2)  # a grey picture of a network that sees colours
        if image.shape != shape or one.label not in run.classes:
            strange += 1
        elif one.origin.partition(" ")[0] in ("validation", "test") or image.tobytes() in exam:
            judged += 1
        else:
            kept.append(one)
            images.append(image)
    last: dict[str, int] = {}
    keep = []
    for place in reversed(range(len(kept))):
        last[kept[place].client] = last.get(kept[place].client, 0) + 1
        if last[kept[place].client] <= CLIENT:
            keep.append(place)
    keep.reverse()
    stack = np.stack([images[place] for place in keep]) if keep else np.zeros((0, *shape), np.uint8)
    chosen = tuple(kept[place] for place in keep)
    wanted = tuple(run.classes.index(one.label) for one in chosen)
    return Lessons(chosen, stack, wanted, judged, strange, len(kept) - len(keep))


def begin(services: Services, run: RunData) -> Job:
    """Start a fine-tuning of the run with what was accepted. Raises Declined, Invalid, Refused, Missing, Broken."""
    found = lessons(services, run)
    if not found.kept:
        raise Declined("No accepted feedback can be learned from.")
    stem = f"{run.run_id[:48]}-feedback"
    taken = services.registry.names() | services.jobs.names()
    name = stem if stem not in taken else services.registry.free_name(stem)
    job = services.jobs.fine_tune(
        run.manifest["config"], name, against=run.run_id, images=found.images, wanted=found.wanted,
        clients=found.clients, intent=secrets.token_hex(16), taken=services.registry.names(),
    )  # fmt: skip
    services.jobs.wake()
    return job


@dataclass(frozen=True)
class Outcome:
    """A candidate beside the run it began with: shares right on validation, old and new, and on test."""

    old: Proportion
    new: Proportion
    test: Proportion

    @property
    def change(self) -> float:
        """Points of validation accuracy; below zero is a loss."""
        return 100 * (self.new.value - self.old.value)

    @property
    def proposed(self) -> bool:
        """Whether it loses no more than it may."""
        return self.change >= -LOSS - 1e-9

    def sentence(self) -> str:
        """Both numbers and what follows from them."""
        change = f"{self.change:+.2f}".replace("-", "−")
        said = f"Validation {self.old.percent} % before, {self.new} now: {change} points. "
        if self.proposed:
            return f"{said}Nothing is promoted by itself: you decide, on the Training page."
        return said + f"It loses more than {LOSS} points, so it is not proposed: keep the run you have."


def outcome(services: Services, job: Job) -> Outcome | None:
    """How the run of a finished fine-tuning compares; None while one of the two cannot be read."""
    found = services.jobs.lessons(job)
    try:
        if found is None or job.state != "done":
            return None
        pair = [services.store.open(name).manifest["results"] for name in (found.against, job.run_id)]
    except (Missing, Broken):
        return None
    old, new = (Proportion(one["validation"]["correct"], one["validation"]["n"]) for one in pair)
    return Outcome(old, new, Proportion(pair[1]["test"]["correct"], pair[1]["test"]["n"]))


# ---- the server's part


def register(server: Flask, services: Services) -> None:
    """Add POST /api/v1/feedback and its changes, the pictures, and the exports feedback.csv and feedback.zip."""

    def answer(act: Callable[[object], tuple[dict[str, Any], int]]) -> Response:
        if not request.is_json:
            return _said(415, error="Send JSON.")
        try:
            told, status = act(request.get_json())
        except Declined as declined:
            return _said(403 if services.read_only else 422, error=str(declined))
        except uploads.Refusal as refusal:
            return _said(refusal.status, error=str(refusal))
        except (Missing, Broken) as missing:
            return _said(404, error=str(missing))
        except ValueError:
            return _said(400, error="This is not JSON.")
        return _said(status, **told)

    @server.post(ROUTE)
    def give_feedback() -> Response:
        known = request.cookies.get(COOKIE, "")
        client = known if KEY.fullmatch(known) else secrets.token_hex(16)

        def act(asked: object) -> tuple[dict[str, Any], int]:
            made, fresh = give(services, asked, client)
            return {"number": made.number, "label": made.label, "right": made.right}, 201 if fresh else 200

        response = answer(act)
        if client != known and response.status_code < 300:
            response.set_cookie(
                COOKIE, client, max_age=COOKIE_SECONDS, httponly=True, samesite="Strict", secure=request.is_secure
            )
        return response

    def changing(change: Callable[[list[int], Mapping[str, Any]], int]) -> Response:
        def act(asked: object) -> tuple[dict[str, Any], int]:
            if not isinstance(asked, dict):
                raise Declined("Send an object: numbers, state.")
            numbers = asked.get("numbers")
            if not isinstance(numbers, list) or not all(type(n) is int and 0 < n < 2**31 for n in numbers):
                raise Declined("Numbers: a list of whole numbers.")
            return {"changed": change(numbers, asked)}, 200

        return answer(act)

    @server.post(f"{ROUTE}/judge")
    def judge_feedback() -> Response:
        def judge(numbers: list[int], asked: Mapping[str, Any]) -> int:
            state = asked.get("state")
            if not isinstance(state, str):
                raise Declined(f"State: one of {', '.join(STATES)}.")
            return services.feedback.judge(numbers, state)

        return changing(judge)

    @server.post(f"{ROUTE}/delete")
    def delete_feedback() -> Response:
        return changing(lambda numbers, _: services.feedback.remove(numbers))

    @server.post(f"{ROUTE}/restore")
    def restore_feedback() -> Response:
        return changing(lambda numbers, _: services.feedback.restore(numbers))

    @server.get("/feedback/pictures/<name>.png")
    def feedback_picture(name: str) -> Response:
        return picture(name, False)

    @server.get("/feedback/pictures/<name>/sent.png")
    def feedback_sent(name: str) -> Response:
        return picture(name, True)

    def picture(name: str, sent: bool) -> Response:
        _open_to_readers(services)
        try:
            content = services.feedback.picture(name, sent)
        except LookupError:
            abort(404, "There is no such picture.")
        return Response(content, mimetype="image/png", headers={"Cache-Control": "private, max-age=600"})

    def asked() -> list[Item]:
        _open_to_readers(services)
        return services.feedback.listing(filtered(Selection.parse(request.query_string.decode("latin-1"))))

    @server.get("/export/feedback.csv")
    def export_feedback() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="feedback.csv"', "Cache-Control": "no-store"}
        return Response(text_of(asked()), mimetype="text/csv", headers=headers)

    @server.get("/export/feedback.zip")
    def export_archive() -> Response:
        items = [one for one in asked() if one.state == "accepted"]
        headers = {"Content-Disposition": 'attachment; filename="feedback.zip"', "Cache-Control": "no-store"}
        pieces = stream_with_context(archive(services, items))
        return Response(pieces, mimetype="application/zip", headers=headers)


def archive(services: Services, items: Sequence[Item]) -> Iterator[bytes]:
    """A zip of the table and the pictures it names, in pieces; on the disk meanwhile, as it may have a gigabyte."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("feedback.csv", text_of(items))
            for one in items:
                for sent, end in ((False, ""), (True, "-sent")):
                    if sent and not one.sent:
                        continue
                    try:
                        packed.writestr(f"pictures/{one.number}{end}.png", services.feedback.picture(one.picture, sent))
                    except LookupError:  # deleted since the list was read
                        continue
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _open_to_readers(services: Services) -> None:
    if services.read_only:  # a public demo must not show what people once sent to this folder
        abort(403, PRIVATE)


def _said(status: int, **told: Any) -> Response:
    response = jsonify(**told)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
