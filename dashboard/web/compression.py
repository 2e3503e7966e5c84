"""Compressed answers: files that never change are compressed once and kept by the browser, the rest on the way out."""

import threading

from cachetools import LRUCache
from dash.fingerprint import check_fingerprint
from flask import Flask, Request, Response, request
from flask_compress import Compress

SUITES = "/_dash-component-suites/"
ASSETS = "/assets/"
YEAR = "max-age=31536000, immutable"
KEPT = 256
"""Compressed files kept in memory; the app has about a hundred, of 2 MB in all."""


def is_file(path: str) -> bool:
    """Whether the answer to `path` is a file of this version of the app, the same for everybody."""
    return path.startswith((SUITES, ASSETS))


def cache_key(request: Request) -> str:
    """Under which name the compressed answer is kept; empty where it may differ from one request to the next."""
    if not is_file(request.path):
        return ""
    # A fingerprint is part of the address, not of the file: without this, made-up ones would fill the cache.
    return check_fingerprint(request.path)[0]


class Kept:
    """The compressed files, at most `KEPT`, the least recently asked for dropped first; keys `<algorithm>;<name>`."""

    def __init__(self) -> None:
        self.files: LRUCache[str, bytes] = LRUCache(KEPT)
        self.lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """The compressed bytes, or None."""
        with self.lock:
            return self.files.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Keep `value`, unless the key says that it may differ next time."""
        if key.endswith(";"):
            return
        with self.lock:
            self.files[key] = value


def install(server: Flask) -> None:
    """Compress the answers of `server`, and tell browsers how long to keep them; before the first request."""
    server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_BR_LEVEL=6,  # plotly.js: 1.27 MB in 0.12 s; level 11 saves 12 % more in 8 s
        COMPRESS_CACHE_BACKEND=Kept,
        COMPRESS_CACHE_KEY=cache_key,
    )
    Compress(server)

    @server.after_request  # runs before compression, which was registered earlier
    def keep(response: Response) -> Response:
        fingerprint = check_fingerprint(request.path)[1] if request.path.startswith(SUITES) else "m" in request.args
        if response.status_code == 200 and is_file(request.path):
            if response.direct_passthrough:  # a file that would be streamed, and so compressed anew each time
                response.direct_passthrough = False
                response.get_data()
                response.add_etag()
            response.headers["Cache-Control"] = YEAR if fingerprint else "no-cache"
        else:
            response.headers.setdefault("Cache-Control", "no-cache")
        return response
