"""One training on behalf of a job row: the process behind `python -m ml train --job ID`. Loads torch."""

import contextlib
import errno
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.broker import broker
from ml.jobs.queue import BEAT_SECONDS, Job, JobTable, Lost, Refused
from ml.system.paths import ARTIFACTS, home_dir

LEASE = "FASHION_LEASE"  # which attempt this process is; set by the worker
MEMORY = "FASHION_TRAIN_MEMORY_MB"  # optional limit of the trainer's address space
TICK_SECONDS = 0.5  # how often progress is written and the cancel flag read
STEP_SECONDS = 1.0  # how often measures within the epoch are written
FENCE_SECONDS = 5.0  # out of touch with the table for so long, it trains no further: others may take the job soon
STALL_SECONDS = 3600.0  # alive, but no batch, epoch or stage for so long, and no worker that would have ended it
END_SECONDS = 60.0  # how long the end of a training waits for a database that is away
Progress = dict[str, int | float | str | None]
OUT_OF_MEMORY = "Out of memory: try a smaller batch or fewer training images."
# how Python, PyTorch, the dynamic linker and the system say that memory ran out
NO_MEMORY = (
    "memoryerror", "not enough memory", "can't allocate memory", "cannot allocate memory", "failed to map segment",
    "can't start new thread",
)  # fmt: skip
LOST = 75  # exit status when another attempt owns the job: nothing to report (EX_TEMPFAIL)


class Stopped(Exception):
    """The system asked the trainer to end."""


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


class Pulse(threading.Thread):
    """Heartbeat, progress and cancel flag from a thread of its own: a slow batch is not a dead trainer."""

    def __init__(self, table: JobTable, job: Job) -> None:
        super().__init__(name="pulse", daemon=True)
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
        last = told = -BEAT_SECONDS
        moved = time.monotonic()
        while not self.ended.wait(TICK_SECONDS):
            progress, now = dict(self.progress), time.monotonic()
            moved = now if progress != written else moved
            try:
                if now - moved > STALL_SECONDS:
                    self._table.finish(self._job, "failed", "No progress for a long time, so it was stopped.")
                    os._exit(1)
                if self.epochs or (self.steps and now - told >= STEP_SECONDS):
                    self.flush()
                    told = now
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


def run_job(job_id: str, *, home: Path | None = None) -> int:
    """Train what the row says and write into the row how it went; the exit status (0 done, else not).

    Raises LookupError for an unknown job and for one that this process has no lease of.
    """
    table = JobTable(home or home_dir())
    job = table.get(job_id)
    if job is None or job.state != "running" or job.lease is None or job.lease != os.environ.get(LEASE):
        raise LookupError(f"job {job_id} is not this process's to run; the worker starts it: python -m ml work")
    try:
        _patiently(lambda: table.own(job))
        _limit()
        pulse = Pulse(table, job)
        pulse.start()
        state, cause = _train(table, job, pulse)
        if state == "cancelled":
            from ml.artifacts import writer

            writer.discard(table.partial(job))
        if cause:
            print(cause, file=sys.stderr)
        if state == "done":
            _track(table, job, pulse)
        _patiently(lambda: _finish(table, job, pulse, state, cause))
        if state == "done":
            _complete(table, job)
        pulse.ended.set()
    except Lost:
        return LOST
    return 0 if state == "done" else 1


def _track(table: JobTable, job: Job, pulse: Pulse) -> None:
    """Tell MLflow of the published run, where that is asked for; the job is running until then."""
    from ml.artifacts.reader import Library
    from ml.publishing import mlflow

    if mlflow.wanted():
        pulse.progress = {**pulse.progress, "stage": "telling MLflow", "left": None, "speed": None}
        mlflow.tell(Library(ARTIFACTS, table.home), job.run_id)


def _finish(table: JobTable, job: Job, pulse: Pulse, state: str, cause: str) -> None:
    """Write the end down. Raises Lost, SQLAlchemyError."""
    pulse.flush()
    table.finish(job, state, cause, again=bool(broker()))  # in a cluster another worker goes on


def _patiently(act: Callable[[], object]) -> None:
    """Do it, however long the database needs, within reason. Raises what act does."""
    limit = time.monotonic() + END_SECONDS
    while True:
        try:
            act()
            return
        except SQLAlchemyError:
            if time.monotonic() > limit:
                raise
            time.sleep(TICK_SECONDS)


