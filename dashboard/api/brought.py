"""GET /export/brought/<id>/<key>.csv: rows of predictions that somebody brought of which nothing becomes, and why."""

from flask import Flask, Response

from dashboard.api.exports import attached
from dashboard.services.container import Services
from dashboard.web.errors import SENTENCES, RequestError


def register(server: Flask, services: Services) -> None:
    """Add it to the server."""

    @server.get("/export/brought/<staged_id>/<key>.csv")
    def export_left_out(staged_id: str, key: str) -> Response:
        place = services.adding.left_out(staged_id, key)
        if place is None:
            raise RequestError(404, SENTENCES[404])
        return attached(place.read_bytes(), "left-out.csv")
