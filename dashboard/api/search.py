"""GET /search: what a question finds, for the field in the head of every page; assets/search.js asks and shows."""

from collections.abc import Sequence

from flask import Flask, Response, jsonify, request

from dashboard.analysis import search
from dashboard.services.container import Services
from dashboard.state.selection import Selection


def register(server: Flask, services: Services, pages: Sequence[tuple[str, str]]) -> None:
    """Add the route. pages: (path, title) of each."""
    paths = {path for path, _ in pages}

    @server.get("/search")
    def find() -> Response:
        here, path = Selection.parse(request.args.get("here")), request.args.get("path", "/")
        found = search.answer(services, request.args.get("q", ""), here, path if path in paths else "/", pages)
        fields = ("kind", "title", "more", "path", "search", "term", "count")
        answer = jsonify([{name: getattr(one, name) for name in fields} for one in found])
        answer.headers["Cache-Control"] = "no-store"
        return answer
