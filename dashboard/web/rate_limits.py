"""How much one client may ask of the API: a bucket of tokens each, filled at a steady pace.

Limits hold where others can reach the server, or where FASHION_LIMITS says so; programs of this machine that ask a
server on loopback are never held back. Buckets are this process's own and forget clients that stay away.
"""

import math
import threading
import time
from collections.abc import Callable

from cachetools import LRUCache
from flask import Flask, Response, request

from dashboard.web import errors
from dashboard.web.errors import RequestError

RATE = 20.0  # predictions a second of one client in the long run
BURST = 10.0  # seconds of that which may come at once
CLIENTS = 4_096  # whose buckets are kept; a forgotten one is full again, as it would be after BURST seconds
# tokens of a request; one is a prediction's worth. A batch pays for each picture too, as it is read
COSTS = {"/api/v1/explain": 10.0, "/api/v1/runs": 20.0}
LOOKING = 0.2  # of a GET
NAME = "fashion-limits"


class Buckets:
    """Tokens by client. rate: how many come back a second; burst: the most that lie in a bucket. Thread-safe."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._lock = threading.Lock()
        self._kept: LRUCache[str, tuple[float, float]] = LRUCache(CLIENTS)  # client → tokens, when

    def take(self, client: str, cost: float = 1.0) -> float:
        """0 where the tokens were there and are taken, else the seconds until they are."""
        with self._lock:
            tokens = self._tokens(client)
            missing = min(cost, self.burst) - tokens
            if missing > 0:
                return missing / self.rate
            self._keep(client, tokens - cost)
            return 0.0

    def spend(self, client: str, cost: float) -> None:
        """Take tokens for what is done already, also those that are not there: the next request waits for them."""
        with self._lock:
            self._keep(client, self._tokens(client) - cost)

    def _tokens(self, client: str) -> float:
        tokens, since = self._kept.get(client, (self.burst, self._clock()))
        return min(self.burst, tokens + self.rate * (self._clock() - since))

    def _keep(self, client: str, tokens: float) -> None:
        self._kept[client] = (tokens, self._clock())


def install(server: Flask, rate: float | None = None) -> None:
    """Hold clients of /api/ back; call it after security.install.

    rate: predictions a second and client, 0 for as many as they like, None for the usual.
    """
    buckets = Buckets(rate or RATE, max(BURST * (rate or RATE), 1.0))
    server.extensions[NAME] = buckets

    @server.before_request
    def hold() -> Response | None:
        if not request.path.startswith("/api/") or not holds(server, rate):
            return None
        wait = buckets.take(client(), cost(request.method, request.path))
        return refusal(wait, buckets.rate) if wait else None


def holds(server: Flask, rate: float | None) -> bool:
    """Whether clients are held back: as the setting says, or where others can reach the server."""
    return rate > 0 if rate is not None else bool(server.config.get("OPEN_TO_OTHERS"))


def cost(method: str, path: str) -> float:
    """Tokens of a request."""
    return LOOKING if method in ("GET", "HEAD", "OPTIONS") else COSTS.get(path, 1.0)


def client() -> str:
    """Who asks: the address at the other end, or the one a trusted proxy names."""
    return request.remote_addr or "?"


def spender(server: Flask) -> Callable[[float], None]:
    """What takes tokens of the current request's client later, when it may be answered already."""
    buckets, who = server.extensions.get(NAME), client()
    return lambda tokens: buckets.spend(who, tokens) if buckets is not None else None


def refusal(wait: float, pace: float) -> Response:
    """Status 429 in words, with the seconds after which to come again."""
    seconds = math.ceil(wait)
    again = f"{seconds} second{'' if seconds == 1 else 's'}"
    words = f"Too many requests from your address: {pace:g} predictions a second are the most. Try again in {again}."
    return errors.response(RequestError(429, words, headers={"Retry-After": str(seconds)}))
