"""Who tries passwords: each client's wrong ones are counted, written to the log and soon slowed down.

A client that has used up its tries is not even heard until the next one comes back, or guessing would go on at the pace
of the network and only the answers would be late. Clients are told apart as by `rate_limits`.
"""

import logging
import math
from collections.abc import Callable

from dashboard.web import errors
from dashboard.web.errors import RequestError
from dashboard.web.rate_limits import Buckets, client

log = logging.getLogger(__name__)

TRIES = 10.0  # wrong passwords of one client that may come at once
PACE = 0.2  # how many more a second come back: 3,000 guesses take four hours
ASKS = {"WWW-Authenticate": 'Basic realm="Fashion Forward", charset="UTF-8"'}


class Guesses:
    """The wrong passwords of a server's clients."""

    def __init__(self) -> None:
        self._left = Buckets(PACE, TRIES)

    def check(self, header: str, matches: Callable[[str], bool]) -> None:
        """header: Authorization, '' for none, which is no guess; matches: whether it is right. Raises RequestError."""
        if not header:
            raise RequestError(401, errors.SENTENCES[401], headers=ASKS)
        who = client()
        wait = self._left.take(who)
        if wait:
            seconds = math.ceil(wait)
            words = f"Too many wrong passwords from your address. Try again in {seconds} second{'s' * (seconds > 1)}."
            raise RequestError(429, words, headers={"Retry-After": str(seconds)})
        try:
            right = matches(header)
        except RequestError:  # nobody could tell whether it is right, so it was no guess
            self._left.spend(who, -1.0)
            raise
        if right:
            self._left.spend(who, -1.0)
            return
        held = "" if self._left.left(who) >= 1 else "; further tries have to wait"
        log.warning("wrong password from %s%s", who, held)
        raise RequestError(401, errors.SENTENCES[401], headers=ASKS)
