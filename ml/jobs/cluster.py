"""Trainings on several machines. Celery wakes; the job table says who works on what, so a job is trained once.

A message carries a job's id and nothing else. It may come twice, late or never: who gets it claims the row or leaves
it alone, and every idle worker rings again for a row that has waited too long. A job whose worker was lost, its trainer
with it, goes on by itself on another one. Imports Celery: see requirements-cluster.txt.
"""

import logging
import os
import socket
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down
from celery.worker.consumer import Consumer
from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.broker import BACKEND, OBSERVE, TASK, TIMEOUT_SECONDS, TRAIN, broker
from ml.jobs.queue import BEAT_SECONDS, Job, machine_slots
from ml.jobs.worker import PAUSE_SECONDS, POLL_SECONDS, Worker, kill
from ml.system.paths import home_dir

log = logging.getLogger(__name__)

VISIBILITY_SECONDS = 7 * 24 * 3600  # Redis hands a message out again after it: longer than any training
RECONNECT_SECONDS = 5  # at most, between two tries of a worker to find the broker again
RING_SECONDS = 5.0  # a row that waited so long, while a worker was idle, has lost its message
KEEP_SECONDS = 1.0  # between two looks of a worker at the table
STOP_SECONDS = 10.0  # a trainer may take so long to end its batch when its worker is told to stop

app = Celery("fashion", broker=broker() or None, backend=os.environ.get(BACKEND) or broker() or None)
app.conf.update(
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_default_queue=OBSERVE,  # Dash's background callbacks
    task_routes={TASK: {"queue": TRAIN}},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        # who sends must not wait for a broker that is away; without these it would try for ever
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    },
    result_backend_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
    redis_socket_timeout=TIMEOUT_SECONDS,
    redis_socket_connect_timeout=TIMEOUT_SECONDS,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # a training needs no broker
    worker_consumer="ml.jobs.cluster:ReconnectingConsumer",
    worker_hijack_root_logger=False,
    result_expires=3600,
)


class ReconnectingConsumer(Consumer):
    """Celery's consumer, which looks for a lost broker every few seconds instead of every half minute."""

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """As the base class; an attempt to connect waits at most `RECONNECT_SECONDS` for the next."""
        connection = self.app.connection_for_read(heartbeat=heartbeat)
        plain = connection.ensure_connection

        def ensure(errback: Any = None, max_retries: int | None = None, **more: Any) -> Any:
            return plain(errback, max_retries, **{**more, "interval_max": RECONNECT_SECONDS})

        connection.ensure_connection = ensure
        return self.ensure_connected(connection)


def send(job_id: str) -> None:
    """Put a job's id into the queue of the training workers. Raises what Celery and Redis raise."""
    app.send_task(TASK, [job_id], queue=TRAIN, retry=False, ignore_result=True)


@app.task(name=TASK, ignore_result=True)
def work(job_id: str) -> None:
    """Do a waiting job; leave one alone that somebody else does, did or gave up."""
    cluster_worker().work(job_id)


class ClusterWorker(Worker):
    """A worker that messages tell what to do, with a thread that looks after the table."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._waited: dict[str, float] = {}

    def work(self, job_id: str) -> None:
        """Claim the job and stay with its process until that has ended; return at once where there is nothing to do."""
        row = self.table.get(job_id) if isinstance(job_id, str) else None
        job = self.table.claim(row.kind, job_id=row.id) if row is not None and not self.stop.is_set() else None
        if job is None:
            log.info("job %s is not to be done here", job_id)
            return
        self._start(job)
        told: float | None = None
        while child := self._children.get(job.id):
            if self.stop.is_set():
                now = time.monotonic()
                if told is None:
                    told = now
                    child.process.terminate()
                elif now - told > STOP_SECONDS:
                    kill(child.process)
            try:
                self._look(child)
            except SQLAlchemyError:  # the trainer goes on, and so does this
                log.warning("the job database cannot be used", exc_info=True)
                time.sleep(PAUSE_SECONDS)
            time.sleep(POLL_SECONDS)
        if told is not None and (waiting := self.table.get(job.id)) is not None and waiting.state == "queued":
            self._ring(waiting)

    def keep(self) -> None:
        """Sign for this worker, end what died without a word, ring for what was forgotten; until told to stop."""
        worker, signed = "", 0.0  # of a clock that began long ago
        while True:
            try:
                if time.monotonic() - signed >= BEAT_SECONDS:
                    if not worker or not self.table.sign(worker):
                        worker = self.table.enlist()
                    signed = time.monotonic()
                mine = {child.job.lease for child in list(self._children.values())}
                for job in self.table.reap(self._watch, except_leases=mine, again=True):
                    if job.state == "queued":
                        self._ring(job)
                self.table.strike(self._watch)
                self._remind()
            except SQLAlchemyError:
                log.warning("the job database cannot be used", exc_info=True)
            if self.stop.wait(KEEP_SECONDS):
                break
        try:
            self.table.retire(worker, force=True)
        except SQLAlchemyError:
            log.warning("the job database cannot be used", exc_info=True)

    def _again(self) -> bool:
        return self.stop.is_set()  # it is this worker that ended, not the training

    def _remind(self) -> None:
        """Ring for rows that wait although this machine could do them: their message was lost, or never sent."""
        now, waiting = time.monotonic(), self.table.queued()
        self._waited = {job.id: self._waited.get(job.id, now) for job in waiting}
        people = any(job.kind == "train" for job in waiting)
        for job in waiting:
            if job.kind == "evaluate" and people:
                continue  # people wait for trainings, for this nobody does
            if now - self._waited[job.id] >= RING_SECONDS and self.table.room(job.kind):
                self._ring(job)

    def _ring(self, job: Job) -> None:
        self._waited[job.id] = time.monotonic()
        try:
            send(job.id)
        except Exception as error:  # the broker is away; the row waits, and so does the next reminder
            log.warning("job %s cannot be announced: %s", job.id, error)


@cache
def cluster_worker() -> ClusterWorker:
    """This process's worker."""
    return ClusterWorker(home_dir())


_keeper: list[threading.Thread] = []


@worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    if TRAIN in sender.app.amqp.queues.consume_from:  # not a worker of the other queue
        _keeper.append(threading.Thread(target=cluster_worker().keep, name="keeper", daemon=True))
        _keeper[0].start()


@worker_shutting_down.connect
def _stopping(**_: Any) -> None:
    if _keeper:
        cluster_worker().stop.set()


@worker_shutdown.connect
def _stopped(**_: Any) -> None:
    for thread in _keeper:
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
            "worker", "--queues", TRAIN, "--pool", "threads", "--concurrency", str(machine_slots()),
            "--hostname", name, "--without-gossip", "--without-mingle", "--loglevel", "INFO",
        ]
    )  # fmt: skip
    return 0
