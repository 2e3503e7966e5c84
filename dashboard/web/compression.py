"""Compressed answers: files that never change are compressed once and kept by the browser, the rest on the way out."""

import os
import queue
import sys
import threading

import brotli  # type: ignore[import-untyped]
from cachetools import LRUCache
from dash.fingerprint import check_fingerprint
from flask import Flask, Request, Response, request
from flask_compress import Compress

SUITES = "/_dash-component-suites/"
ASSETS = "/assets/"
YEAR = "max-age=31536000, immutable"
KEPT = 256
"""Compressed files kept in memory; the app has about a hundred, of 2 MB in all."""
TIGHTEST = 11
KEPT_FILES = "kept-files"  # among the extensions of the server
REST = 10.0
"""Seconds without a file that nobody had asked for before: the first page is then out."""


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
        self.loose: queue.SimpleQueue[str] | None = None

    def get(self, key: str) -> bytes | None:
        """The compressed bytes, or None."""
        with self.lock:
            return self.files.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Keep `value`, unless the key says that it may differ next time."""
        if key.endswith(";"):
            return
        with self.lock:
            fresh = self.files.get(key) is not value
            self.files[key] = value
        if fresh and self.loose is not None and key.startswith("br;"):
            self.loose.put(key)

    def tighten(self, rest: float = REST) -> threading.Thread:
        """From now on compress what is kept as far as it goes, a tenth smaller, in a thread that yields to all others.

        rest: seconds without a new file before it begins. It takes five seconds of processor in all, once.
        """
        self.loose = queue.SimpleQueue()
        thread = threading.Thread(target=self._tighten, args=(self.loose, rest), name="compression", daemon=True)
        thread.start()
        return thread

    def _tighten(self, loose: "queue.SimpleQueue[str]", rest: float) -> None:
        if sys.platform == "linux":  # elsewhere a thread has no pace of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while True:
            waiting = [loose.get()]
            while True:
                try:
                    waiting.append(loose.get(timeout=rest))
                except queue.Empty:
                    break
            for key in waiting:
                value = self.get(key)
                if value is None:
                    continue
                small = brotli.compress(brotli.decompress(value), quality=TIGHTEST)
                with self.lock:
                    if self.files.get(key) is value:
                        self.files[key] = small


def install(server: Flask) -> None:
    """Compress the answers of `server`, and tell browsers how long to keep them; before the first request."""
    kept = Kept()
    server.extensions[KEPT_FILES] = kept
    server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_BR_LEVEL=6,  # plotly.js: 374 KB in 0.05 s; level 11, which comes later, 335 KB in 2.1 s
        COMPRESS_CACHE_BACKEND=lambda: kept,
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
