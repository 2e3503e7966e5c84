"""The worker: claims jobs, starts a process for each, watches over it, leaves when idle.

One worker a database, held by a file lock that dies with the process. A worker that is killed leaves its trainer
running; the next worker waits for it. The worker itself never loads torch.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from ml.jobs import causes
from ml.jobs.liveness import BEAT_SECONDS, STALL_SECONDS, Watch, Workers, conclude, reap
from ml.jobs.processes import kill, oom_kills, printed_progress, standard_input, trim
from ml.jobs.queue import JobTable, Lost
from ml.jobs.tables import KINDS, Job
from ml.system import disk
from ml.system.database import lock_folder
from ml.system.paths import ROOT

POLL_SECONDS = 0.2
STARVED_SECONDS = 20.0  # at its limit of memory before its first batch
GRACE_SECONDS = 3.0  # between asking a trainer to stop and killing it
# threads that wait for each other sleep instead of spinning: on a busy machine spinning made training 20 times slower
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
LOCK = "worker.lock"
LOCK_SECONDS = 5.0  # the last worker may be on its way out
PAUSE_SECONDS = 1.0  # after the database could not be used


@dataclass
class Child:
    """A process at work on a job."""

    job: Job
    process: subprocess.Popen
    oom_kills: int
    stop_requested_at: float | None = None  # when it was asked to stop, seconds of time.monotonic()
    progress: tuple = ()
    moved: float = field(default_factory=time.monotonic)
    beaten: float = 0.0
    stalled: bool = False
    starved_since: float | None = None  # seen at its limit of memory
    starved: bool = False  # killed for hanging there


class Worker:
    """Runs jobs of one home folder until there is nothing to do for `idle` seconds or `stop` is set."""

    def __init__(self, home: Path, *, idle: float = 30.0, stall: float = STALL_SECONDS) -> None:
        self.home, self.idle, self.stall = home, idle, stall
        self.table = JobTable(home)
        self.workers = Workers(self.table)
        self.stop = threading.Event()
        self._watch = Watch()
        self._children: dict[str, Child] = {}

    def run(self) -> bool:
        """False when another worker of this database is at work."""
        lock = FileLock(lock_folder(self.home) / LOCK)
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            return False
        with lock:
            self._serve()
        return True

    def _serve(self) -> None:
        worker = self.workers.register()
        busy, signed = time.monotonic(), time.monotonic()
        while not self.stop.is_set():
            try:
                worked = self.turn()
                now = time.monotonic()
                busy = now if worked else busy
                if now - signed >= BEAT_SECONDS:
                    self.workers.beat(worker)
                    signed = now
                if now - busy >= self.idle and self.workers.unregister(worker):
                    return
            except SQLAlchemyError:  # locked, full or away: its trainers live on, and so does the worker
                traceback.print_exc()
                self.stop.wait(PAUSE_SECONDS)
            self.stop.wait(POLL_SECONDS)
        self.workers.unregister(worker, force=True)  # its trainers go on; the next worker finds them

    def turn(self) -> bool:
        """One look at everything; whether there is work."""
        for child in list(self._children.values()):
            self._look(child)
        mine = {child.job.lease for child in self._children.values()}
        reap(self.table, self._watch, except_leases=mine)
        for kind in KINDS:
            if kind == "evaluate" and self.table.busy(("train",)):
                continue  # people wait for trainings, for this nobody does
            job = self.table.claim(kind)
            if job is not None:
                self._begin(job)
        return bool(self._children) or self.table.busy()

    def _begin(self, job: Job) -> None:
        """Start it, or say why it could not be started: others wait behind it."""
        try:
            self._start(job)
        except OSError as error:
            traceback.print_exc()
            cause = disk.told(error, f"Its process could not be started: {error.strerror or error}.")
            with contextlib.suppress(Lost):
                conclude(self.table, job, "failed", cause)

    def _start(self, job: Job) -> None:
        log = self.table.log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file, standard_input(said(job)) as given:
            process = subprocess.Popen(
                [sys.executable, "-m", "ml", *arguments(job)],
                cwd=ROOT,
                env={**PATIENT, **os.environ, "FASHION_HOME": str(self.home), "FASHION_LEASE": str(job.lease)},
                stdin=given, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self._children[job.id] = Child(job, process, oom_kills())
        if job.kind != "train":  # a process that knows nothing of jobs
            self.table.own(job, process.pid)

    def _look(self, child: Child) -> None:
        status = child.process.poll()
        row = self.table.get(child.job.id)
        if row is None or row.lease != child.job.lease:  # ended, by itself or by another's verdict
            if status is None and (row is None or row.active or child.stop_requested_at is None):
                child.stop_requested_at = child.stop_requested_at or time.monotonic()
            if status is not None:
                del self._children[child.job.id]
            elif child.stop_requested_at is not None and time.monotonic() - child.stop_requested_at > GRACE_SECONDS:
                kill(child.process)
            return
        if status is None:
            self._supervise(child, row)
            return
        del self._children[child.job.id]
        log = self.table.log(child.job)
        printed = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        state, cause = causes.of_exit(
            child.job.kind,
            status,
            printed,
            stalled=child.stalled,
            killed_for_memory=oom_kills() > child.oom_kills,
            # a signal from outside is a person's, or ours for this
            starved=child.starved or (child.starved_since is not None and -status not in causes.FROM_OUTSIDE),
        )
        with contextlib.suppress(Lost):
            conclude(self.table, row, state, cause, again=self._again())

    def _again(self) -> bool:
        """Whether what is interrupted now is to go on by itself; on one machine people decide."""
        return False

    def _supervise(self, child: Child, row: Job) -> None:
        now = time.monotonic()
        trim(self.table.log(row))
        if (row.kind != "train" or row.pid is None) and now - child.beaten >= BEAT_SECONDS:
            # a trainer beats for itself as soon as it can; on a busy machine that takes a while
            stage = {"train": row.stage, "data": "fetching"}.get(row.kind)
            self.table.beat(row, **(printed_progress(self.table.log(row)) if stage is None else {"stage": stage}))
            child.beaten = now
        progress = (row.batch, row.epoch, row.stage)
        if progress != child.progress:
            child.progress, child.moved = progress, now
        child.stalled = now - child.moved > self.stall
        if row.kind == "train" and child.starved_since is None and causes.at_limit(child.process.pid):
            child.starved_since = now
        begun = row.batch or row.epoch
        if child.starved_since is not None and not begun and now - child.starved_since > STARVED_SECONDS:
            child.starved = True
            kill(child.process)  # OpenBLAS asks for its buffers for ever where there is no room for them
            return
        if not row.cancel and not child.stalled:
            return
        child.stop_requested_at = child.stop_requested_at or now
        if row.kind != "train" or now - child.stop_requested_at > GRACE_SECONDS:
            kill(child.process)


def said(job: Job) -> bytes:
    """What its process reads from its standard input: choices may be longer than an argument."""
    return json.dumps(job.spec["choices"]).encode() if job.kind in ("import", "add") else b""


def arguments(job: Job) -> list[str]:
    """What `python -m ml` is asked to do for a job."""
    if job.kind == "train":
        return ["train", "--job", job.id]
    if job.kind == "import":
        spec = job.spec
        if spec.get("fetch"):
            return ["data", "fetch", job.run_id, "--progress", "--json"]
        more = ["--add"] if spec.get("add") else ["--new-version"] if spec["new_version"] else []
        words = [f"--{name}={spec[name]}" for name in ("title", "description") if spec[name]]
        what = ["--name", job.run_id, "--choices=-", *words, *more]
        return ["data", "import", *what, "--progress", "--json", "--", spec["source"]]
    if job.kind == "add":
        spec = job.spec
        what = ["--data", spec["dataset"], "--choices=-", f"--shown={spec['shown']}"]
        asked = [f"--doctored={spec['doctored'][0]}", f"--taken={spec['doctored'][1]}"] if spec.get("doctored") else []
        return ["runs", "add", job.run_id, *what, *asked, "--json", f"--brought={spec['source']}"]
    return ["data"] if job.kind == "data" else ["evaluate", job.run_id, "--only", *job.spec["nouns"]]
