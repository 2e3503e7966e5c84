"""Shards of one job, done by its own process and by whatever workers are idle. The table says who does which.

A shard's result is a file that says of itself that it is whole (ml.system.shards). So the table only hands out: a claim
gives a lease, its process beats, and the job's own process takes from the dead what they had, to be done by another.
Whoever lost a shard and does it all the same harms nothing.
"""

import contextlib
import os
import secrets
import shutil
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, and_, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.broker import broker
from ml.jobs.causes import LOST
from ml.jobs.heartbeat import Heartbeat, patiently
from ml.jobs.liveness import BEAT_SECONDS, Watch
from ml.jobs.processes import gone, this_process
from ml.jobs.queue import JobTable, Lost
from ml.jobs.reading import SHARDS
from ml.jobs.tables import PROCESS, Job, events, jobs, shards
from ml.settings import Attempt
from ml.system import database
from ml.system.shards import Shards

WAIT_SECONDS = 0.2  # between two looks whether others are done
FAILED = 3  # shards that a helper fails at, one after another, until it leaves
Opened = Callable[[Path, str], AbstractContextManager[Shards]]  # the folder of a job's shards, what they are of


@dataclass(frozen=True)
class Claim:
    """A shard that this process does. work: what it is a shard of."""

    job: str
    number: int
    work: str
    lease: str


