"""What was asked for last, each value made once, also where several ask for it at the same moment."""

import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from cachetools import LRUCache


class Cache:
    """At most `size` values by key; the least recently used goes first. Thread-safe.

    A lock a key and not one for all: a table that takes a second to read must not hold up another one, and making one
    value may ask for another.
    """

    def __init__(self, size: int) -> None:
        self._kept: LRUCache[Hashable, Any] = LRUCache(size)
        self._makers: dict[Hashable, threading.RLock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value of a key, make() where it is not kept; whoever asks meanwhile waits for it instead of making it.

        What make raises goes to the one who called it, and the next in line tries again.
        """
        with self._lock:
            if key in self._kept:
                return self._kept[key]
            maker = self._makers.setdefault(key, threading.RLock())
        with maker:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            try:
                value = make()
                with self._lock:
                    self._kept[key] = value
            finally:
                with self._lock:
                    self._makers.pop(key, None)
            return value


class Moment:
    """`with moment:` a thread looks once, however often it asks: a short request is one moment.

    Of those that follow one another within `seconds` one looks for all of them: each look at the disk gives up the
    interpreter, and is waited for.
    """

    def __init__(self, seconds: float = 0.05, most: int = 64) -> None:
        self._own, self._seconds, self._most = threading.local(), seconds, most
        self._last: dict[Hashable, tuple[float, Any]] = {}

    def __enter__(self) -> None:
        self._own.depth = getattr(self._own, "depth", 0) + 1

    def __exit__(self, *_: object) -> None:
        self._own.depth -= 1
        if not self._own.depth:
            self._own.__dict__.pop("seen", None)

    def kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """make(), within a moment the first time alone."""
        if not getattr(self._own, "depth", 0):
            return make()
        seen = self._own.__dict__.setdefault("seen", {})
        if key not in seen:
            now = time.monotonic()
            since, value = self._last.get(key, (-math.inf, None))
            if now - since > self._seconds:
                value = make()
                if len(self._last) >= self._most:
                    self._last = {}
                self._last[key] = (now, value)
            seen[key] = value
        return seen[key]
