"""The queue of jobs: submit or refuse, claim, report progress, cancel, resume, finish. Each change is one transaction.

A `lease` names one attempt at a job. Whoever has lost it can change nothing, so a job has one owner at a time.
`job_events` keeps every change: who held which lease, from when until when.
"""

import secrets
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ml.jobs.processes import this_process
from ml.jobs.reading import JobReader
from ml.jobs.tables import (
    ACTIVE,
    COLUMNS,
    ENDED,
    PROCESS,
    PUBLISHING,
    RESUMABLE,
    SCRIPT,
    Job,
    epochs,
    events,
    jobs,
    steps,
)
from ml.people import acting, happenings
from ml.settings import Workers
from ml.system import database

QUEUE = 5  # waiting jobs; one more is refused
SLOTS = 1  # jobs of one kind that run at a time
# kind of a job → the act of asking for it
ASKED = {"train": "train", "data": "fetch", "evaluate": "evaluate", "import": "dataset", "add": "import"}
ATTEMPTS = 5  # at a training whose workers are lost one after the other


class Refused(Exception):
    """A request that the rules forbid; the message is for the person who asked. `field` names the input at fault."""

    def __init__(self, words: str, field: str = "") -> None:
        super().__init__(words)
        self.field = field


class NotAllowed(Refused):
    """Whoever asks has a role that does not reach so far."""


class Lost(Exception):
    """This attempt no longer owns its job."""


