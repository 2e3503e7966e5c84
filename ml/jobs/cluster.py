"""Trainings on several machines. Celery wakes; the job table says who works on what, so a job is trained once.

A message carries a job's id and nothing else. It may come twice, late or never: who gets it claims the row or leaves
it alone, and every idle worker sends again for a row that has waited too long. A job whose worker was lost, its trainer
with it, goes on by itself on another one. Imports Celery: see requirements-cluster.txt.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.broker import TASK, TRAIN
from ml.jobs.causes import LOST
from ml.jobs.celery_app import app, send
from ml.jobs.liveness import BEAT_SECONDS, reap
from ml.jobs.processes import kill
from ml.jobs.shards import ShardTable
from ml.jobs.tables import Job
from ml.jobs.worker import PATIENT, PAUSE_SECONDS, POLL_SECONDS, Worker
from ml.settings import Workers
from ml.system.paths import ROOT, home_dir

log = logging.getLogger(__name__)

REMIND_SECONDS = 5.0  # a row that waited so long, while a worker was idle, has lost its message
LOOK_SECONDS = 1.0  # between two looks of a worker at the table
STOP_SECONDS = 10.0  # a trainer may take so long to end its batch when its worker is told to stop


@app.task(name=TASK, ignore_result=True)
def work(job_id: str) -> None:
    """Do a waiting job; leave one alone that somebody else does, did or gave up."""
    cluster_worker().work(job_id)


class ClusterWorker(Worker):
    """A worker that messages tell what to do, with a thread that looks after the table."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.shards = ShardTable(self.table)
        self._waited: dict[str, float] = {}
        self._invited: dict[str, float] = {}
        self._helping = 0
        self._unable: set[str] = set()  # jobs whose shards this machine failed at

    def work(self, job_id: str) -> None:
        """Claim the job and stay with its process until that has ended; return at once where there is nothing to do."""
        row = self.table.get(job_id) if isinstance(job_id, str) else None
        job = self.table.claim(row.kind, job_id=row.id) if row is not None and not self.stop.is_set() else None
        if job is None:
            if row is None or not self._help(row.id):
                log.info("job %s is not to be done here", job_id)
            return
        self._start(job)
        stopped: float | None = None
        while child := self._children.get(job.id):
            if self.stop.is_set():
                now = time.monotonic()
                if stopped is None:
                    stopped = now
                    child.process.terminate()
                elif now - stopped > STOP_SECONDS:
                    kill(child.process)
            try:
                self._look(child)
            except SQLAlchemyError:  # the trainer goes on, and so does this
                log.warning("the job database cannot be used", exc_info=True)
                time.sleep(PAUSE_SECONDS)
            time.sleep(POLL_SECONDS)
        if stopped is not None and (waiting := self.table.get(job.id)) is not None and waiting.state == "queued":
            self._notify(waiting)

    def _help(self, job_id: str) -> bool:
        """Stay with a process that does shards of a job which another one runs; False where there are none for it."""
        if self.stop.is_set() or job_id in self._unable or job_id not in self.shards.inviting():
            return False
        process = subprocess.Popen(
            [sys.executable, "-m", "ml", "work", "--shards", job_id],
            cwd=ROOT, env={**PATIENT, **os.environ, "FASHION_HOME": str(self.home)},
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._helping += 1
        try:
            while process.poll() is None:
                if self.stop.wait(POLL_SECONDS):
                    process.terminate()
                    process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill(process)
        finally:
            self._helping -= 1
        if process.returncode not in (0, LOST):
            log.warning("shards of job %s cannot be done here", job_id)
            self._unable.add(job_id)
        return True

    def maintain(self) -> None:
        """Beat for this worker, end what died without a word, send again for what was forgotten, until `stop`."""
        worker, beaten = "", 0.0  # of a clock that began long ago
        while True:
            try:
                if time.monotonic() - beaten >= BEAT_SECONDS:
                    if not worker or not self.workers.beat(worker):
                        worker = self.workers.register()
                    beaten = time.monotonic()
                mine = {child.job.lease for child in list(self._children.values())}
                for job in reap(self.table, self._watch, except_leases=mine, again=True):
                    if job.state == "queued":
                        self._notify(job)
                self.workers.prune(self._watch)
                self._remind()
                self._invite()
            except SQLAlchemyError:
                log.warning("the job database cannot be used", exc_info=True)
            if self.stop.wait(LOOK_SECONDS):
                break
        try:
            self.workers.unregister(worker, force=True)
        except SQLAlchemyError:
            log.warning("the job database cannot be used", exc_info=True)

    def _again(self) -> bool:
        return self.stop.is_set()  # it is this worker that ended, not the training

    def _remind(self) -> None:
        """Send again for rows that wait although this machine could do them: their message was lost, or never sent."""
        now, waiting = time.monotonic(), self.table.queued()
        self._waited = {job.id: self._waited.get(job.id, now) for job in waiting}
        people = any(job.kind == "train" for job in waiting)
        for job in waiting:
            if job.kind == "evaluate" and people:
                continue  # people wait for trainings, for this nobody does
            if now - self._waited[job.id] >= REMIND_SECONDS and self.table.room(job.kind):
                self._notify(job)

    def _invite(self) -> None:
        """Send for shards that wait while this worker is idle; who is idle too gets the message, or this one does."""
        if len(self._children) + self._helping >= self.table.slots:
            return
        now = time.monotonic()
        for job_id in self.shards.inviting():
            if job_id not in self._unable and now - self._invited.get(job_id, -REMIND_SECONDS) >= REMIND_SECONDS:
                self._invited[job_id] = now
                self._send(job_id)

    def _notify(self, job: Job) -> None:
        self._waited[job.id] = time.monotonic()
        self._send(job.id)

    def _send(self, job_id: str) -> None:
        try:
            send(job_id)
        except Exception as error:  # the broker is away; the row waits, and so does the next reminder
            log.warning("job %s cannot be announced: %s", job_id, error)


@cache
def cluster_worker() -> ClusterWorker:
    """This process's worker."""
    return ClusterWorker(home_dir())


_maintenance: list[threading.Thread] = []


@worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    if TRAIN in sender.app.amqp.queues.consume_from:  # not a worker of the other queue
        _maintenance.append(threading.Thread(target=cluster_worker().maintain, name="maintenance", daemon=True))
        _maintenance[0].start()


@worker_shutting_down.connect
def _stopping(**_: Any) -> None:
    if _maintenance:
        cluster_worker().stop.set()


@worker_shutdown.connect
def _stopped(**_: Any) -> None:
    for thread in _maintenance:
        cluster_worker().stop.set()
        thread.join(STOP_SECONDS)


def serve() -> int:
    """`python -m ml work` with a broker: a Celery worker of the queue `train`, until it is told to stop."""
    while True:
        try:
            cluster_worker()  # the first one here makes the tables
            break
        except SQLAlchemyError as error:
            log.warning("the job database cannot be used; waiting for it: %s", type(error).__name__)
            time.sleep(PAUSE_SECONDS)
    name = f"{TRAIN}-{os.getpid()}@{socket.gethostname()}"
    app.worker_main(
        [
            "worker", "--queues", TRAIN, "--pool", "threads", "--concurrency", str(Workers.read().slots),
            "--hostname", name, "--without-gossip", "--without-mingle", "--loglevel", "INFO",
        ]
    )  # fmt: skip
    return 0
