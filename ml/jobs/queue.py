"""The job rows: insert or refuse, claim, heartbeat, cancel, resume, finish. Each change is one transaction.

queued → running → done | failed | cancelled | interrupted; interrupted and failed → queued by `resume`.
A `lease` names one attempt at a job. Whoever has lost it can change nothing, so a job has one owner at a time.
`job_events` keeps every change: who held which lease, from when until when.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ml.system import database

QUEUE = 5  # waiting jobs; one more is refused
SLOTS = 1  # jobs of one kind that run at a time
WORKERS = "FASHION_WORKERS"  # trainings that run at a time on this machine
MOST_WORKERS = 64
LIVES = 5  # attempts at a training whose workers are lost one after the other
BEAT_SECONDS = 2.0
STALE_SECONDS = 8.0
ACTIVE = ("queued", "running")
RESUMABLE = ("interrupted", "failed")
ENDED = ("done", "failed", "cancelled", "interrupted")
STATES = (*ACTIVE, *ENDED)
STEPS = 400  # points of a curve within the epochs, at most
KINDS = ("train", "data", "evaluate")  # a training, the fetching of a data set, what a published run lacks


class Refused(Exception):
    """A request that the rules forbid; the message is for the person who asked. `field` names the input at fault."""

    def __init__(self, words: str, field: str = "") -> None:
        super().__init__(words)
        self.field = field


class Lost(Exception):
    """This attempt no longer owns its job."""


@dataclass(frozen=True)
class Job:
    """One row. Times are seconds since 1970; batch and batches count steps of the whole training.

    beat: counts signs of life; stage: what the process does just now, in words; left: seconds of
    training to come; speed: training images per second; cause: why it ended, in words.
    """

    number: int
    id: str
    kind: str
    run_id: str
    spec: dict[str, Any]
    state: str
    attempt: int
    epoch: int
    epochs: int
    batch: int
    batches: int
    cancel: bool
    lease: str | None
    host: str | None
    pid: int | None
    pid_started: float | None
    beat: int
    stage: str
    left: float | None
    speed: float | None
    created: float
    started: float | None
    finished: float | None
    cause: str

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


def _schema_1() -> tuple[Table, Table, Table, MetaData]:
    """The tables as the first migration makes them. A later version writes its own function and leaves this one."""
    metadata = MetaData()
    jobs = Table(
        "jobs",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),  # the queue's order: clocks may step back
        Column("id", String(32), nullable=False, unique=True),
        Column("kind", String(16), nullable=False),
        Column("run_id", String(64), nullable=False),
        Column("spec", JSON, nullable=False),
        Column("state", String(16), CheckConstraint(f"state IN {STATES}"), nullable=False),
        Column("slot", Integer),
        Column("attempt", Integer, nullable=False),
        Column("epoch", Integer, nullable=False),
        Column("epochs", Integer, nullable=False),
        Column("batch", Integer, nullable=False),
        Column("batches", Integer, nullable=False),
        Column("cancel", Boolean, nullable=False),
        Column("intent", String(64), unique=True),
        Column("lease", String(32)),
        Column("host", String(255)),
        Column("pid", Integer),
        Column("pid_started", Float),
        Column("beat", Integer, nullable=False),
        Column("stage", String(80), nullable=False),
        Column("left", Float),
        Column("speed", Float),
        Column("created", Float, nullable=False),
        Column("started", Float),
        Column("finished", Float),
        Column("cause", Text, nullable=False),
        sqlite_autoincrement=True,
    )
    running, holds_name = jobs.c.state == "running", (jobs.c.kind == "train") & (jobs.c.state != "cancelled")
    slot = (jobs.c.kind, jobs.c.slot)
    Index("jobs_running", *slot, unique=True, sqlite_where=running, postgresql_where=running)
    Index("jobs_name", jobs.c.run_id, unique=True, sqlite_where=holds_name, postgresql_where=holds_name)
    epochs = Table(
        "job_epochs",
        metadata,
        Column("job", String(32), ForeignKey("jobs.id"), primary_key=True),
        Column("epoch", Integer, primary_key=True),
        *(
            Column(name, Float, nullable=False)
            for name in (
                "train_loss",
                "train_accuracy",
                "validation_loss",
                "validation_accuracy",
                "learning_rate",
                "seconds",
                "images_per_second",
            )
        ),
    )
    workers = Table(
        "workers",
        metadata,
        Column("id", String(32), primary_key=True),
        Column("host", String(255), nullable=False),
        Column("pid", Integer, nullable=False),
        Column("pid_started", Float, nullable=False),
        Column("beat", Integer, nullable=False),
        Column("started", Float, nullable=False),
    )
    return jobs, epochs, workers, metadata


jobs, epochs, workers, _metadata = _schema_1()


def _schema_2() -> tuple[Table, MetaData]:
    """Measures within the epochs."""
    metadata = MetaData()
    steps = Table(
        "job_steps",
        metadata,
        Column("job", String(32), primary_key=True),
        Column("batch", Integer, primary_key=True, autoincrement=False),
        *(Column(name, Float, nullable=False) for name in ("loss", "accuracy", "learning_rate", "images_per_second")),
    )
    return steps, metadata


steps, _ = _schema_2()


def _schema_3() -> tuple[Table, MetaData]:
    """What happened to a job: each change of its state, and which process took an attempt on."""
    metadata = MetaData()
    events = Table(
        "job_events",
        metadata,
        Column("number", Integer, primary_key=True, autoincrement=True),
        Column("job", String(32), nullable=False, index=True),
        Column("attempt", Integer, nullable=False),
        Column("event", String(16), nullable=False),
        Column("lease", String(32)),
        Column("host", String(255)),
        Column("pid", Integer),
        Column("cause", Text, nullable=False),
        Column("time", Float, nullable=False),
        sqlite_autoincrement=True,
    )
    return events, metadata


events, _ = _schema_3()


def _step_1(connection: Connection) -> None:
    _schema_1()[-1].create_all(connection)


def _step_2(connection: Connection) -> None:
    _schema_2()[-1].create_all(connection)


def _step_3(connection: Connection) -> None:
    _schema_3()[-1].create_all(connection)


MIGRATIONS = (_step_1, _step_2, _step_3)
_COLUMNS = [jobs.c[name] for name in Job.__dataclass_fields__]


def machine_slots() -> int:
    """FASHION_WORKERS: how many trainings run at a time on this machine, 1 when unset. Raises ValueError, in words."""
    said = os.environ.get(WORKERS, "").strip() or str(SLOTS)
    if not said.isascii() or not said.isdecimal() or not 1 <= int(said[:9]) <= MOST_WORKERS:
        raise ValueError(
            f"{WORKERS} is how many trainings run at a time on this machine: "
            f"a whole number from 1 to {MOST_WORKERS}, not {said[:40]!r}."
        )
    return int(said)


def this_process(pid: int | None = None) -> dict[str, Any]:
    """host, pid and pid_started of a process of this machine: a pid alone may be used again."""
    process = psutil.Process(pid)
    return {"host": socket.gethostname(), "pid": process.pid, "pid_started": process.create_time()}


def gone(host: str | None, pid: int | None, pid_started: float | None) -> bool:
    """True when the process was on this machine and is not there any more; False when that cannot be said."""
    if host != socket.gethostname() or pid is None or pid_started is None:
        return False
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - pid_started) > 2 or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def end(job: Job) -> None:
    """Kill what still works on a job that was ended: a process of this machine that is stuck and beats no more."""
    if job.pid is None or job.host != socket.gethostname() or gone(job.host, job.pid, job.pid_started):
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg") and os.getpgid(job.pid) == job.pid:  # a trainer leads its own group
            os.killpg(job.pid, signal.SIGKILL)
        elif job.pid != os.getpid():
            psutil.Process(job.pid).kill()


class Watch:
    """Tells which beats have stood still for `seconds` of this process's monotonic clock: no wall clock is compared.

    With `fair`, who has not looked for so long itself (the database was away) begins anew: it cannot say who was
    silent meanwhile.
    """

    def __init__(self, seconds: float = STALE_SECONDS) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[int, float, float]] = {}  # beat, since when, last looked at

    def stale(self, key: str, beat: int, now: float | None = None, *, fair: bool = False) -> bool:
        """key: one attempt or worker; now: seconds of time.monotonic()."""
        now = time.monotonic() if now is None else now
        known = self._seen.get(key)
        if known is None or known[0] != beat or (fair and now - known[2] >= self._seconds):
            known = (beat, now, now)
        self._seen[key] = (beat, known[1], now)
        return now - known[1] >= self._seconds

    def keep(self, keys: set[str]) -> None:
        """Forget everything but these."""
        self._seen = {key: value for key, value in self._seen.items() if key in keys}


class JobTable:
    """The jobs of one home folder.

    slots: how many trainings run at a time on this machine; FASHION_WORKERS when None. Raises ValueError.
    """

    def __init__(self, home: Path, *, slots: int | None = None) -> None:
        self.home = home
        self.slots = machine_slots() if slots is None else slots
        self.engine = database.open_engine(home)
        self._writer = database.writer(self.engine)
        database.migrate(self.engine, "jobs", MIGRATIONS)

    # ---- read

    def get(self, job_id: str) -> Job | None:
        return self._one(select(*_COLUMNS).where(jobs.c.id == job_id))

    def listing(self, limit: int = 200, kind: str = "train") -> list[Job]:
        """Newest first."""
        query = select(*_COLUMNS).where(jobs.c.kind == kind).order_by(jobs.c.number.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [Job(**row) for row in connection.execute(query).mappings()]

    def current(self, kind: str = "train") -> Job | None:
        """The job a page shows first: the running one, else the first in the queue, else the last one that ended."""
        rank = (jobs.c.state == "running").desc(), (jobs.c.state == "queued").desc()
        return self._one(
            select(*_COLUMNS)
            .where(jobs.c.kind == kind)
            .order_by(*rank, func.coalesce(-jobs.c.finished, jobs.c.number), jobs.c.number.desc())
            .limit(1)
        )

    def history(self, job_id: str) -> list[dict[str, float]]:
        """One mapping an epoch, ascending, with the columns of the `history` noun."""
        columns = [column for column in epochs.c if column.name != "job"]
        query = select(*columns).where(epochs.c.job == job_id).order_by(epochs.c.epoch)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def steps(self, job_id: str, limit: int = STEPS) -> list[dict[str, float]]:
        """At most `limit` mappings with batch, loss, accuracy, learning_rate and images_per_second, ascending.

        Where there are more rows, neighbours are averaged in groups of 2, 4, 8 …, named by their last batch: a group
        that is full stays as it is while the training goes on.
        """
        mine, measures = steps.c.job == job_id, [c for c in steps.c if c.name not in ("job", "batch")]
        with self.engine.connect() as connection:
            rows = int(connection.scalar(select(func.count()).where(mine)) or 0)
            width = 1
            while -(-rows // width) > limit:
                width *= 2
            group = ((func.row_number().over(order_by=steps.c.batch) - 1) // width).label("part")
            inner = select(group, steps.c.batch, *measures).where(mine).subquery()
            query = (
                select(
                    func.max(inner.c.batch).label("batch"), *(func.avg(inner.c[c.name]).label(c.name) for c in measures)
                )
                .group_by(inner.c.part)
                .order_by(inner.c.part)
            )
            return [dict(row) for row in connection.execute(query).mappings()]

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """What happened to a job, in order: number, attempt, event, lease, host, pid, cause, time (since 1970).

        event: a state, `owned` (a process took the attempt on) or `cancelling` (it was asked to stop).
        """
        columns = [column for column in events.c if column.name != "job"]
        query = select(*columns).where(events.c.job == job_id).order_by(events.c.number)
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def queued(self, kinds: Sequence[str] = KINDS) -> list[Job]:
        """Those that wait, first come first."""
        mine = (jobs.c.state == "queued", jobs.c.kind.in_(kinds))
        with self.engine.connect() as connection:
            rows = connection.execute(select(*_COLUMNS).where(*mine).order_by(jobs.c.number)).mappings()
            return [Job(**row) for row in rows]

    def waiting(self, kind: str = "train") -> int:
        with self.engine.connect() as connection:
            return self._count(connection, kind, "queued")

    def position(self, job: Job) -> int:
        """Place in the queue from 1; 0 when it does not wait."""
        if job.state != "queued":
            return 0
        ahead = select(func.count()).where(
            jobs.c.kind == job.kind, jobs.c.state == "queued", jobs.c.number <= job.number
        )
        with self.engine.connect() as connection:
            return int(connection.scalar(ahead) or 0)

    # ---- ask

    def submit(
        self, spec: Mapping[str, Any], run_id: str, *, epochs: int, kind: str = "train", intent: str | None = None
    ) -> Job:
        """Insert a queued row. The same intent again gives the row of the first time. Raises Refused."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            if intent is not None:
                known = connection.execute(select(*_COLUMNS).where(jobs.c.intent == intent)).mappings().first()
                if known is not None:
                    return Job(**known)
            self._room(connection, kind)
            row = {
                "id": secrets.token_hex(16),
                "kind": kind,
                "run_id": run_id,
                "spec": dict(spec),
                "state": "queued",
                "attempt": 0,
                "epoch": 0,
                "epochs": epochs,
                "batch": 0,
                "batches": 0,
                "cancel": False,
                "intent": intent,
                "beat": 0,
                "stage": "",
                "created": time.time(),
                "cause": "",
            }
            try:
                created = connection.execute(insert(jobs).values(row).returning(*_COLUMNS)).mappings().one()
            except IntegrityError as error:
                raise Refused(f"The name {run_id} is taken.", "name") from error
            return self._note(connection, Job(**created), "queued")

    def cancel(self, job_id: str) -> Job:
        """A waiting job is cancelled at once, a running one is asked to stop. Raises Refused."""
        with self._writer.begin() as connection:
            job = self._locked(connection, job_id)
            if job.state == "queued":
                change: dict[str, Any] = {"state": "cancelled", "finished": time.time(), "cancel": True, "cause": ""}
                if job.attempt:  # it waited to go on
                    shutil.rmtree(self.partial(job), ignore_errors=True)
            elif job.state == "running":
                change = {"cancel": True}
            else:
                raise Refused(f"This job is {job.state}: there is nothing to cancel.")
            changed = self._change(connection, job_id, change)
            return self._note(connection, changed, "cancelled" if job.state == "queued" else "cancelling")

    def resume(self, job_id: str) -> Job:
        """Queue an interrupted or failed job again; it goes on after its last whole epoch. Raises Refused."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            job = self._locked(connection, job_id)
            if job.state not in RESUMABLE:
                raise Refused(f"This job is {job.state}: there is nothing to resume.")
            self._room(connection, job.kind)
            return self._requeue(connection, job_id, "")

    def discard(self, job_id: str) -> Job:
        """Give an interrupted or failed job up: what it made is deleted, its name is free again. Raises Refused."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            job = self._locked(connection, job_id)
            if job.state not in RESUMABLE:
                raise Refused(f"This job is {job.state}: there is nothing to discard.")
            # before the name is free: the next run of this name writes to the same folder
            shutil.rmtree(self.partial(job), ignore_errors=True)
            discarded = self._change(connection, job_id, {"state": "cancelled", "cause": job.cause})
            return self._note(connection, discarded, "cancelled")

    # ---- work

    def claim(self, kind: str = "train", *, job_id: str | None = None) -> Job | None:
        """Make a waiting job running, with a fresh lease: the one named, else the first in the queue.

        None when it does not wait, or when as many run as may: trainings on this machine, other kinds everywhere.
        """
        with self._writer.begin() as connection:
            database.serialise(connection)
            running = select(jobs.c.slot, jobs.c.host).where(jobs.c.kind == kind, jobs.c.state == "running")
            rows = connection.execute(running).all()
            named = [] if job_id is None else [jobs.c.id == job_id]
            waiting = connection.scalar(
                select(jobs.c.id)
                .where(jobs.c.kind == kind, jobs.c.state == "queued", *named)
                .order_by(jobs.c.number)
                .limit(1)
            )
            if waiting is None or not self._free(kind, [host for _, host in rows]):
                return None
            taken = {slot for slot, _ in rows}
            change = {
                "state": "running",
                "slot": next(slot for slot in range(len(taken) + 1) if slot not in taken),
                "lease": secrets.token_hex(16),
                "attempt": jobs.c.attempt + 1,
                "beat": jobs.c.beat + 1,
                "started": time.time(),
                "finished": None,
                "stage": "starting",
                "left": None,
                "speed": None,
                "host": socket.gethostname(),
                "pid": None,
                "pid_started": None,
            }
            return self._note(connection, self._change(connection, waiting, change), "running")

    def room(self, kind: str = "train") -> bool:
        """Whether one more of that kind may run on this machine."""
        running = select(jobs.c.host).where(jobs.c.kind == kind, jobs.c.state == "running")
        with self.engine.connect() as connection:
            return self._free(kind, connection.scalars(running).all())

    def _free(self, kind: str, hosts: Sequence[str | None]) -> bool:
        """hosts: where jobs of that kind run. Trainings have slots on each machine, other kinds one for all."""
        if kind == "train":
            return hosts.count(socket.gethostname()) < self.slots
        return len(hosts) < SLOTS

    def own(self, job: Job, pid: int | None = None) -> None:
        """Write down which process works on the job. Raises Lost."""
        with self._writer.begin() as connection:
            self._note(connection, self._owned(job, this_process(pid), connection), "owned")

    def beat(self, job: Job, **progress: int | str | float | None) -> bool:
        """A sign of life with batch, batches, stage, left, speed where they changed; whether to stop. Raises Lost."""
        return self._owned(job, {"beat": jobs.c.beat + 1, **progress}).cancel

    def cancelling(self, job: Job) -> bool:
        """Whether the job shall stop; reads only. Raises Lost."""
        now = self.get(job.id)
        if now is None or now.lease != job.lease or now.state != "running":
            raise Lost(job.id)
        return now.cancel

    def add_epoch(self, job: Job, row: Mapping[str, float]) -> None:
        """Store one epoch's history and count it, together. A repeated epoch (after resume) replaces. Raises Lost."""
        number = int(row["epoch"])
        with self._writer.begin() as connection:
            self._owned(job, {"epoch": number, "beat": jobs.c.beat + 1}, connection)
            connection.execute(delete(epochs).where(epochs.c.job == job.id, epochs.c.epoch >= number))
            connection.execute(insert(epochs).values(job=job.id, **row))

    def add_steps(self, job: Job, rows: Sequence[Mapping[str, float]]) -> None:
        """Store measures within the epochs, ascending by batch; rows from the first one's batch on are replaced.

        Raises Lost.
        """
        if not rows:
            return
        with self._writer.begin() as connection:
            self._owned(job, {"beat": jobs.c.beat + 1}, connection)
            connection.execute(delete(steps).where(steps.c.job == job.id, steps.c.batch >= rows[0]["batch"]))
            connection.execute(insert(steps), [{"job": job.id, **row} for row in rows])

    def rewind(self, job: Job, batch: int) -> None:
        """Forget the measures after a batch: a resumed training makes them anew. Raises Lost."""
        with self._writer.begin() as connection:
            self._owned(job, {"beat": jobs.c.beat + 1}, connection)
            connection.execute(delete(steps).where(steps.c.job == job.id, steps.c.batch > batch))

    def finish(self, job: Job, state: str, cause: str = "", *, again: bool = False) -> Job:
        """End this attempt. Raises Lost when it has been ended already.

        again: what is interrupted waits to go on by itself, with its cause kept, until it was tried `LIVES` times. It
        had its place, so no room is asked for.
        """
        if state not in ENDED:
            raise ValueError(f"{state} is not an end")
        change = {"state": state, "cause": cause, "finished": time.time(), "lease": None, "slot": None}
        with self._writer.begin() as connection:
            ended = self._note(connection, self._owned(job, change, connection), state, job.lease)
            if again and state == "interrupted" and ended.attempt < LIVES:
                return self._requeue(connection, job.id, f"{cause} It goes on by itself.".strip())
            return ended

    def reap(self, watch: Watch, *, except_leases: Collection[str | None] = (), again: bool = False) -> list[Job]:
        """End running jobs whose process is gone or silent; the jobs as they are then.

        except_leases: attempts whose process the caller watches itself, and knows more about than their silence.
        again: as in `finish`.
        """
        reaped = []
        for job in self._running():
            silent = watch.stale(f"{job.lease}", job.beat, fair=True)
            dead = gone(job.host, job.pid, job.pid_started)
            if job.kind != "train" and not dead and job.host == socket.gethostname() and job.pid is not None:
                continue  # alive, and only its worker, which is not there any more, would have signed for it
            if job.lease not in except_leases and (silent or dead):
                with contextlib.suppress(Lost):
                    reaped.append(self.bury(job, again=again))
                    end(job)
        return reaped

    def bury(
        self,
        job: Job,
        state: str = "interrupted",
        cause: str = "Its process ended without a word.",
        *,
        again: bool = False,
    ) -> Job:
        """End a job whose process is no more: done if the run is published, cancelled if asked for, else `state`."""
        if self.published(job):
            return self.finish(job, "done")
        if job.cancel:
            shutil.rmtree(self.partial(job), ignore_errors=True)
            return self.finish(job, "cancelled")
        return self.finish(job, state, cause, again=again)

    def published(self, job: Job) -> bool:
        """Whether the job's run is there, whole: a manifest is written last."""
        return job.kind == "train" and (self.home / "runs" / job.run_id / "manifest.json").is_file()

    def partial(self, job: Job) -> Path:
        """The folder of the run while it is being made."""
        return self.home / "runs" / f"{job.run_id}.partial"

    def log(self, job: Job) -> Path:
        """What the job's process printed."""
        return self.home / "logs" / f"{job.id}.log"

    def busy(self, kinds: Sequence[str] = KINDS) -> bool:
        """Whether any job of these kinds waits or runs."""
        query = select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.kind.in_(kinds))
        with self.engine.connect() as connection:
            return bool(connection.scalar(query))

    def at_work(self, run_id: str) -> bool:
        """Whether any job of that run, its training or a later evaluation, waits or runs."""
        query = select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.run_id == run_id)
        with self.engine.connect() as connection:
            return bool(connection.scalar(query))

    def names(self) -> frozenset[str]:
        """The run of every training but cancelled ones: no other training can take its name."""
        query = select(jobs.c.run_id).where(jobs.c.kind == "train", jobs.c.state != "cancelled")
        with self.engine.connect() as connection:
            return frozenset(connection.scalars(query))

    # ---- workers

    def enlist(self) -> str:
        """Write down that this process is a worker; its id."""
        worker = secrets.token_hex(16)
        with self._writer.begin() as connection:
            known = connection.execute(select(workers)).mappings().all()
            dead = [row["id"] for row in known if gone(row["host"], row["pid"], row["pid_started"])]
            connection.execute(delete(workers).where(workers.c.id.in_(dead)))
            connection.execute(insert(workers).values(id=worker, beat=0, started=time.time(), **this_process()))
        return worker

    def sign(self, worker: str) -> bool:
        """A worker's sign of life; False when it was struck off the list meanwhile."""
        with self._writer.begin() as connection:
            mine = update(workers).where(workers.c.id == worker).values(beat=workers.c.beat + 1)
            return bool(connection.execute(mine).rowcount)

    def strike(self, watch: Watch) -> None:
        """Strike workers of other machines off that have been silent: nobody there may be left to do it."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(workers)).mappings().all()
        silent = [row["id"] for row in rows if watch.stale(row["id"], row["beat"])]
        if silent:
            with self._writer.begin() as connection:
                connection.execute(delete(workers).where(workers.c.id.in_(silent)))

    def retire(self, worker: str, *, force: bool = False) -> bool:
        """Strike the worker off unless work is left, in one transaction: no job falls between two workers."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            left = connection.scalar(select(func.count()).where(jobs.c.state.in_(ACTIVE)))
            if left and not force:
                return False
            connection.execute(delete(workers).where(workers.c.id == worker))
            return True

    def has_worker(self, watch: Watch) -> bool:
        """Whether a worker is there and alive."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(workers)).mappings().all()
        return any(
            not gone(row["host"], row["pid"], row["pid_started"]) and not watch.stale(row["id"], row["beat"])
            for row in rows
        )

    # ---- inside

    def _one(self, query) -> Job | None:
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Job(**row)

    def _running(self) -> list[Job]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(*_COLUMNS).where(jobs.c.state == "running")).mappings()
            return [Job(**row) for row in rows]

    @staticmethod
    def _count(connection: Connection, kind: str, state: str) -> int:
        return int(connection.scalar(select(func.count()).where(jobs.c.kind == kind, jobs.c.state == state)) or 0)

    def _room(self, connection: Connection, kind: str) -> None:
        """Raise Refused where no more may wait: those that can start at once do not count."""
        mine = select(jobs.c.run_id).where(jobs.c.kind == kind)
        running = connection.scalars(mine.where(jobs.c.state == "running").order_by(jobs.c.number)).all()
        waiting = self._count(connection, kind, "queued")
        if waiting < QUEUE + max((self.slots if kind == "train" else SLOTS) - len(running), 0):
            return
        things = {"train": "trainings", "data": "downloads"}.get(kind, "evaluations")
        now = f"{' and '.join(running)} {'is' if len(running) == 1 else 'are'} running, and " if running else ""
        words = f"{now}{waiting} {things} are waiting already: the queue is full."
        raise Refused(f"{words} Cancel one, or try again when one has started.")

    @staticmethod
    def _locked(connection: Connection, job_id: str) -> Job:
        row = connection.execute(select(*_COLUMNS).where(jobs.c.id == job_id).with_for_update()).mappings().first()
        if row is None:
            raise Refused("There is no such job.")
        return Job(**row)

    @staticmethod
    def _change(connection: Connection, job_id: str, change: Mapping[str, Any]) -> Job:
        query = update(jobs).where(jobs.c.id == job_id).values(change).returning(*_COLUMNS)
        return Job(**connection.execute(query).mappings().one())

    @staticmethod
    def _note(connection: Connection, job: Job, event: str, lease: str | None = None) -> Job:
        """Write down what happened, in the transaction in which it happens; the same row."""
        row = {"job": job.id, "attempt": job.attempt, "event": event, "lease": lease or job.lease}
        row |= {"host": job.host, "pid": job.pid, "cause": job.cause, "time": time.time()}
        connection.execute(insert(events).values(row))
        return job

    def _requeue(self, connection: Connection, job_id: str, cause: str) -> Job:
        change: dict[str, Any] = {"state": "queued", "cancel": False, "cause": cause, "stage": ""}
        change |= dict.fromkeys(("finished", "lease", "slot", "left", "speed", "host", "pid", "pid_started"))
        return self._note(connection, self._change(connection, job_id, change), "queued")

    def _owned(self, job: Job, change: Mapping[str, Any], connection: Connection | None = None) -> Job:
        """Change a row only while this attempt owns it."""
        if connection is None:
            with self._writer.begin() as connection:
                return self._owned(job, change, connection)
        mine = (jobs.c.id == job.id, jobs.c.lease == job.lease, jobs.c.state == "running")
        row = connection.execute(update(jobs).where(*mine).values(change).returning(*_COLUMNS)).mappings().first()
        if row is None:
            raise Lost(job.id)
        return Job(**row)
