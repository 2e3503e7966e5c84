"""The app's own scripts and styles, each kind as one file: a first visit asks twice for them instead of sixty times.

They stay files of their own in assets/, in the order of their names, and are put together once, when the app starts.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request

KINDS = {"css": "text/css", "js": "text/javascript"}
APART = r"(05-plotly|06-plotly-3d|tus)\.min\.js"  # what only some pages need, fetched beside the rest
COMMENT = re.compile(rb"^[ \t]*/\*.*?\*/[ \t]*\n", re.MULTILINE | re.DOTALL)  # on lines of its own
UNUSED = re.compile(r'\s*<script src="[^"]*/(?:polyfill@|dash_table/bundle\.)[^"]*"></script>')
"""Scripts that Dash brings for everybody: what browsers of 2017 lacked, which the app's own scripts need as well, and a
table that no page has."""


def joined(folder: Path, kind: str) -> bytes:
    """All files of a kind, css or js, one after the other; of scripts no comments that have lines of their own."""
    files = sorted(path for path in folder.glob(f"*.{kind}") if not re.fullmatch(APART, path.name))
    text = b"\n".join(path.read_bytes() for path in files)
    return COMMENT.sub(b"", text) if kind == "js" else text


def install(server: Flask, folder: Path) -> dict[str, str]:
    """Serve `/assets/all.css` and `/assets/all.js`; kind → name of the file with what tells its content apart."""
    names = {}
    for kind, mimetype in KINDS.items():
        body = joined(folder, kind)
        names[kind] = f"all.{kind}?m={hashlib.sha256(body).hexdigest()[:16]}"
        server.add_url_rule(f"/assets/all.{kind}", f"all-{kind}", answer(body, mimetype))
    return names


def answer(body: bytes, mimetype: str) -> Callable[[], Response]:
    """What Flask calls for a file that stays as it is."""

    def send() -> Response:
        response = Response(body, mimetype=mimetype)
        response.add_etag()
        response.make_conditional(request)
        return response

    return send


def used(scripts: str) -> str:
    """Dash's script tags without those of `UNUSED`."""
    return UNUSED.sub("", scripts)