class ShardTable:
    """The shards of the jobs of one table."""

    def __init__(self, table: JobTable) -> None:
        self.jobs = table
        self._writer = database.writer(table.engine)

    def lay_out(self, job: Job, work: Shards) -> None:
        """A row each, done where the result is there; what others do of the same work they go on with."""
        there = [work.there(number) for number in range(work.n)]
        mine = shards.c.job == job.id
        with self._writer.begin() as connection:
            database.serialise(connection)
            connection.execute(delete(shards).where(mine, shards.c.work != work.name))
            known = {row.number: row.done for row in connection.execute(select(shards).where(mine))}
            row = {"job": job.id, "work": work.name, "tries": 0, "home": False, "beat": 0}
            rows = [{**row, "number": i, "done": done} for i, done in enumerate(there) if i not in known]
            if rows:
                connection.execute(insert(shards), rows)
            for number, done in known.items():
                if done != there[number]:
                    one = update(shards).where(mine, shards.c.number == number, shards.c.lease.is_(None))
                    connection.execute(one.values(done=there[number]))

    def claim(self, job_id: str, *, own: bool) -> Claim | None:
        """The first that nobody does; None where there is none. own: whether this is the job's own process."""
        lease = secrets.token_hex(16)
        free = [shards.c.job == job_id, shards.c.done.is_(False), shards.c.lease.is_(None)]
        with self._writer.begin() as connection:
            database.serialise(connection)
            number = connection.scalar(
                select(func.min(shards.c.number)).where(*free, *([] if own else [shards.c.home.is_(False)]))
            )
            if number is None:
                return None
            change = {"lease": lease, "tries": shards.c.tries + 1, "beat": 0, **this_process()}
            mine = and_(shards.c.job == job_id, shards.c.number == number)
            work = connection.scalar(update(shards).where(mine).values(change).returning(shards.c.work))
            return Claim(job_id, number, str(work), lease)

    def beat(self, claim: Claim) -> None:
        """A sign of life. Raises Lost."""
        self._owned(claim, beat=shards.c.beat + 1)

    def done(self, claim: Claim) -> None:
        """Raises Lost."""
        self._owned(claim, done=True, lease=None)

    def give_up(self, claim: Claim, *, home: bool = False) -> None:
        """Others may have it; home: only the job's own process. Raises Lost."""
        change: dict[str, object] = {"lease": None, "home": True} if home else {"lease": None}
        self._owned(claim, None, **change)

    def _owned(self, claim: Claim, connection: Connection | None = None, **change: object) -> None:
        """Change a row only while this claim holds it."""
        if connection is None:
            with self._writer.begin() as connection:
                return self._owned(claim, connection, **change)
        mine = and_(shards.c.job == claim.job, shards.c.number == claim.number, shards.c.lease == claim.lease)
        if not connection.execute(update(shards).where(mine).values(**change)).rowcount:
            raise Lost(claim.job)

    def cut(self, job: Job, number: int) -> None:
        """Those behind one are not needed; who does one of them loses it."""
        with self._writer.begin() as connection:
            connection.execute(delete(shards).where(shards.c.job == job.id, shards.c.number > number))

    def take_back(self, job: Job, watch: Watch) -> list[int]:
        """From processes that are gone or silent; the numbers. Each is written down among the job's events."""
        columns = [shards.c[name] for name in ("number", "lease", "beat", *PROCESS)]
        with self.jobs.engine.connect() as connection:
            held = connection.execute(
                select(*columns).where(shards.c.job == job.id, shards.c.lease.is_not(None))
            ).mappings().all()  # fmt: skip
        watch.keep({row["lease"] for row in held})
        taken = []
        for row in held:
            dead = gone(*(row[name] for name in PROCESS))
            if not (watch.stale(row["lease"], row["beat"], fair=True) or dead):
                continue
            cause = f"shard {row['number']}: its process {'ended' if dead else 'was silent'}; another one does it"
            with contextlib.suppress(Lost), self._writer.begin() as connection:
                self._owned(Claim(job.id, row["number"], "", row["lease"]), connection, lease=None)
                self._note(connection, job, "shard", cause, host=row["host"], pid=row["pid"])
                taken.append(int(row["number"]))
        return taken

    def finished(self, job: Job) -> list[int]:
        """Numbers of those that are done."""
        query = select(shards.c.number).where(shards.c.job == job.id, shards.c.done).order_by(shards.c.number)
        with self.jobs.engine.connect() as connection:
            return list(connection.scalars(query))

    def inviting(self) -> list[str]:
        """Running jobs of which a shard waits that anybody can do."""
        waits = [shards.c.done.is_(False), shards.c.lease.is_(None), shards.c.home.is_(False)]
        query = select(shards.c.job).join(jobs, jobs.c.id == shards.c.job).where(jobs.c.state == "running", *waits)
        with self.jobs.engine.connect() as connection:
            return list(connection.scalars(query.distinct()))

    def forget(self, job: Job) -> None:
        """Delete the rows; who did how many of them, and which more than once, becomes an event of the job."""
        mine = shards.c.job == job.id
        with self._writer.begin() as connection:
            rows = connection.execute(select(shards).where(mine).order_by(shards.c.number)).mappings().all()
            connection.execute(delete(shards).where(mine))
            if rows:
                self._note(connection, job, "shards", told([dict(row) for row in rows]))

    @staticmethod
    def _note(connection: Connection, job: Job, event: str, cause: str, **who: object) -> None:
        row = {"job": job.id, "attempt": job.attempt, "event": event, "lease": job.lease, "host": job.host}
        connection.execute(insert(events).values({**row, "pid": job.pid, "cause": cause, "time": time.time(), **who}))


def told(rows: list[dict]) -> str:
    """Rows of one job in a sentence."""
    by = Counter(f"{row['host']} {row['pid']}" for row in rows if row["tries"])
    again = [str(row["number"]) for row in rows if row["tries"] > 1]
    words = f"{len(rows)} shards: {', '.join(f'{n} by {who}' for who, n in by.items())}"
    return words + (f"; done again: {', '.join(again)}" if again else "")


