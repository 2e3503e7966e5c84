"""The app's own scripts and styles, each kind as one file: a first visit asks twice for them instead of sixty times.

They stay files of their own in assets/, in the order of their names, and are put together once, when the app starts.
"""

import functools
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
INLINE = re.compile(r"\s*<script>(.*?)</script>", re.DOTALL)
"""A callback of the browser's own, as Dash writes it into the page."""


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
        names[kind] = named(f"all.{kind}", body)
        serve(server, f"all.{kind}", functools.partial(bytes, body), mimetype)
    return names


def named(name: str, body: bytes) -> str:
    """The name of a file with what tells its content apart."""
    return f"{name}?m={hashlib.sha256(body).hexdigest()[:16]}"


def serve(server: Flask, name: str, body: Callable[[], bytes], mimetype: str) -> None:
    """Serve `/assets/<name>`, which stays as it is; body: asked for its content, within a request."""

    def send() -> Response:
        response = Response(body(), mimetype=mimetype)
        response.add_etag()
        response.make_conditional(request)
        return response

    server.add_url_rule(f"/assets/{name}", name.replace(".", "-"), send)


def used(scripts: str) -> str:
    """Dash's script tags without those of `UNUSED`, and without what `inline` makes a file of."""
    return INLINE.sub("", UNUSED.sub("", scripts))


def inline(scripts: str, last: str) -> bytes:
    """The scripts that stand between Dash's tags, in their order, and then `last`, as one script."""
    return "\n".join((*(one.strip() for one in INLINE.findall(scripts)), last)).encode()
