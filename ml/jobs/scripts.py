"""Trainings that scripts tell of, as rows that people can watch: begun, beaten and ended by the script itself.

Such a row has no place in the queue: nobody claims, stops or resumes it. Its attempt has one owner, the process that
took it on last; one that was called dead while it was out of reach takes its row back with the next beat.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from ml.jobs.processes import this_process
from ml.jobs.queue import Lost, note, spoken_for
from ml.jobs.reading import JobReader
from ml.jobs.tables import COLUMNS, ENDED, SCRIPT, Job, jobs, told
from ml.people import acting
from ml.system import database


class Taken(Exception):
    """A training here has this name; the message is for the person who runs the script."""


class Scripts(JobReader):
    """The rows of one home folder that scripts write."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._writer = database.writer(self.engine)

    def begin(self, run_id: str, spec: Mapping[str, Any], *, epochs: int, job_id: str = "") -> Job:
        """This process tells of a run from now on. epochs: how many there will be, 0 where nobody knows; job_id: of
        the row of an earlier process that told of it. Raises Taken."""
        with self._writer.begin() as connection:
            database.serialise(connection)
            if spoken_for(connection, run_id, SCRIPT):
                raise Taken(f"A training or an import here is called {run_id}: choose another name.")
            change = {
                "state": "running", "lease": secrets.token_hex(16), "started": time.time(), "finished": None,
                "cause": "", "stage": "training", "left": None, "speed": None, "epochs": epochs, "batches": epochs,
                "spec": dict(spec), **this_process(),
            }  # fmt: skip
            mine = (jobs.c.id == job_id, jobs.c.run_id == run_id, jobs.c.kind == SCRIPT)
            again = update(jobs).where(*mine).values({**change, "attempt": jobs.c.attempt + 1, "beat": jobs.c.beat + 1})
            row = connection.execute(again.returning(*COLUMNS)).mappings().first() if job_id else None
            if row is None:
                new = {
                    "id": secrets.token_hex(16), "kind": SCRIPT, "run_id": run_id, "attempt": 1, "epoch": 0, "batch": 0,
                    "cancel": False, "beat": 0, "created": time.time(), "who": acting.name(), **change,
                }  # fmt: skip
                row = connection.execute(insert(jobs).values(new).returning(*COLUMNS)).mappings().one()
            return note(connection, Job(**row), "running")

    def beat(self, job: Job, **progress: int | str | float | None) -> Job:
        """A sign of life, with what has changed: epoch, epochs, batch, batches, stage, left. Raises Lost."""
        with self._writer.begin() as connection:
            return self._mine(connection, job, {"beat": jobs.c.beat + 1, **progress})

    def add_epochs(self, job: Job, rows: Sequence[Mapping[str, float]]) -> None:
        """Store what was told of epochs, in that order, each with its number as `epoch`: one replaces itself and all
        after it. Raises Lost.
        """
        kept: dict[int, Mapping[str, float]] = {}
        for row in rows:
            number = int(row["epoch"])
            kept = {before: one for before, one in kept.items() if before < number} | {number: row}
        if not kept:
            return
        with self._writer.begin() as connection:
            self._mine(connection, job, {"epoch": max(kept), "beat": jobs.c.beat + 1})
            first = min(int(row["epoch"]) for row in rows)
            connection.execute(delete(told).where(told.c.job == job.id, told.c.epoch >= first))
            made = [
                {"job": job.id, "epoch": number, "measures": {k: v for k, v in row.items() if k != "epoch"}}
                for number, row in kept.items()
            ]
            connection.execute(insert(told), made)

    def finish(self, job: Job, state: str, cause: str = "") -> None:
        """End this attempt, in one of ENDED. Raises Lost."""
        if state not in ENDED:
            raise ValueError(f"{state} is not an end")
        with self._writer.begin() as connection:
            self._mine(connection, job, {})  # it may have been called dead meanwhile
            change = {"state": state, "cause": cause, "finished": time.time(), "lease": None, "left": None}
            ended = update(jobs).where(jobs.c.id == job.id).values(change).returning(*COLUMNS)
            note(connection, Job(**connection.execute(ended).mappings().one()), state, job.lease)

    def _mine(self, connection: Connection, job: Job, change: Mapping[str, Any]) -> Job:
        """Change the row while no other process has taken it on, whatever was said of this one meanwhile."""
        mine = (jobs.c.id == job.id, jobs.c.attempt == job.attempt, jobs.c.kind == SCRIPT)
        alive = {"state": "running", "lease": job.lease, "finished": None, "cause": ""}
        changed = update(jobs).where(*mine).values({**alive, **change}).returning(*COLUMNS)
        row = connection.execute(changed).mappings().first()
        if row is None:
            raise Lost(job.id)
        return Job(**row)
