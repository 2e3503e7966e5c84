"""Who is alive: beats that stand still, workers that left, and the end of jobs whose process is no more."""

import contextlib
import secrets
import shutil
import socket
import time
from collections.abc import Collection

from sqlalchemy import RowMapping, delete, func, insert, select, update

from ml.jobs.processes import end, gone, this_process
from ml.jobs.queue import JobTable, Lost
from ml.jobs.tables import ACTIVE, KINDS, PROCESS, SCRIPT, Job, jobs, workers
from ml.system import database

BEAT_SECONDS = 2.0
STALE_SECONDS = 8.0
STALL_SECONDS = 1800.0  # alive, but no batch, epoch or stage for so long


class Watch:
    """Tells which beats have stood still for `seconds` of this process's monotonic clock: no wall clock is compared.

    With `fair`, who has not looked for so long itself (the database was away) begins anew: it cannot say who was
    silent meanwhile.
    """

    def __init__(self, seconds: float = STALE_SECONDS) -> None:
        self.seconds = seconds
        self._seen: dict[str, tuple[int, float, float]] = {}  # beat, since when, last looked at

    def stale(self, key: str, beat: int, now: float | None = None, *, fair: bool = False) -> bool:
        """key: one attempt or worker; now: seconds of time.monotonic()."""
        return self.still(key, beat, now, fair=fair) >= self.seconds

    def still(self, key: str, beat: int, now: float | None = None, *, fair: bool = False) -> float:
        """For how many seconds the beat has stood still, as far as this has been seen."""
        now = time.monotonic() if now is None else now
        known = self._seen.get(key)
        if known is None or known[0] != beat or (fair and now - known[2] >= self.seconds):
            known = (beat, now, now)
        self._seen[key] = (beat, known[1], now)
        return now - known[1]

    def keep(self, keys: set[str]) -> None:
        """Forget everything but these."""
        self._seen = {key: value for key, value in self._seen.items() if key in keys}


def reap(
    table: JobTable,
    watch: Watch,
    *,
    except_leases: Collection[str | None] = (),
    again: bool = False,
    patience: float = STALL_SECONDS,
) -> list[Job]:
    """End running jobs whose process is gone or silent; the jobs as they are then.

    A trainer that is there on this machine, and silent, was stopped or waits for its disk: it may go on, so it is ended
    only when it was asked to, or after `patience` seconds.

    except_leases: attempts whose process the caller watches itself, and knows more about than their silence.
    again: as in `JobTable.finish`.
    """
    reaped = []
    for job in table.running():
        still = watch.still(f"{job.lease}", job.beat, fair=True)
        dead = gone(job.host, job.pid, job.pid_started, job.boot)
        here = job.host == socket.gethostname() and job.pid is not None and not dead
        silent = still >= (patience if here and not job.cancel else watch.seconds)
        if job.kind != "train" and not dead and job.host == socket.gethostname() and job.pid is not None:
            continue  # alive, and only its worker, which is not there any more, would have signed for it
        if job.lease not in except_leases and (silent or dead):
            with contextlib.suppress(Lost):
                reaped.append(conclude(table, job, again=again) if job.kind != SCRIPT else _script_ended(table, job))
                end(job.host, job.pid, job.pid_started, job.boot)
    return reaped


def conclude(
    table: JobTable,
    job: Job,
    state: str = "interrupted",
    cause: str = "Its process ended without a word.",
    *,
    again: bool = False,
) -> Job:
    """End a job whose process is no more: done if the run is published, cancelled if asked for, else `state`.

    Raises Lost.
    """
    if table.published(job):
        return table.finish(job, "done")
    if job.cancel:
        shutil.rmtree(table.partial(job), ignore_errors=True)
        return table.finish(job, "cancelled")
    return table.finish(job, state, cause, again=again)


def _script_ended(table: JobTable, job: Job) -> Job:
    """End the row of a script that is no more. What it told is on the disk of its machine, and waits for it."""
    return conclude(table, job, cause="The script ended without a word. What it told is kept.")


class Workers:
    """The list of workers in the database of a job table: each puts itself down and beats."""

    def __init__(self, table: JobTable) -> None:
        self._engine = table.engine
        self._writer = database.writer(table.engine)

    def register(self) -> str:
        """Write down that this process is a worker; its id."""
        worker = secrets.token_hex(16)
        with self._writer.begin() as connection:
            known = connection.execute(select(workers)).mappings().all()
            dead = [row["id"] for row in known if gone(*(row[name] for name in PROCESS))]
            connection.execute(delete(workers).where(workers.c.id.in_(dead)))
            connection.execute(insert(workers).values(id=worker, beat=0, started=time.time(), **this_process()))
        return worker

    def beat(self, worker: str) -> bool:
        """A worker's sign of life; False when it was struck off the list meanwhile."""
        with self._writer.begin() as connection:
            mine = update(workers).where(workers.c.id == worker).values(beat=workers.c.beat + 1)
            return bool(connection.execute(mine).rowcount)

    def prune(self, watch: Watch) -> None:
        """Strike workers of other machines off that have been silent: nobody there may be left to do it."""
        silent = [row["id"] for row in self._rows() if watch.stale(row["id"], row["beat"])]
        if silent:
            with self._writer.begin() as connection:
                connection.execute(delete(workers).where(workers.c.id.in_(silent)))

    def unregister(self, worker: str, *, force: bool = False) -> bool:
        """Strike the worker off unless work is left, in one transaction: no job falls between two workers."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            left = connection.scalar(select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.kind.in_(KINDS)))
            if left and not force:
                return False
            connection.execute(delete(workers).where(workers.c.id == worker))
            return True

    def alive(self, watch: Watch) -> bool:
        """Whether any worker is there and alive."""
        return any(
            not gone(*(row[name] for name in PROCESS)) and not watch.stale(row["id"], row["beat"])
            for row in self._rows()
        )

    def _rows(self) -> list[RowMapping]:
        with self._engine.connect() as connection:
            return list(connection.execute(select(workers)).mappings())
