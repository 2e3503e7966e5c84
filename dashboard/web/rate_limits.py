"""How much one client may ask of the API, of pages' callbacks and of files: a bucket of tokens each, filled steadily.

Limits hold where others can reach the server, or where FASHION_LIMITS says so; programs of this machine that ask a
server on loopback are never held back. Buckets are this process's own and forget clients that stay away. (The library
`limits` refuses what costs more than is left and takes nothing; what a batch costs is known only when it is read.)
"""

import ipaddress
import math
import re
import threading
import time
from collections.abc import Callable

from cachetools import LRUCache
from flask import Flask, Response, request

from dashboard.web import errors
from dashboard.web.errors import RequestError
from dashboard.web.proxy import CALLBACK
from ml.system.wording import quantity

RATE = 20.0  # predictions a second of one client in the long run
BURST = 10.0  # seconds of that which may come at once
CLIENTS = 4_096  # whose buckets are kept; a forgotten one is full again, as it would be after BURST seconds
# tokens of a request; one is a prediction's worth. A batch pays for each picture too, as it is read
COSTS = {"/api/v1/explain": 10.0, "/api/v1/runs": 20.0}
LOOKING = 0.2  # of a GET
# of a GET below
MAKING = {
    "/export/runs/": 20.0,
    "/export/": 5.0,
    "/explanations/": 3.0,  # an image has six: one a second, or ten in a row, and no visitor of a demo meets the limit
    "/originals/": 1.0,
    "/training/log/": 1.0,
    "/search": 0.1,
}
CALLBACK_COST = 0.1  # a page has some thirty, and looks at a training twice a second
ASKING = re.compile(r"(^|\.\.\.?)(prediction|robustness-attack|insights-(activations|how|picture))-")
"""Outputs of callbacks that ask a network: a prediction's worth each."""
HOUSEHOLD = 64  # bits of an IPv6 address that all of one customer's have in common
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

    def left(self, client: str) -> float:
        """The tokens in a client's bucket."""
        with self._lock:
            return self._tokens(client)

    def _tokens(self, client: str) -> float:
        tokens, since = self._kept.get(client, (self.burst, self._clock()))
        return min(self.burst, tokens + self.rate * (self._clock() - since))

    def _keep(self, client: str, tokens: float) -> None:
        self._kept[client] = (tokens, self._clock())


def install(server: Flask, rate: float | None = None) -> None:
    """Hold clients back; call it after security.install, which has refused what is no callback of the app's.

    rate: predictions a second and client, 0 for as many as they like, None for the usual.
    """
    buckets = Buckets(rate or RATE, max(BURST * (rate or RATE), 1.0))
    server.extensions[NAME] = buckets

    @server.before_request
    def hold() -> Response | None:
        if not holds(server, rate):
            return None
        tokens = callback_cost() if request.path == CALLBACK else cost(request.method, request.path)
        wait = buckets.take(client(), tokens) if tokens else 0.0
        return refusal(wait, buckets.rate) if wait else None


def holds(server: Flask, rate: float | None) -> bool:
    """Whether clients are held back: as the setting says, or where others can reach the server."""
    return rate > 0 if rate is not None else bool(server.config.get("OPEN_TO_OTHERS"))


def cost(method: str, path: str) -> float:
    """Tokens of a request; 0 for pages, their assets and pictures."""
    if path.startswith("/api/"):
        return LOOKING if method in ("GET", "HEAD", "OPTIONS") else COSTS.get(path, 1.0)
    return next((tokens for start, tokens in MAKING.items() if path.startswith(start)), 0.0)


def callback_cost() -> float:
    """Tokens of the callback that the current request asks for."""
    body = request.get_json(silent=True) if request.method == "POST" else None
    output = body.get("output") if isinstance(body, dict) else None
    return 1.0 if isinstance(output, str) and ASKING.search(output) else CALLBACK_COST


def client() -> str:
    """Who asks: the address at the other end, or the one a trusted proxy names; of IPv6 the network of a household."""
    named = request.remote_addr or "?"
    try:
        address = ipaddress.ip_address(named)
    except ValueError:
        return named
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, HOUSEHOLD), strict=False))
    return str(address)


def spender(server: Flask) -> Callable[[float], None]:
    """What takes tokens of the current request's client later, when it may be answered already."""
    buckets, who = server.extensions.get(NAME), client()
    return lambda tokens: buckets.spend(who, tokens) if buckets is not None else None


def refusal(wait: float, pace: float) -> Response:
    """Status 429 in words, with the seconds after which to come again."""
    seconds = math.ceil(wait)
    again = quantity(seconds, "second")
    words = f"Too many requests from your address: {pace:g} predictions a second are the most. Try again in {again}."
    return errors.response(RequestError(429, words, headers={"Retry-After": str(seconds)}))
