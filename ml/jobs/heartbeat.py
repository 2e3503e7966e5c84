"""What a training tells the job table while it goes on: progress, speed and signs of life, from a thread of its own."""

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.causes import LOST, STALLED
from ml.jobs.liveness import BEAT_SECONDS
from ml.jobs.queue import JobTable, Lost
from ml.jobs.tables import Job

TICK_SECONDS = 0.5  # how often progress is written and the cancel flag read
STEP_SECONDS = 1.0  # how often measures within the epoch are written
FENCE_SECONDS = 5.0  # out of touch with the table for so long, it trains no further: others may take the job soon
STALL_SECONDS = 3600.0  # alive, but no batch, epoch or stage for so long, and no worker that would have ended it
END_SECONDS = 60.0  # how long what must be written waits for a database that is away
Progress = dict[str, int | float | str | None]
Answer = TypeVar("Answer")


def patiently(act: Callable[[], Answer]) -> Answer:
    """Do it, however long the database needs, within reason. Raises what act does."""
    limit = time.monotonic() + END_SECONDS
    while True:
        try:
            return act()
        except SQLAlchemyError:
            if time.monotonic() > limit:
                raise
            time.sleep(TICK_SECONDS)


class Pace:
    """Speed and time left, from the steps of the last seconds: an old pace says little on a shared machine."""

    def __init__(self, batch_size: int, window: float = 10.0) -> None:
        self._batch_size, self._window = batch_size, window
        self._seen: deque[tuple[float, int]] = deque()

    def at(self, done: int, total: int, now: float) -> tuple[float | None, float | None]:
        """Seconds left and images per second, None until two steps were seen; now: seconds of time.monotonic()."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._window:
            self._seen.popleft()
        (then, before) = self._seen[0]
        if done == before or now == then:
            return None, None
        steps = (done - before) / (now - then)
        return (total - done) / steps, steps * self._batch_size


class Heartbeat(threading.Thread):
    """Beats, writes progress and reads the cancel flag: a slow batch is not a dead trainer."""

    def __init__(self, table: JobTable, job: Job) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.cancelled, self.ended = threading.Event(), threading.Event()
        self.progress: Progress = {}
        # to be written, appended by the training
        self.epochs: deque[dict[str, float]] = deque()
        self.steps: deque[dict[str, float]] = deque()
        self._table, self._job = table, job
        self._writing = threading.Lock()
        self._touched = time.monotonic()

    @property
    def alone(self) -> bool:
        """Whether the table has been out of reach for so long that nobody knows whose job this is."""
        return time.monotonic() - self._touched > FENCE_SECONDS

    def stop(self) -> None:
        """Beat no more; returns when nothing is being written. Whose job it is, the next write of the caller says."""
        self.ended.set()
        self.join()

    def flush(self) -> None:
        """Write the epochs and measures that wait; those that a busy database refuses stay. Raises Lost."""
        with self._writing:
            while self.epochs:
                self._table.add_epoch(self._job, self.epochs[0])
                self.epochs.popleft()
            rows = list(self.steps)
            self._table.add_steps(self._job, rows)
            for _ in rows:
                self.steps.popleft()

    def run(self) -> None:
        written: Progress = {}
        last = flushed = -BEAT_SECONDS
        moved = time.monotonic()
        while not self.ended.wait(TICK_SECONDS):
            progress, now = dict(self.progress), time.monotonic()
            moved = now if progress != written else moved
            try:
                if now - moved > STALL_SECONDS:
                    self._table.finish(self._job, "failed", STALLED)
                    os._exit(1)
                if self.epochs or (self.steps and now - flushed >= STEP_SECONDS):
                    self.flush()
                    flushed = now
                if progress != written or now - last >= BEAT_SECONDS:
                    stop = self._table.beat(self._job, **progress)
                    written, last = progress, now
                else:
                    stop = self._table.cancelling(self._job)
                self._touched = time.monotonic()
            except Lost:
                os._exit(LOST)  # another attempt may be writing the same folder: not one more byte
            except Exception:  # a busy or full database for a moment; the beat is missed, the training goes on
                traceback.print_exc()
                continue
            if stop:
                self.cancelled.set()
