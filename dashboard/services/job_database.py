"""The job table as a web server reaches it: opened when first needed, and gone for a while at any time."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from ml import settings
from ml.jobs import start
from ml.jobs.broker import broker
from ml.jobs.liveness import Watch, Workers
from ml.jobs.notifier import Notifier
from ml.jobs.queue import JobTable, Refused, permit
from ml.jobs.tables import Job
from ml.system import database, disk
from ml.system.paths import home_dir

log = logging.getLogger(__name__)

WAKE_SECONDS = 3.0  # between two attempts to start a worker; twice as long after each that was in vain
WAKE_LONGEST = 60.0
SILENT_SECONDS = 10.0  # a trainer that has not beaten for so long is stopped, or waits for its disk
STANDSTILL_SECONDS = 25.0  # it beats, but has done no batch for so long
LOADING_SECONDS = 60.0  # a worker that lives may take so long to put its name down
READ_ONLY = "This server shows runs and trains none (it was started with --read-only)."
NO_BROKER = (
    "The job queue (Redis) cannot be reached. Trainings under way go on; new ones wait and begin by themselves once it "
    "is back. Everything else works."
)
NO_WORKER = "No training worker is connected: trainings wait until one is."
NO_DATABASE = "The job database cannot be used just now, so nothing can be started or stopped. Looking works on."


class JobDatabase:
    """The job table of one home folder, its workers and its broker. Thread-safe.

    Raises ValueError where a setting in the environment cannot be read.
    """

    def __init__(self, home: Path | None = None, *, read_only: bool = False) -> None:
        self.home = home or home_dir()
        self.read_only = read_only
        self.slots = settings.Workers.read().slots
        self._notifier = Notifier(url) if (url := broker()) else None
        self._opened: JobTable | None = None
        self._trouble = NO_DATABASE  # of the last attempt to open it
        self._lock = threading.Lock()
        self._watch = Watch()
        self._silence, self._standstill = Watch(SILENT_SECONDS), Watch(STANDSTILL_SECONDS)
        self._woken, self._pause = -WAKE_LONGEST, 0.0
        self._loading: subprocess.Popen | None = None  # the worker that was started last

    def table(self) -> JobTable | None:
        """The rows; None where the database cannot be opened just now."""
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = JobTable(self.home)
                except (OSError, SQLAlchemyError, RuntimeError, ImportError) as error:
                    log.warning("the job database cannot be opened: %s", error)
                    self._trouble = disk.told(error, NO_DATABASE)
            return self._opened

    def wake(self) -> bool:
        """Start a worker where none is alive or on its way; whether one was started.

        A cluster's workers are started elsewhere.
        """
        table = self.table()
        if table is None or self.read_only or self._notifier is not None:
            return False
        with self._lock:
            since = time.monotonic() - self._woken
            loading = self._loading is not None and self._loading.poll() is None and since < LOADING_SECONDS
            if loading or since < self._pause or self._staffed(table):
                return False
            self._woken, self._pause = time.monotonic(), min(max(2 * self._pause, WAKE_SECONDS), WAKE_LONGEST)
            self._loading = start.start_worker(self.home)
        return True

    def health(self) -> dict[str, str]:
        """database: ok or unavailable; worker: running or stopped (it starts when a training is asked for).

        broker: none (this machine trains by itself), ok or unreachable.
        """
        table = self.table()
        states = {"database": "unavailable", "worker": "stopped", "broker": "none"}
        if table is not None and database.healthy(table.engine):
            states |= {"database": "ok", "worker": "running" if Workers(table).alive(self._watch) else "stopped"}
        if self._notifier is not None:
            states["broker"] = "unreachable" if self._notifier.reachable is False else "ok"
        return states

    @property
    def clustered(self) -> bool:
        """Whether trainings are done by Celery's workers."""
        return self._notifier is not None

    @property
    def reachable(self) -> bool:
        """Whether the cluster's broker answers; yes until it was found out."""
        return self._notifier is not None and self._notifier.reachable is not False

    def trouble(self) -> str:
        """What everybody should know of the cluster just now, in words; '' when all is well."""
        if self._notifier is None or self.read_only:
            return ""
        if not self.reachable:
            return NO_BROKER
        table = self.table()
        try:
            if table is not None and table.busy() and not Workers(table).alive(self._watch):
                return NO_WORKER
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
        return ""

    def _staffed(self, table: JobTable) -> bool:
        """Whether a worker is alive; then the next one that is missed is started without a pause."""
        alive = Workers(table).alive(self._watch)
        if alive:
            self._pause = 0.0
        return alive

    def _announce(self, job: Job) -> Job:
        if self._notifier is not None and job.state == "queued":
            self._notifier.notify(job.id)
        return job

    def _write(self, change: Callable[[JobTable], Job]) -> Job:
        table = self.table()
        if table is None:
            raise Refused(self._trouble)
        try:
            return change(table)
        except SQLAlchemyError as error:
            log.exception("the job database cannot be written")
            raise Refused(disk.told(error, NO_DATABASE)) from error

    def permit(self, act: str) -> None:
        """Raises Refused before anything is written, frozen lessons too."""
        if self.read_only:
            raise Refused(READ_ONLY)
        permit(act)