class JobTable(JobReader):
    """The jobs of one home folder, to read and to change.

    slots: how many trainings run at a time on this machine; FASHION_WORKERS when None. Raises ValueError.
    """

    def __init__(self, home: Path, *, slots: int | None = None) -> None:
        super().__init__(home)
        self.slots = Workers.read().slots if slots is None else slots
        self._writer = database.writer(self.engine)

    # ---- ask

    def submit(
        self, spec: Mapping[str, Any], run_id: str, *, epochs: int, kind: str = "train", intent: str | None = None
    ) -> Job:
        """Insert a queued row. The same intent again gives the row of the first time. Raises Refused."""
        act = ASKED[kind]
        permit(act)
        with self._writer.begin() as connection:
            database.serialise(connection)
            if intent is not None:
                known = connection.execute(select(*COLUMNS).where(jobs.c.intent == intent)).mappings().first()
                if known is not None:
                    return Job(**known)
            self._room(connection, kind)
            if kind in PUBLISHING and spoken_for(connection, run_id, kind):
                raise Refused(f"The name {run_id} is taken.", "name")
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
                "who": acting.name(),
            }
            try:
                created = connection.execute(insert(jobs).values(row).returning(*COLUMNS)).mappings().one()
            except IntegrityError as error:
                raise Refused(f"The name {run_id} is taken.", "name") from error
            happenings.note(connection, act, run_id, _asked(kind, spec))
            return note(connection, Job(**created), "queued")

    def cancel(self, job_id: str) -> Job:
        """A waiting job is cancelled at once, a running one is asked to stop. Raises Refused."""
        permit("job")
        with self._writer.begin() as connection:
            job = _locked(connection, job_id)
            if job.state == "queued":
                change: dict[str, Any] = {"state": "cancelled", "finished": time.time(), "cancel": True, "cause": ""}
                if job.attempt:  # it waited to go on
                    self._sweep(job)
            elif job.state == "running":
                change = {"cancel": True}
            else:
                raise Refused(f"This job is {job.state}: there is nothing to cancel.")
            changed = _change(connection, job_id, change)
            happenings.note(connection, "job", job.run_id, "cancelled")
            return note(connection, changed, "cancelled" if job.state == "queued" else "cancelling")

    def resume(self, job_id: str) -> Job:
        """Queue an interrupted or failed job again; it goes on after its last whole epoch. Raises Refused."""
        permit("job")
        with self._writer.begin() as connection:
            database.serialise(connection)
            job = _locked(connection, job_id)
            if job.state not in RESUMABLE:
                raise Refused(f"This job is {job.state}: there is nothing to resume.")
            self._room(connection, job.kind)
            happenings.note(connection, "job", job.run_id, "resumed")
            return self._requeue(connection, job_id, "")

    def discard(self, job_id: str) -> Job:
        """Give an interrupted or failed job up: what it made is deleted, its name is free again. Raises Refused."""
        permit("job")
        with self._writer.begin() as connection:
            database.serialise(connection)
            job = _locked(connection, job_id)
            if job.state not in RESUMABLE:
                raise Refused(f"This job is {job.state}: there is nothing to discard.")
            # before the name is free: the next run of this name writes to the same folder
            self._sweep(job)
            discarded = _change(connection, job_id, {"state": "cancelled", "cause": job.cause})
            happenings.note(connection, "job", job.run_id, "discarded")
            return note(connection, discarded, "cancelled")

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
                **dict.fromkeys(PROCESS),
                "host": socket.gethostname(),
            }
            return note(connection, _change(connection, waiting, change), "running")

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
            note(connection, self._owned(job, this_process(pid), connection), "owned")

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

        again: what is interrupted waits to go on by itself, with its cause kept, until it was tried `ATTEMPTS`
        times. It had its place, so no room is asked for.
        """
        if state not in ENDED:
            raise ValueError(f"{state} is not an end")
        change = {"state": state, "cause": cause, "finished": time.time(), "lease": None, "slot": None}
        with self._writer.begin() as connection:
            ended = note(connection, self._owned(job, change, connection), state, job.lease)
            if again and state == "interrupted" and ended.attempt < ATTEMPTS:
                return self._requeue(connection, job.id, f"{cause} It goes on by itself.".strip())
            return ended

    def _room(self, connection: Connection, kind: str) -> None:
        """Raise Refused where no more may wait: those that can start at once do not count."""
        mine = select(jobs.c.run_id).where(jobs.c.kind == kind)
        running = connection.scalars(mine.where(jobs.c.state == "running").order_by(jobs.c.number)).all()
        waiting = _count(connection, kind, "queued")
        if waiting < QUEUE + max((self.slots if kind == "train" else SLOTS) - len(running), 0):
            return
        things = {"train": "trainings", "data": "downloads", "import": "imports", "add": "networks to add"}.get(
            kind, "evaluations"
        )
        now = f"{' and '.join(running)} {'is' if len(running) == 1 else 'are'} running, and " if running else ""
        words = f"{now}{waiting} {things} are waiting already: the queue is full."
        raise Refused(f"{words} Cancel one, or try again when one has started.")

    def _sweep(self, job: Job) -> None:
        """Delete what was begun and not finished."""
        for partial in self.partials(job):
            shutil.rmtree(partial, ignore_errors=True)

    def _requeue(self, connection: Connection, job_id: str, cause: str) -> Job:
        change: dict[str, Any] = {"state": "queued", "cancel": False, "cause": cause, "stage": ""}
        change |= dict.fromkeys(("finished", "lease", "slot", "left", "speed", *PROCESS))
        return note(connection, _change(connection, job_id, change), "queued")

    def _owned(self, job: Job, change: Mapping[str, Any], connection: Connection | None = None) -> Job:
        """Change a row only while this attempt owns it."""
        if connection is None:
            with self._writer.begin() as connection:
                return self._owned(job, change, connection)
        mine = (jobs.c.id == job.id, jobs.c.lease == job.lease, jobs.c.state == "running")
        row = connection.execute(update(jobs).where(*mine).values(change).returning(*COLUMNS)).mappings().first()
        if row is None:
            raise Lost(job.id)
        return Job(**row)


def permit(act: str) -> None:
    """Raises NotAllowed where whoever asks may not do this."""
    try:
        acting.permit(act)
    except acting.NotAllowed as no:
        raise NotAllowed(str(no)) from None


def _asked(kind: str, spec: Mapping[str, Any]) -> str:
    """In a line: what a job is to do."""
    if kind == "evaluate":
        return f"to be computed: {', '.join(map(str, spec.get('nouns', ())))}"
    if kind in ("import", "add"):
        return f"{'import of' if kind == 'import' else 'a run of'} {spec.get('shown', 'what was brought')}"
    return f"training of {spec.get('model', 'a network')}" if kind == "train" else "download of the full data set"


def spoken_for(connection: Connection, run_id: str, kind: str) -> bool:
    """Whether a run of this name is or can still be made of what somebody brought, or is published by a script, or, for
    another of those, trained.

    The names of trainings have an index of their own, which tells trainings.
    """
    mine = (jobs.c.kind == "add") & jobs.c.state.in_((*ACTIVE, *RESUMABLE))
    if kind != SCRIPT:  # of which a later one goes on where an earlier one stopped
        mine |= (jobs.c.kind == SCRIPT) & (jobs.c.state == "running")
    if kind != "train":
        mine |= (jobs.c.kind == "train") & (jobs.c.state != "cancelled")
    return bool(connection.scalar(select(func.count()).where(jobs.c.run_id == run_id, mine)))


def _count(connection: Connection, kind: str, state: str) -> int:
    return int(connection.scalar(select(func.count()).where(jobs.c.kind == kind, jobs.c.state == state)) or 0)


def _locked(connection: Connection, job_id: str) -> Job:
    row = connection.execute(select(*COLUMNS).where(jobs.c.id == job_id).with_for_update()).mappings().first()
    if row is None:
        raise Refused("There is no such job.")
    if row["kind"] == SCRIPT:
        raise Refused("A script publishes this run: it is stopped, and started again, where it runs.")
    return Job(**row)


def _change(connection: Connection, job_id: str, change: Mapping[str, Any]) -> Job:
    query = update(jobs).where(jobs.c.id == job_id).values(change).returning(*COLUMNS)
    return Job(**connection.execute(query).mappings().one())


def note(connection: Connection, job: Job, event: str, lease: str | None = None) -> Job:
    """Write down what happened, in the transaction in which it happens; the same row."""
    row = {"job": job.id, "attempt": job.attempt, "event": event, "lease": lease or job.lease}
    row |= {"host": job.host, "pid": job.pid, "cause": job.cause, "time": time.time()}
    row["who"] = acting.name()
    connection.execute(insert(events).values(row))
    return job
