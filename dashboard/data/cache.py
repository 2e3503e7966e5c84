"""What was asked for last, each value made once, also where several ask for it at the same moment."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

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


Value = TypeVar("Value")


class Moment(Generic[Value]):
    """`with moment:` a thread looks at one value once, however often it asks: a short request is one moment."""

    def __init__(self) -> None:
        self._own = threading.local()

    def __enter__(self) -> None:
        self._own.depth = getattr(self._own, "depth", 0) + 1

    def __exit__(self, *_: object) -> None:
        self._own.depth -= 1
        if not self._own.depth:
            self._own.__dict__.pop("value", None)

    def kept(self, make: Callable[[], Value]) -> Value:
        """make(), within a moment the first time alone."""
        if not getattr(self._own, "depth", 0):
            return make()
        if not hasattr(self._own, "value"):
            self._own.value = make()
        value: Value = self._own.value
        return value
