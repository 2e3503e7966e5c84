"""What was found out about run folders, once for each state of their files: at once, or by a thread while others go on.

Looking a folder through takes a second on a busy machine, and twenty may come at once. Whoever serves pages asks with
patience: what is not found out by then is listed as being checked, and the listing is another one when it is.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path

log = logging.getLogger(__name__)

CHECKING = "it is still being checked, which takes a moment"
FIRST_SECONDS = 10.0  # of patience, until all was found out for the first time: a server that starts serves nobody yet
LONGEST_PAUSE = 0.5  # s between two folders
TELL_SECONDS = 0.5  # between two listings that differ by verdicts alone
Find = Callable[[], str]


class Judge:
    """Verdicts by folder: why it cannot be used, '' where it can. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Hashable, str]] = {}  # folder → the state of its files, what is wrong with it
        self._waiting: dict[Path, tuple[Hashable, Find]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._began, self._told = 0.0, 0.0
        self._settled = False  # whether all that was asked for has been found out once
        self.told = 0
        """Another number whenever a listing may have become another one."""

    def now(self, folder: Path, state: Hashable, find: Find) -> str:
        """The verdict, found out here where it is not known."""
        known = self._known.get(folder)
        if known is None or known[0] != state:
            known = self._known[folder] = (state, find())
        return known[1]

    def soon(self, folder: Path, state: Hashable, find: Find) -> str:
        """The verdict where it is known; otherwise `CHECKING`, and a thread begins to find it out."""
        with self._changed:
            known = self._known.get(folder)
            if known is not None and known[0] == state:
                return known[1]
            if not self._waiting:
                self._began = time.monotonic()
            self._waiting[folder] = (state, find)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="judge", daemon=True)
                self._thread.start()
        return CHECKING

    def wait(self, patience: float) -> None:
        """Until all is found out, or `patience` seconds after the first of it was asked for, whoever asked."""
        with self._changed:
            limit = self._began + (patience if self._settled else max(patience, FIRST_SECONDS))
            self._changed.wait_for(lambda: not self._waiting, max(limit - time.monotonic(), 0.0))

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._settled, self._thread = True, None
                    return
                folder, (state, find) = next(iter(self._waiting.items()))
            began = time.monotonic()
            try:
                verdict = find()
            except Exception as error:  # or this folder would be tried for ever
                log.warning("a run folder cannot be checked", exc_info=error)
                verdict = f"its files cannot be read ({type(error).__name__})"
            with self._changed:
                self._known[folder] = (state, verdict)
                if self._waiting[folder][0] == state:  # and it did not change meanwhile
                    del self._waiting[folder]
                if not self._waiting or time.monotonic() - self._told > TELL_SECONDS:
                    self._told = time.monotonic()
                    self.told += 1
                self._changed.notify_all()
                more = bool(self._waiting) and self._settled
            if more:  # half of the time is for those who are served: they share one interpreter with this thread
                time.sleep(min(time.monotonic() - began, LONGEST_PAUSE))