class Sharing:
    """A job whose work is shared: its own process, which beats for it. As ml.system.shards.Share has it."""

    def __init__(self, table: JobTable, job: Job) -> None:
        self.folder = table.partial(job)
        self._job, self._table = job, ShardTable(table)
        self._heartbeat = Heartbeat(table, job)

    def __enter__(self) -> "Sharing":
        self._heartbeat.start()
        sweep(self._table.jobs)
        return self

    def __exit__(self, *_: object) -> None:
        """The shards are joined by now, or were in vain. Whoever is killed comes by no such place, and finds them."""
        with contextlib.suppress(SQLAlchemyError):
            self._table.forget(self._job)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._heartbeat.stop()

    def cancelled(self) -> bool:
        """Whether the job shall end. Waits while nobody can say whose job it is; another's ends this process."""
        while self._heartbeat.alone:
            time.sleep(WAIT_SECONDS)
        return self._heartbeat.cancelled.is_set()

    def progress(self, done: int, total: int, what: str) -> None:
        """So far is the job; whoever was its worker may be gone."""
        self._heartbeat.progress = {"stage": what, "batch": done, "batches": total} if total > 1 else {"stage": what}

    def __call__(self, work: Shards, /) -> None:
        """Beside everybody who helps. Raises what doing and telling raise."""
        patiently(lambda: self._table.lay_out(self._job, work))
        watch, last, seen = Watch(), work.n, set[int]()
        while True:
            claim = patiently(lambda: self._table.claim(self._job.id, own=True))
            if claim is not None:
                with _beating(self._table, claim, lambda: None):
                    work.do(claim.number)
                with contextlib.suppress(Lost):  # it is there all the same
                    patiently(lambda: self._table.done(claim))  # noqa: B023
            done = set(patiently(lambda: self._table.finished(self._job)))
            work.tell(len(done))
            for number in sorted(done - seen):
                if number < last and work.last(number):
                    last = number
                    patiently(lambda: self._table.cut(self._job, last))  # noqa: B023
            seen |= done
            if done >= set(range(min(last + 1, work.n))):
                return
            if claim is None:
                patiently(lambda: self._table.take_back(self._job, watch))
                time.sleep(WAIT_SECONDS)


@contextlib.contextmanager
def sharing(home: Path) -> Iterator[Sharing | None]:
    """What has this process's job done by several; None where it does no job of a cluster."""
    lease = Attempt.read().lease
    job = (table := JobTable(home)).of_lease(lease) if lease and broker() else None
    if job is None:
        yield None
        return
    with Sharing(table, job) as made:
        yield made


def help_with(job_id: str, opened: Opened, home: Path) -> int:
    """`python -m ml work --shards ID`: shards of a running job, one after another, until none waits or people wait for
    a training; the exit status."""
    table = ShardTable(JobTable(home))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    failed = 0
    with contextlib.ExitStack() as stack:
        work: Shards | None = None
        while failed < FAILED and (claim := patiently(lambda: table.claim(job_id, own=False))) is not None:
            share = home / SHARDS / job_id
            try:
                with _beating(table, claim, lambda: os._exit(LOST)):
                    if work is None or work.name != claim.work:
                        work = stack.enter_context(opened(share, claim.work))
                    work.do(claim.number)
                patiently(lambda: table.done(claim))
                failed = 0
            except Lost:
                return LOST
            except Exception:  # what is not here, or full, may be otherwise for the job's own process
                traceback.print_exc()
                failed += 1
                with contextlib.suppress(Lost):
                    patiently(lambda: table.give_up(claim, home=True))
            except SystemExit:
                with contextlib.suppress(Lost, SQLAlchemyError):
                    table.give_up(claim)
                raise
            if table.jobs.queued(("train",)):
                break
    sweep(table.jobs)
    return 1 if failed else 0


def sweep(table: JobTable) -> None:
    """Remove what is left of the shards of jobs that are over; those of one that can be resumed stay."""
    for folder in (table.home / SHARDS).glob("*"):
        job = table.get(folder.name)
        if job is None or job.state in ("done", "cancelled"):
            shutil.rmtree(folder, ignore_errors=True)
            if job is not None:
                ShardTable(table).forget(job)


@contextlib.contextmanager
def _beating(table: ShardTable, claim: Claim, lost: Callable[[], object]) -> Iterator[None]:
    """Beats for a shard from a thread of its own. lost: is called once it is another's."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            try:
                table.beat(claim)
            except Lost:
                lost()
                return
            except SQLAlchemyError:
                traceback.print_exc()

    thread = threading.Thread(target=beat, name="shard", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
