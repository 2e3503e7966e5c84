"""The jobs as they are: one, many, their epochs and events, and where their files lie."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from ml.jobs import twins
from ml.jobs.tables import (
    ACTIVE,
    COLUMNS,
    KINDS,
    MIGRATIONS,
    PUBLISHING,
    RESUMABLE,
    SCRIPT,
    Job,
    epochs,
    events,
    jobs,
    steps,
    told,
)  # fmt: skip
from ml.people.tables import MIGRATIONS as PEOPLE_MIGRATIONS
from ml.people.tables import OWNER as PEOPLE
from ml.system import database

MAX_CURVE_POINTS = 400  # within the epochs
SHARDS = "shards"  # the folder of all jobs' shards
CLOCKS_SECONDS = 2.0  # by which a file's time may be behind the database's
RECEIPT_BYTES = 1 << 18  # of the end of an import's log: a line with the names of a thousand classes


class JobReader:
    """The jobs of one home folder, to look at. Makes their tables where they are missing."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.engine = database.open_engine(home)
        database.migrate(self.engine, PEOPLE, PEOPLE_MIGRATIONS)  # what people ask for is written down there too
        database.migrate(self.engine, "jobs", MIGRATIONS)

    def get(self, job_id: str) -> Job | None:
        return self._one(select(*COLUMNS).where(jobs.c.id == job_id))

    def of_lease(self, lease: str) -> Job | None:
        """The job that an attempt is at."""
        return self._one(select(*COLUMNS).where(jobs.c.lease == lease)) if lease else None

    def listing(self, limit: int = 200, kind: str = "train", *more: str) -> list[Job]:
        """Newest first. more: kinds that are listed too."""
        mine = jobs.c.kind.in_((kind, *more))
        query = select(*COLUMNS).where(mine).order_by(jobs.c.number.desc()).limit(limit)
        with self.engine.connect() as connection:
            return [Job(**row) for row in connection.execute(query).mappings()]

    def current(self, kind: str = "train", *more: str) -> Job | None:
        """The job a page shows first: the running one, else the first in the queue, else the last one that ended.

        more: kinds that are looked among too.
        """
        rank = (jobs.c.state == "running").desc(), (jobs.c.state == "queued").desc()
        return self._one(
            select(*COLUMNS)
            .where(jobs.c.kind.in_((kind, *more)))
            .order_by(*rank, func.coalesce(-jobs.c.finished, jobs.c.number), jobs.c.number.desc())
            .limit(1)
        )

    def history(self, job_id: str) -> list[dict[str, float]]:
        """One mapping an epoch, ascending, with the columns of the `history` noun; of a script, those it told."""
        columns = [column for column in epochs.c if column.name != "job"]
        query = select(*columns).where(epochs.c.job == job_id).order_by(epochs.c.epoch)
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            if rows:
                return rows
            said = connection.execute(select(told.c.epoch, told.c.measures).where(told.c.job == job_id))
            return [{**row.measures, "epoch": row.epoch} for row in sorted(said, key=lambda row: row.epoch)]

    def steps(self, job_id: str, limit: int = MAX_CURVE_POINTS) -> list[dict[str, float]]:
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
            rows = connection.execute(select(*COLUMNS).where(*mine).order_by(jobs.c.number)).mappings()
            return [Job(**row) for row in rows]

    def running(self) -> list[Job]:
        """Those that a process works on, of every kind."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(*COLUMNS).where(jobs.c.state == "running")).mappings()
            return [Job(**row) for row in rows]

    def waiting(self, kind: str = "train") -> int:
        """How many of that kind wait."""
        query = select(func.count()).where(jobs.c.kind == kind, jobs.c.state == "queued")
        with self.engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def position(self, job: Job) -> int:
        """Place in the queue from 1; 0 when it does not wait."""
        if job.state != "queued":
            return 0
        ahead = select(func.count()).where(
            jobs.c.kind == job.kind, jobs.c.state == "queued", jobs.c.number <= job.number
        )
        with self.engine.connect() as connection:
            return int(connection.scalar(ahead) or 0)

    def published(self, job: Job) -> bool:
        """Whether what the job was to make is there, whole: a manifest, and the last line of an import, come last."""
        if job.kind == "import":
            return self.receipt(job) is not None
        manifest = self.home / "runs" / job.run_id / "manifest.json"
        if job.kind in ("add", SCRIPT):  # its name may have become another's while it did not run
            return self.receipt(job) is not None or _made_since(manifest, job.started)
        return job.kind == "train" and manifest.is_file()

    def receipt(self, job: Job) -> dict[str, Any] | None:
        """What an import says at its end of what it made: name, digest, classes, size, splits, left_out; of a run that
        was added: run, kind, capabilities, understood, splits, validation_accuracy; else None."""
        try:
            with self.log(job).open("rb") as file:
                file.seek(max(file.seek(0, 2) - RECEIPT_BYTES, 0))
                lines = file.read().decode("utf-8", "replace").splitlines()
            begin = ('{"name": ', '{"run": ')
            made = next((json.loads(line) for line in reversed(lines) if line.startswith(begin)), None)
        except (OSError, ValueError):
            return None
        return made if isinstance(made, dict) else None

    def finished(self, job: Job) -> list[str]:
        """The twins of a job whose run is there, whole; its own run is not among them."""
        return [one.run_id for one in twins.trainings(job)[:-1] if twins.is_there(self.home, one)]

    def partial(self, job: Job) -> Path:
        """The folder of the run while it is being made; of another kind of job, of its shards (ml.jobs.shards)."""
        return self.home / "runs" / f"{job.run_id}.partial" if job.kind in PUBLISHING else self.home / SHARDS / job.id

    def partials(self, job: Job) -> list[Path]:
        """The folders of all runs of the job while they are being made, its own first."""
        return [self.partial(job), *(self.home / "runs" / f"{name}.partial" for name in twins.names(job.spec))]

    def log(self, job: Job) -> Path:
        """What the job's process printed."""
        return self.home / "logs" / f"{job.id}.log"

    def busy(self, kinds: Sequence[str] = KINDS) -> bool:
        """Whether any job of these kinds waits or runs."""
        query = select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.kind.in_(kinds))
        with self.engine.connect() as connection:
            return bool(connection.scalar(query))

    def at_work(self, run_id: str) -> Job | None:
        """A job of that run, its training or a later evaluation, that runs, or else waits; None where none does."""
        mine = select(*COLUMNS).where(jobs.c.state.in_(ACTIVE), jobs.c.run_id == run_id)
        return self._one(mine.order_by((jobs.c.state == "running").desc(), jobs.c.number).limit(1))

    def names(self) -> frozenset[str]:
        """The run of every training but cancelled ones, those that can still be added, and those that scripts publish
        just now: their names are taken."""
        trained = (jobs.c.kind == "train") & (jobs.c.state != "cancelled")
        added = (jobs.c.kind == "add") & jobs.c.state.in_((*ACTIVE, *RESUMABLE))
        scripts = (jobs.c.kind == SCRIPT) & (jobs.c.state == "running")
        query = select(jobs.c.run_id, jobs.c.spec).where(trained | added | scripts)
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        return frozenset(name for run_id, spec in rows for name in (run_id, *twins.names(spec)))

    def _one(self, query: Select[Any]) -> Job | None:
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Job(**row)


def _made_since(file: Path, when: float | None) -> bool:
    """when: seconds since 1970."""
    try:
        return when is not None and file.stat().st_mtime >= when - CLOCKS_SECONDS
    except OSError:
        return False
