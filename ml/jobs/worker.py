"""The worker, `python -m ml work`: claims jobs, starts a process for each, watches over it, leaves when idle.

One worker a database, held by a file lock that dies with the process. A worker that is killed leaves its trainer
running; the next worker waits for it. The worker itself never loads torch.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError

from ml.jobs.broker import broker
from ml.jobs.queue import BEAT_SECONDS, KINDS, Job, JobTable, Lost, Watch
from ml.jobs.trainer import LEASE, LOST, OUT_OF_MEMORY, out_of_memory
from ml.system.database import lock_folder
from ml.system.paths import ROOT, home_dir

POLL_SECONDS = 0.2
IDLE_SECONDS = 30.0
IDLE = "FASHION_WORKER_IDLE"  # seconds without work before the worker leaves
GRACE_SECONDS = 3.0  # between asking a trainer to stop and killing it
STALL_SECONDS = 1800.0  # alive, but no batch, epoch or stage for so long
# threads that wait for each other sleep instead of spinning: on a busy machine spinning made training 20 times slower
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
ENDED = (1, 2, 9, 15)  # SIGHUP, SIGINT, SIGKILL, SIGTERM: somebody wanted it; not all have names on Windows
LOCK = "worker.lock"
LOCK_SECONDS = 5.0  # the last worker may be on its way out
PAUSE_SECONDS = 1.0  # after the database could not be used
TAIL_BYTES = 4096  # of a log, in which its last words are looked for
LOG_BYTES = 2**20  # a job's log, or the worker's, that grows beyond it keeps its last quarter


def start(home: Path) -> subprocess.Popen:
    """Start a worker process that lives on without this one. Where one is there already, the new one leaves at once."""
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with (logs / "worker.log").open("ab") as log:
        trim(logs / "worker.log")
        child = subprocess.Popen(
            [sys.executable, "-m", "ml", "work"],
            cwd=ROOT, env={**os.environ, "FASHION_HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=child.wait, daemon=True).start()  # no zombie while this process lives
    return child


@dataclass
class Child:
    """A process at work on a job."""

    job: Job
    process: subprocess.Popen
    oom_kills: int
    asked: float | None = None  # when it was asked to stop, seconds of time.monotonic()
    progress: tuple = ()
    moved: float = field(default_factory=time.monotonic)
    beaten: float = 0.0
    stalled: bool = False


class Worker:
    """Runs jobs of one home folder until there is nothing to do for `idle` seconds or `stop` is set."""

    def __init__(self, home: Path, *, idle: float = IDLE_SECONDS, stall: float = STALL_SECONDS) -> None:
        self.home, self.idle, self.stall = home, idle, stall
        self.table = JobTable(home)
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
        worker = self.table.enlist()
        busy, signed = time.monotonic(), time.monotonic()
        while not self.stop.is_set():
            try:
                worked = self.turn()
                now = time.monotonic()
                busy = now if worked else busy
                if now - signed >= BEAT_SECONDS:
                    self.table.sign(worker)
                    signed = now
                if now - busy >= self.idle and self.table.retire(worker):
                    return
            except SQLAlchemyError:  # locked, full or away: its trainers live on, and so does the worker
                traceback.print_exc()
                self.stop.wait(PAUSE_SECONDS)
            self.stop.wait(POLL_SECONDS)
        self.table.retire(worker, force=True)  # its trainers go on; the next worker finds them

    def turn(self) -> bool:
        """One look at everything; whether there is work."""
        for child in list(self._children.values()):
            self._look(child)
        mine = {child.job.lease for child in self._children.values()}
        self.table.reap(self._watch, except_leases=mine)
        for kind in KINDS:
            if kind == "evaluate" and self.table.busy(("train",)):
                continue  # people wait for trainings, for this nobody does
            job = self.table.claim(kind)
            if job is not None:
                self._start(job)
        return bool(self._children) or self.table.busy()

    def _start(self, job: Job) -> None:
        log = self.table.log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "ml", *arguments(job)],
                cwd=ROOT,
                env={**PATIENT, **os.environ, "FASHION_HOME": str(self.home), LEASE: str(job.lease)},
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self._children[job.id] = Child(job, process, oom_kills())
        if job.kind != "train":  # a process that knows nothing of jobs
            self.table.own(job, process.pid)

    def _look(self, child: Child) -> None:
        status = child.process.poll()
        row = self.table.get(child.job.id)
        if row is None or row.lease != child.job.lease:  # ended, by itself or by another's verdict
            if status is None and (row is None or row.active or child.asked is None):
                child.asked = child.asked or time.monotonic()
            if status is not None:
                del self._children[child.job.id]
            elif child.asked is not None and time.monotonic() - child.asked > GRACE_SECONDS:
                kill(child.process)
            return
        if status is None:
            self._supervise(child, row)
            return
        del self._children[child.job.id]
        log = self.table.log(child.job)
        printed = log.read_text(errors="replace") if log.is_file() else ""
        state, cause = verdict(child, status, printed)
        with contextlib.suppress(Lost):
            self.table.bury(row, state, cause, again=self._again())

    def _again(self) -> bool:
        """Whether what is interrupted now is to go on by itself; on one machine people decide."""
        return False

    def _supervise(self, child: Child, row: Job) -> None:
        now = time.monotonic()
        trim(self.table.log(row))
        if (row.kind != "train" or row.pid is None) and now - child.beaten >= BEAT_SECONDS:
            # a trainer beats for itself as soon as it can; on a busy machine that takes a while
            words = {"train": row.stage, "data": "fetching"}.get(row.kind)
            said: dict[str, str | int] = told(self.table.log(row)) if words is None else {"stage": words}
            self.table.beat(row, **said)
            child.beaten = now
        progress = (row.batch, row.epoch, row.stage)
        if progress != child.progress:
            child.progress, child.moved = progress, now
        child.stalled = now - child.moved > self.stall
        if not row.cancel and not child.stalled:
            return
        child.asked = child.asked or now
        if row.kind != "train" or now - child.asked > GRACE_SECONDS:
            kill(child.process)


def arguments(job: Job) -> list[str]:
    """What `python -m ml` is asked to do for a job."""
    if job.kind == "train":
        return ["train", "--job", job.id]
    return ["data"] if job.kind == "data" else ["evaluate", job.run_id, "--only", *job.spec["nouns"]]


def verdict(child: Child, status: int, printed: str = "") -> tuple[str, str]:
    """State and cause of a job whose process ended without saying how.

    status: as Popen.returncode; printed: what it wrote into its log.
    """
    if child.job.kind != "train" and status == 0:
        return "done", ""
    if child.job.kind == "data":
        return "failed", "The pictures could not be fetched; the log says what to do."
    if child.stalled:
        return "failed", "No progress for a long time, so it was stopped."
    if status == -9 and oom_kills() > child.oom_kills:
        return "failed", OUT_OF_MEMORY
    if -status in ENDED:
        return "interrupted", f"Its process was ended from outside ({signal.Signals(-status).name})."
    if child.job.kind == "train" and out_of_memory(printed[-4000:]):  # too little even to write that into the row
        return "failed", OUT_OF_MEMORY
    if status < 0:
        return "failed", f"Its process crashed ({signal.Signals(-status).name}); the log may say more."
    if status == LOST:
        return "interrupted", "It lost its place in the job table."
    return "failed", "It stopped with an error; the log says more."


def told(log: Path) -> dict[str, str | int]:
    """How far an evaluation is, from the last words in its log: stage, and where they end in "3/40", batch and batches.

    Its own lines begin with a small letter, those of warnings do not.
    """
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
        lines = re.findall(r"^[a-z].*$", file.read().decode("utf-8", "replace"), re.MULTILINE)
        if lines:
            counted = re.search(r",? (\d{1,9})/(\d{1,9})$", lines[-1])
            done = {"batch": int(counted[1]), "batches": int(counted[2])} if counted else {}
            return {"stage": lines[-1][: counted.start() if counted else None][:80], **done}
    return {"stage": "computing"}


def trim(log: Path, most: int = LOG_BYTES) -> None:
    """Cut the front off a log of more than `most` bytes, at a line; whoever writes it appends, and goes on."""
    with contextlib.suppress(OSError), log.open("r+b") as file:
        if file.seek(0, os.SEEK_END) <= most:
            return
        file.seek(-(most // 4), os.SEEK_END)
        file.readline()
        kept = file.read()
        file.seek(0)
        file.truncate()
        file.write(b"(what came before was cut off)\n" + kept)


def kill(process: subprocess.Popen) -> None:
    """End a process and all it started."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def oom_kills() -> int:
    """How often the kernel has killed for memory, in this control group or else on this machine; 0 where unknown."""
    for path in ("/sys/fs/cgroup/memory.events", "/proc/vmstat"):
        try:
            words = Path(path).read_text().split()
            return int(words[words.index("oom_kill") + 1])
        except (OSError, ValueError):
            continue
    return 0


def work() -> int:
    """`python -m ml work`: 0 when it left for want of work or was told to, also when another worker is there.

    With CELERY_BROKER_URL set, a worker of the cluster instead, which stays.
    """
    if broker():
        from ml.jobs import cluster

        return cluster.serve()
    worker = Worker(home_dir(), idle=float(os.environ.get(IDLE, IDLE_SECONDS)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())
    if not worker.run():
        print("another worker is at work")
    return 0
