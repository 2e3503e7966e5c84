"""Questions that come one by one and are answered together: whoever gets the network asks for all who wait for it.

A single question waits for nothing but the network. While that is at work, others queue up in the order they came; the
next one through the door takes up to AT_ONCE of them along. Nobody waits for company, so that there is no pause to
choose, and many pictures at once take half of the time that each takes alone.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

import numpy as np

AT_ONCE = 16  # others wait less than for 32, and 16 cost half as much each
ROOM = 256  # that may wait; a server has fewer threads

Answer = TypeVar("Answer")


class Crowded(RuntimeError):
    """More wait for one network than it would answer soon."""


class _Question(Generic[Answer]):
    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.answers: list[Answer] = []
        self.problem: BaseException | None = None

    @property
    def over(self) -> bool:
        return bool(self.answers) or self.problem is not None


class Gatherer(Generic[Answer]):
    """One network's questions. ask: uint8 [n, h, w, c] → one answer a picture, in order; door: what the network is
    asked behind, one thread at a time; at_once: pictures of one call."""

    def __init__(
        self,
        ask: Callable[[np.ndarray], Sequence[Answer]],
        door: AbstractContextManager[Any],
        at_once: int = AT_ONCE,
        room: int = ROOM,
    ) -> None:
        self._ask, self._door, self._at_once, self._room = ask, door, at_once, room
        self._waiting: deque[_Question[Answer]] = deque()
        self._guard = threading.Lock()

    def one(self, image: np.ndarray) -> Answer:
        """The answer to one picture, uint8 [h, w, c]. Raises what asking about this very picture raises, Crowded."""
        mine: _Question[Answer] = _Question(image)
        with self._guard:
            if len(self._waiting) >= self._room:
                raise Crowded("too many wait for this network")
            self._waiting.append(mine)
        with self._door:
            while not mine.over:  # others may have asked for it already
                self._answer(self._next())
        if mine.problem is not None:
            raise mine.problem
        return mine.answers[0]

    def _next(self) -> list[_Question[Answer]]:
        """Those whose turn it is, of one form."""
        with self._guard:
            taken = [self._waiting.popleft()]
            form = taken[0].image.shape
            while self._waiting and len(taken) < self._at_once and self._waiting[0].image.shape == form:
                taken.append(self._waiting.popleft())
        return taken

    def _answer(self, questions: list[_Question[Answer]]) -> None:
        try:
            answers = self._ask(np.stack([one.image for one in questions]))
            for one, answer in zip(questions, answers, strict=True):
                one.answers = [answer]
        except BaseException as problem:
            if len(questions) == 1 or not isinstance(problem, Exception):
                for one in questions:
                    one.problem = problem
                return
            for one in questions:  # one of them may be to blame, the others are not
                one.answers = []
                self._answer([one])
