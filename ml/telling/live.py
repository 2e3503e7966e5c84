"""The row of a run that a script tells of, kept up by a thread of its own: people watch it learn on the Training page.

Nothing of this may harm the script: a database that is away, busy or full is tried again, and the run is made without
it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ml.jobs.liveness import BEAT_SECONDS
from ml.jobs.queue import Lost
from ml.jobs.scripts import Scripts, Taken
from ml.jobs.tables import Job

TICK_SECONDS = 0.5
RECENT = 5  # epochs whose pace says how long the others will take
END_SECONDS = 10.0  # how long the last word waits for a database that is away


class Unseen:
    """In place of a row, of what is over before anybody could watch it."""

    trouble = job_id = ""

    def epoch(self, number: int, told: Mapping[str, float]) -> None: ...

    def replace(self, told: Mapping[int, Mapping[str, float]]) -> None: ...

    def step(self, done: int, total: int) -> None: ...

    def stage(self, words: str) -> None: ...

    def end(self, state: str, cause: str = "") -> None: ...


class Live(threading.Thread):
    """Begins the row at once and beats until `end`. told: epochs of an earlier process, which stand there already.

    Raises Taken where a training here has the name. `job_id` is '' where the database could not be had; `trouble` is
    why, for the one who runs the script.
    """

    def __init__(
        self, home: Path, run_id: str, spec: Mapping[str, Any], *, epochs: int, job_id: str,
        told: Mapping[int, Mapping[str, float]],
    ) -> None:  # fmt: skip
        super().__init__(name="fashion-forward-live", daemon=True)
        self.trouble, self.job_id = "", job_id
        self._epochs = epochs
        self._progress: dict[str, Any] = {"stage": "training"} | ({"batch": max(told)} if told else {})
        self._waiting: deque[dict[str, float]] = deque({**row, "epoch": number} for number, row in told.items())
        self._ended, self._lock, self._steps = threading.Event(), threading.Lock(), False
        self._pace: deque[tuple[float, float]] = deque([(time.monotonic(), max(told, default=0))], maxlen=RECENT + 1)
        self._begin: Callable[[], Job] = lambda: self._rows().begin(run_id, spec, epochs=epochs, job_id=self.job_id)
        self._home = home
        self._scripts: Scripts | None = None
        self._job: Job | None = None
        try:
            self._job = self._begin()
            self.job_id = self._job.id
        except Taken:
            raise
        except Exception as error:  # whatever a database says: it is tried again while the script goes on
            self.trouble = f"the job database cannot be used just now ({type(error).__name__})"
        self.start()

    def _rows(self) -> Scripts:
        if self._scripts is None:
            self._scripts = Scripts(self._home)
        return self._scripts

    # ---- what the script says; returns at once

    def epoch(self, number: int, told: Mapping[str, float]) -> None:
        """An epoch is over."""
        with self._lock:
            now = time.monotonic()
            self._pace.append((now, number))
            self._waiting.append({**told, "epoch": number})
            self._progress |= {"batch": number, "left": self._left(number)} if not self._steps else {}

    def replace(self, told: Mapping[int, Mapping[str, float]]) -> None:
        """All epochs anew: a measure turned out to be per cent."""
        with self._lock:
            self._waiting = deque({**row, "epoch": number} for number, row in told.items())

    def step(self, done: int, total: int) -> None:
        """Of the whole training so many steps are done."""
        with self._lock:
            now = time.monotonic()
            if not self._steps:
                self._steps = True
                self._pace = deque([(now, done)], maxlen=200)
            if now - self._pace[-1][0] >= TICK_SECONDS:
                self._pace.append((now, done))
            (then, before), (last, after) = self._pace[0], self._pace[-1]
            left = (total - done) * (last - then) / (after - before) if after > before else None
            self._progress |= {"batch": int(done), "batches": int(total), "left": left}

    def stage(self, words: str) -> None:
        """What it does just now, in words."""
        with self._lock:
            self._progress |= {"stage": words[:80], "left": None}

    def _left(self, number: int) -> float | None:
        (then, before), (now, after) = self._pace[0], self._pace[-1]
        if not self._epochs or after <= before:
            return None
        return max(self._epochs - number, 0) * (now - then) / (after - before)

    def end(self, state: str, cause: str = "") -> None:
        """Beat no more, and say how it ended."""
        self._ended.set()
        self.join()
        limit = time.monotonic() + END_SECONDS
        while self._job is not None and self._scripts is not None:
            try:
                self._write({})
                self._scripts.finish(self._job, state, cause)
                return
            except Lost:
                return
            except Exception as error:
                self.trouble = f"the job database cannot be used just now ({type(error).__name__})"
                if time.monotonic() > limit:
                    return
                time.sleep(TICK_SECONDS)

    # ---- the thread

    def run(self) -> None:
        written: dict[str, Any] = {}
        last = 0.0
        while not self._ended.wait(TICK_SECONDS):
            try:
                if self._job is None:
                    self._job = self._begin()
                    self.job_id = self._job.id
                with self._lock:
                    progress = dict(self._progress)
                if self._waiting or progress != written or time.monotonic() - last >= BEAT_SECONDS:
                    self._write(progress)
                    written, last = progress, time.monotonic()
            except (Lost, Taken):
                return  # another process tells of it now
            except Exception as error:  # a busy or full database for a moment
                self.trouble = f"the job database cannot be used just now ({type(error).__name__})"

    def _write(self, progress: Mapping[str, Any]) -> None:
        assert self._job is not None
        assert self._scripts is not None
        with self._lock:
            waiting = list(self._waiting)
        self._scripts.add_epochs(self._job, waiting)
        with self._lock:
            for row in waiting:
                if self._waiting and self._waiting[0] is row:
                    self._waiting.popleft()
        self._scripts.beat(self._job, **progress)
        self.trouble = ""
