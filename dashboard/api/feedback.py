"""POST /api/v1/feedback and its changes: what people say of answers; their pictures, and both as CSV and zip."""

import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from flask import Flask, Response, jsonify, request, stream_with_context
from pydantic import BaseModel, Field, field_validator

from dashboard.api.exports import attached
from dashboard.api.openapi import Count, Operation, Reply, ResponseModel
from dashboard.api.requests import ChangeRequest, Model, OneOf, Sentence, body, selection, writable
from dashboard.format.csv import as_csv, guarded_cell
from dashboard.records.feedback import KEY_PATTERN, NOTE, Item
from dashboard.services import feedback
from dashboard.services.container import Services
from dashboard.services.feedback import STRANGE
from dashboard.state.vocabulary import STATES
from dashboard.web import rate_limits
from dashboard.web.errors import RequestError
from ml.people import acting
from ml.system.wording import shows

PATH = "/api/v1/feedback"
COOKIE = "fashion_client"
COOKIE_SECONDS = 31_536_000
PIECE = 64 * 2**10  # bytes of an archive sent at a time
ORIGIN = 40  # characters of 'test 17' and the like
COLUMNS = (
    "number", "when", "run", "dataset", "answer", "confidence", "right", "label", "note", "state", "client", "origin",
    "picture", "as sent",
)  # fmt: skip
PRIVATE = "A read-only server shows no feedback."
WORDS = Sentence("Words are needed in key, run, prediction, said, confidence, label, image.")
PAGES_OWN = Sentence(STRANGE)


class Judgement(ChangeRequest):
    WHOLE = "Send an object: key, run, prediction, said, confidence, origin, image, sent, label, note."

    key: Annotated[
        str,
        Field(
            pattern=KEY_PATTERN.pattern,
            description="32 digits and letters a to f, new for each answer: what is sent twice is kept once.",
        ),
        Sentence("Key: 32 digits and letters a to f, new for each answer."),
    ]
    run: Annotated[str, Field(description="As the ticket has it: run."), WORDS]
    prediction: Annotated[str, Field(description="As the ticket has it: prediction."), WORDS]
    said: Annotated[str, Field(description="As the ticket has it: said."), WORDS]
    confidence: Annotated[str, Field(description="As the ticket has it: confidence."), WORDS]
    origin: Annotated[str | None, Field(max_length=ORIGIN, description="As the ticket has it: origin."), PAGES_OWN] = ""
    image: Annotated[str, Field(description="As the ticket has it: image."), WORDS]
    sent: Annotated[str | None, Field(description="The picture as it came, a data URL; kept too."), PAGES_OWN] = ""
    label: Annotated[str, Field(description="The class it is, in your judgement."), WORDS]
    note: Annotated[
        str | None,
        Field(description=f"At most {NOTE} characters."),
        Sentence(f"Note: at most {NOTE} characters that can be shown."),
    ] = ""

    @field_validator("note")
    @classmethod
    def _one_line(cls, note: str | None) -> str:
        line = " ".join((note or "").split())
        if len(line) > NOTE or not shows(line):
            raise ValueError
        return line


Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Numbers(ChangeRequest):
    WHOLE = "Send an object: numbers, state."

    numbers: Annotated[list[Number], Sentence("Numbers: a list of whole numbers.")]


class Judge(Numbers):
    state: Annotated[
        str,
        OneOf(STATES),
        Field(description="What they are from now on."),
        Sentence(f"State: one of {', '.join(STATES)}."),
    ]


class Kept(ResponseModel):
    number: Count
    label: str = Field(description="The class it is.")
    right: bool = Field(description="The answer.")


class Changed(ResponseModel):
    changed: Count


def _operation(
    tail: str, name: str, summary: str, sent: type[BaseModel], replies: dict[int, Reply] | None = None
) -> Operation:
    known = replies or {200: Reply("How many were changed.", Changed)}
    return Operation(PATH + tail, "post", name, summary, known, (404, 409, 413, 415, 422, 503), body=sent)


OPERATIONS = (
    _operation(
        "", "feedback", "Say whether an answer was right. On the disk when this answers.", Judgement,
        {201: Reply("It is kept.", Kept), 200: Reply("It was kept already.", Kept)},
    ),
    _operation("/judge", "judge", "Accept or reject feedback by number.", Judge),
    _operation("/delete", "delete", "Delete feedback by number.", Numbers),
    _operation("/restore", "restore", "Bring deleted feedback back.", Numbers),
)  # fmt: skip


