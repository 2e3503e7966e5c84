"""/api/v1/uploads: files that are to become data sets or runs, in pieces and resumable, by tus 1.0.0 (https://tus.io).

Extensions: creation, termination. The app's own page sends with tus-js-client; any other client of that protocol can.
"""

import base64
import binascii
from typing import NoReturn

from flask import Flask, Response, request

from dashboard.services.container import Services
from dashboard.services.staging import PURPOSES, Elsewhere, Receiving, Staged
from dashboard.web.errors import RequestError
from dashboard.web.proxy import root
from dashboard.web.security import PIECE_BYTES
from ml.settings import Uploads

PATH = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


def register(server: Flask, services: Services) -> None:
    """Add them to the server."""

    @server.route(PATH, methods=["OPTIONS"], provide_automatic_options=False)
    def upload_terms() -> Response:
        more = {"Tus-Version": "1.0.0", "Tus-Extension": "creation,termination"}
        return answer(204, **more, **{"Tus-Max-Size": str(Uploads.read().bytes)})

    @server.post(PATH)
    def upload_create() -> Response:
        spoken()
        metadata = request.headers.get("Upload-Metadata", "")
        purpose = said(metadata, "purpose") or ""
        if purpose not in PURPOSES:
            raise RequestError(400, "The purpose in Upload-Metadata must be run, or left out for a data set.")
        services.staging.permit(purpose)
        size = counted("Upload-Length")
        staged = services.staging.create(named(metadata), size, purpose)
        return answer(201, Location=f"{root()}{PATH}/{staged.id}", **{"Upload-Offset": "0"})

    @server.get(f"{PATH}/<staged_id>")
    def upload_state(staged_id: str) -> Response:
        """HEAD is what the protocol asks for, and is answered by the same."""
        staged = found(services, staged_id)
        more = {"Upload-Offset": str(staged.offset), "Upload-Length": str(staged.size), "Cache-Control": "no-store"}
        return answer(200, **more)

    @server.patch(f"{PATH}/<staged_id>")
    def upload_piece(staged_id: str) -> Response:
        spoken()
        services.staging.permit()
        if request.mimetype != PIECE:
            raise RequestError(415, f"A piece of a file is {PIECE}.")
        found(services, staged_id)
        try:
            offset = services.staging.append(staged_id, counted("Upload-Offset"), request.stream)
        except Elsewhere as elsewhere:
            raise RequestError(409, str(elsewhere)) from None
        except Receiving as receiving:
            raise RequestError(423, str(receiving)) from None
        return answer(204, **{"Upload-Offset": str(offset)})

    @server.delete(f"{PATH}/<staged_id>")
    def upload_end(staged_id: str) -> Response:
        spoken()
        services.staging.permit()
        found(services, staged_id)
        services.staging.remove(staged_id)
        return answer(204)


def answer(status: int, **headers: str) -> Response:
    """Without a body."""
    response = Response(status=status, headers={**TUS, **headers})
    del response.headers["Content-Type"]
    return response


def spoken() -> None:
    """Raises RequestError for another version of the protocol."""
    if request.headers.get("Tus-Resumable") != TUS["Tus-Resumable"]:
        words = f"Uploads speak tus {TUS['Tus-Resumable']}: send the header Tus-Resumable, and pieces of at most "
        raise RequestError(412, f"{words}{PIECE_BYTES // 10**6} MB.", headers={"Tus-Version": TUS["Tus-Resumable"]})


def counted(header: str) -> int:
    """A number of bytes. Raises RequestError."""
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise RequestError(400, f"{header} must be a number of bytes.")
    return int(text)


def named(metadata: str) -> str:
    """The file's name from Upload-Metadata: pairs of a key and base64, commas between. Raises RequestError."""
    name = said(metadata, "filename", "name")
    if name is None or not name.strip() or len(name) > 1_000:
        refuse()
    return name


def said(metadata: str, *keys: str) -> str | None:
    """What one of the keys says, None where none is there. Raises RequestError."""
    for pair in metadata.split(","):
        key, _, value = pair.strip().partition(" ")
        if key in keys:
            try:
                return base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                refuse()
    return None


def refuse() -> NoReturn:
    """Of metadata without a name."""
    raise RequestError(400, "Upload-Metadata must say the file's name: filename, a space, and the name in base64.")


def found(services: Services, staged_id: str) -> Staged:
    """Raises RequestError."""
    staged = services.staging.get(staged_id)
    if staged is None or staged.is_path:
        raise RequestError(404, "This upload is not here any more.", headers=TUS)
    return staged
