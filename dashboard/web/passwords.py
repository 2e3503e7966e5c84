"""Who tries passwords: each client's wrong ones are counted, written to the log and soon slowed down.

A client that has used up its tries is not even heard until the next one comes back, or guessing would go on at the pace
of the network and only the answers would be late. Clients are told apart as by `rate_limits`; a browser that was let in
is one of its own from then on, by a cookie that is good for its name alone (OWASP calls it a device cookie): behind a
proxy that nobody counted all visitors have one address, and one that guesses would lock everybody out.
"""

import hmac
import logging
import math
import secrets
from collections.abc import Callable

from flask import Response, g, request

from dashboard.web import errors
from dashboard.web.errors import RequestError
from dashboard.web.rate_limits import Buckets, client
from ml.system.wording import quantity

log = logging.getLogger(__name__)

TRIES = 10.0  # wrong passwords of one client that may come at once
PACE = 0.2  # how many more a second come back: 3,000 guesses take four hours
DEVICE, DEVICE_SECONDS = "fashion-device", 30 * 24 * 3600  # the cookie, and how long a browser keeps it
UNCOUNTED = "; it seems to be a proxy that FASHION_PROXIES does not count: its visitors share these tries"
ASKS = {"WWW-Authenticate": 'Basic realm="Fashion Forward", charset="UTF-8"'}


class Guesses:
    """The wrong passwords of a server's clients."""

    def __init__(self) -> None:
        self._left = Buckets(PACE, TRIES)
        self._key = secrets.token_bytes(32)

    def check(self, header: str, name: bytes, matches: Callable[[str], bool]) -> None:
        """Raises RequestError unless it is right.

        header: Authorization, '' for none, which is no guess; name: in it, b"" where it has none; matches: whether it
        is right.
        """
        if not header:
            raise RequestError(401, errors.SENTENCES[401], headers=ASKS)
        device = self._device(name)
        who = device or client()
        wait = self._left.take(who)
        if wait:
            seconds = math.ceil(wait)
            words = f"Too many wrong passwords from your address. Try again in {quantity(seconds, 'second')}."
            raise RequestError(429, words, headers={"Retry-After": str(seconds)})
        try:
            right = matches(header)
        except RequestError:  # nobody could tell whether it is right, so it was no guess
            self._left.spend(who, -1.0)
            raise
        if right:
            self._left.spend(who, -1.0)
            if name and not device:
                mark = secrets.token_hex(16)
                g.device = f"{mark}.{self._seal(mark, name)}"
            return
        held = "" if self._left.left(who) >= 1 else "; further tries have to wait"
        named = "X-Forwarded-For" in request.headers and "werkzeug.proxy_fix.orig" not in request.environ
        log.warning("wrong password from %s%s%s", client(), held, UNCOUNTED if held and named else "")
        raise RequestError(401, errors.SENTENCES[401], headers=ASKS)

    def _device(self, name: bytes) -> str:
        """The browser that was let in under this name before; '' for any other."""
        mark, _, seal = request.cookies.get(DEVICE, "").partition(".")
        given = seal.encode("utf-8", "surrogateescape")
        return f"device {mark}" if name and hmac.compare_digest(given, self._seal(mark, name).encode()) else ""

    def _seal(self, mark: str, name: bytes) -> str:
        return hmac.digest(self._key, mark.encode("utf-8", "surrogateescape") + b"\0" + name, "sha256").hex()


def remember(response: Response) -> None:
    """Give a browser that was let in just now its cookie."""
    if device := g.get("device"):
        secure = request.is_secure
        response.set_cookie(DEVICE, device, DEVICE_SECONDS, secure=secure, httponly=True, samesite="Strict")