def _train(table: JobTable, job: Job, pulse: Pulse) -> tuple[str, str]:
    """The state the job ends in, and why."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    pulse.progress = {"stage": "loading"}
    try:
        from ml.pipeline import Callbacks, train
        from ml.training.config import TrainConfig
        from ml.training.loop import Cancelled, Diverged
    except Exception as error:  # out of memory has many faces while libraries load
        traceback.print_exc()
        return "failed", cause_of(error)

    def check() -> None:
        while pulse.alone and not stopped.is_set():
            time.sleep(TICK_SECONDS)  # the pulse ends the process should the job be another's by now
        if pulse.cancelled.is_set():
            raise Cancelled
        if stopped.is_set():
            raise Stopped

    config = TrainConfig(**job.spec)
    pace = Pace(config.batch_size)

    begun = False

    def on_batch(done: int, total: int) -> None:
        nonlocal begun
        if not begun and job.attempt > 1:
            with contextlib.suppress(SQLAlchemyError):  # then the first measures replace what is after them
                table.rewind(job, done)
        begun = True
        left, speed = pace.at(done, total, time.monotonic())
        pulse.progress = {"batch": done, "batches": total, "stage": "training", "left": left, "speed": speed}
        check()

    def on_step(words: str) -> None:
        pulse.progress = {**pulse.progress, "stage": words, "left": None, "speed": None}
        print(words, flush=True)
        check()

    def on_epoch(epoch) -> None:
        pulse.epochs.append(asdict(epoch))
        with contextlib.suppress(SQLAlchemyError):  # the pulse tries again
            pulse.flush()
        print(
            f"epoch {epoch.epoch}/{job.epochs} loss {epoch.train_loss:.4f} validation loss {epoch.validation_loss:.4f} "
            f"validation accuracy {epoch.validation_accuracy:.4f}  {epoch.images_per_second:,.0f} images/s",
            flush=True,
        )

    try:
        train(
            config,
            run_id=job.run_id,
            home=table.home,
            callbacks=Callbacks(on_batch, lambda metrics: pulse.steps.append(asdict(metrics)), on_epoch, on_step),
            command=f"python -m ml train --job {job.id}",
            resume=job.attempt > 1,
            slow=False,
        )
    except (Cancelled, Stopped, Exception) as error:
        if table.published(job):
            return "done", ""
        if isinstance(error, Cancelled):
            return "cancelled", ""
        if isinstance(error, Stopped):
            return "interrupted", "The machine asked the training to stop."
        if isinstance(error, Lost):
            raise
        traceback.print_exc()
        return "failed", f"Diverged: {error}." if isinstance(error, Diverged) else cause_of(error)
    return "done", ""


def _complete(table: JobTable, job: Job) -> None:
    """Queue what takes long and nobody waits for: the run can be used without it."""
    from ml.evaluation import AFTER_PUBLISHING

    try:
        table.submit({"nouns": list(AFTER_PUBLISHING)}, job.run_id, epochs=0, kind="evaluate")
    except Refused:  # too many are waiting; the panels name the command that makes them
        print(f"left out: {', '.join(AFTER_PUBLISHING)}", flush=True)


def cause_of(error: BaseException) -> str:
    """Why a training failed, in one sentence without paths or code."""
    words = str(error)
    if isinstance(error, MemoryError) or out_of_memory(words) or _at_limit():
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space, then resume."
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "The app's data folder cannot be written to."
    if type(error).__name__ == "DataMissing":
        return "The training pictures are not on this machine: fetch the data set, then resume."
    if type(error).__name__ in ("WeightsMissing", "NotInstalled", "Gone", "Missing", "Broken"):
        return words
    if isinstance(error, FileExistsError):
        return "A run of this name exists already."
    if isinstance(error, KeyError):
        return f"Not known here: {words.strip(chr(34))}"
    if isinstance(error, ImportError):
        return "PyTorch cannot be loaded on this machine; the log says why."
    return f"The training stopped with an error ({type(error).__name__}); the log says more."


def out_of_memory(words: str) -> bool:
    """Whether an error message or the end of a log speaks of too little memory."""
    return any(sign in words.lower() for sign in NO_MEMORY)


def _at_limit() -> bool:
    """Whether the address space has reached its limit: libraries then fail in any way they like."""
    if not os.environ.get(MEMORY) or not Path("/proc/self/status").exists():
        return False
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmPeak:") + 1]) * 1024 > 0.9 * int(os.environ[MEMORY]) * 2**20


def _limit() -> None:
    """Give way to the web server, and stay below FASHION_TRAIN_MEMORY_MB where that is set and the system can do it."""
    if hasattr(os, "nice"):
        os.nice(10)
    megabytes = os.environ.get(MEMORY)
    if megabytes and sys.platform != "win32":
        import resource

        size = int(megabytes) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