def register(server: Flask, services: Services) -> None:
    """Add POST /api/v1/feedback and its changes, the pictures, and the exports feedback.csv and feedback.zip."""

    @server.post(PATH)
    def give_feedback() -> Response:
        return give(services)

    @server.post(f"{PATH}/judge")
    def judge_feedback() -> Response:
        return changed(
            services, Judge, lambda fields: services.feedback.judge(fields.numbers, fields.state, who(services))
        )

    @server.post(f"{PATH}/delete")
    def delete_feedback() -> Response:
        return changed(services, Numbers, lambda fields: services.feedback.remove(fields.numbers, who(services)))

    @server.post(f"{PATH}/restore")
    def restore_feedback() -> Response:
        return changed(services, Numbers, lambda fields: services.feedback.restore(fields.numbers, who(services)))

    @server.get("/feedback/pictures/<name>.png")
    def feedback_picture(name: str) -> Response:
        return picture(services, name, sent=False)

    @server.get("/feedback/pictures/<name>/sent.png")
    def feedback_sent(name: str) -> Response:
        return picture(services, name, sent=True)

    @server.get("/export/feedback.csv")
    def export_feedback() -> Response:
        return attached(as_csv(*table(chosen(services)), None), "feedback.csv")

    @server.get("/export/feedback-log.csv")
    def export_feedback_log() -> Response:
        readable(services)
        return attached(as_csv(*log_table(services), None), "feedback-log.csv")

    @server.get("/export/feedback.zip")
    def export_archive() -> Response:
        items = [one for one in chosen(services) if one.state == "accepted"]
        headers = {"Content-Disposition": 'attachment; filename="feedback.zip"', "Cache-Control": "no-store"}
        pieces = stream_with_context(archive(services, items))
        return Response(pieces, mimetype="application/zip", headers=headers)


def give(services: Services) -> Response:
    """Keep the judgement that the current request carries; 201 where it is new, 200 where its key is known."""
    writable(services)
    fields = body(Judgement)
    known = request.cookies.get(COOKIE, "")
    client = known if KEY_PATTERN.fullmatch(known) else secrets.token_hex(16)
    item, new = feedback.give(
        services, client, key=fields.key, run=fields.run, prediction=fields.prediction, said=fields.said,
        confidence=fields.confidence, image=fields.image, label=fields.label, sent=fields.sent or "",
        origin=fields.origin or "", note=fields.note or "", address=address(services),
    )  # fmt: skip
    response = kept(Kept(number=item.number, label=item.label, right=item.right), 201 if new else 200)
    if client != known:
        response.set_cookie(
            COOKIE, client, max_age=COOKIE_SECONDS, httponly=True, samesite="Strict", secure=request.is_secure
        )
    return response


def address(services: Services) -> str:
    """What stands for the address of whoever sent the current request; it cannot be turned back into one."""
    return services.feedback.signature("address", rate_limits.client())


def who(services: Services) -> str:
    """Who sent the current request: the name that was proved, else what it says beside the password, and a mark."""
    if known := acting.name():
        return known
    given, known = request.authorization, request.cookies.get(COOKIE, "")
    mark = known if KEY_PATTERN.fullmatch(known) else address(services)
    visitor = f"visitor {mark[:6]}" if mark else "somebody"
    name = " ".join((given.username or "").split())[:40] if given is not None and given.type == "basic" else ""
    return f"{name}, {visitor}" if name and shows(name) else visitor


def changed(services: Services, model: type[Model], change: Callable[[Model], int]) -> Response:
    """Change what the current request names."""
    writable(services)
    return kept(Changed(changed=change(body(model))), 200)


def kept(answer: ResponseModel, status: int) -> Response:
    """An answer that no cache keeps."""
    response = jsonify(answer.json_value())
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def picture(services: Services, name: str, *, sent: bool) -> Response:
    """A picture that was judged. sent: as it came, else as the network saw it. Raises RequestError."""
    readable(services)
    try:
        content = services.feedback.picture(name, sent)
    except LookupError:
        raise RequestError(404, "There is no such picture.") from None
    return Response(content, mimetype="image/png", headers={"Cache-Control": "private, max-age=600"})


def readable(services: Services) -> None:
    """Raises RequestError where others' feedback is not shown: a public demo must not show what people once sent."""
    if services.read_only:
        raise RequestError(403, PRIVATE)


def chosen(services: Services) -> list[Item]:
    """The feedback that the address selects."""
    readable(services)
    return services.feedback.listing(feedback.filtered(selection()))


def table(items: Sequence[Item]) -> tuple[list[str], list[list]]:
    """Head and one row an answer; no cell is a formula. A client is a number that means nothing outside this table."""
    clients: dict[str, int] = {}
    rows: list[list] = []
    for one in items:
        who = clients.setdefault(one.client, len(clients) + 1)
        when = moment(one.at)
        files = [f"pictures/{one.number}.png", f"pictures/{one.number}-sent.png" if one.sent else ""]
        said, label, note = map(guarded_cell, (one.said, one.label, one.note))  # what a spreadsheet could retell
        row = [one.number, when, one.run, one.dataset, said, f"{one.confidence:.6f}", "yes" if one.right else "no"]
        rows.append([*row, label, note, one.state, f"client {who}", one.origin, *files])
    return list(COLUMNS), rows


def log_table(services: Services) -> tuple[list[str], list[list]]:
    """Head and one row for each thing that was done with feedback, newest first."""
    rows = [
        [one.number, moment(one.at), one.feedback, one.what, guarded_cell(one.who)] for one in services.feedback.deeds()
    ]
    return ["number", "when", "feedback", "what", "who"], rows


def moment(at: float) -> str:
    """2026-11-29T02:10:00Z"""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def archive(services: Services, items: Sequence[Item]) -> Iterator[bytes]:
    """A zip of the table and the pictures it names, in pieces; on the disk meanwhile, as it may have a gigabyte."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("feedback.csv", as_csv(*table(items), None))
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
