"""What pages show of the jobs. Looking never raises: where the database is away, it says so or shows nothing."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from dashboard.services.job_database import NO_DATABASE, JobDatabase
from ml.data import corrections, feedback
from ml.data.corrections import Corrections
from ml.data.feedback import Feedback
from ml.jobs import liveness
from ml.jobs.queue import JobTable
from ml.jobs.tables import SCRIPT, SHOWN, Job
from ml.system.content_addressed import Gone

log = logging.getLogger(__name__)

LOG_BYTES = 16_000
LAST_WORD_SECONDS = 10.0  # a relay may take so long to tell of its job's end


@dataclass(frozen=True)
class View:
    """What a page shows of the jobs: job is the one in front, history its epochs, problem why nothing can be read.

    stalled: why the job in front does not move, in words; '' while it does. kept: the twins of an ended one that are
    there although it is not done.
    """

    job: Job | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    fetching: Job | None = None
    position: int = 0
    problem: str = ""
    stalled: str = ""
    kept: Sequence[str] = ()

    @property
    def active(self) -> bool:
        return any(job.active for job in self.jobs) or bool(self.fetching and self.fetching.active)


class JobViews(JobDatabase):
    """The jobs of one home folder, to look at."""

    def view(self, shown: object = None) -> View:
        """Everything a page shows. Ends what died without a word, and wakes a worker that is missed.

        shown: the id of the job in front; where there is none of that id, the one that matters most just now.
        """
        table = self.table()
        if table is None:
            return View(problem="" if self.read_only else NO_DATABASE)
        try:
            rows, fetching = table.listing(60, *SHOWN), table.current("data")
            busy, told = table.busy(), table.busy((SCRIPT,))
            if not self.read_only and (busy or told) and not self._staffed(table):
                # while a worker lives, it is the one to say how a process ended; in a cluster the next one goes on
                if reaped := liveness.reap(table, self._watch, again=self.clustered):
                    for one in reaped:
                        self._announce(one)
                    rows, fetching = table.listing(60, *SHOWN), table.current("data")
                if busy:
                    self.wake()
            chosen = table.get(shown) if isinstance(shown, str) else None
            job = chosen if chosen is not None and chosen.kind in SHOWN else table.current(*SHOWN)
            history = table.history(job.id) if job else []
            stalled = self._stalled(job) if job else ""
            place = table.position(job) if job else 0
            return View(job, history, rows, fetching, place, stalled=stalled, kept=self.kept(job))
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return View(problem=NO_DATABASE)

    def _stalled(self, job: Job) -> str:
        """Why a running training does not move, as far as looks at its row can tell: nobody needs to write it down."""
        if job.state != "running" or job.kind not in SHOWN or job.pid is None:
            return ""
        silent = self._silence.still(f"{job.lease}", job.beat, fair=True)
        if silent >= self._silence.seconds:
            return f"its process has been silent for {_tens(silent)} seconds, as when it is stopped or its disk hangs"
        if job.kind == SCRIPT or not job.stage.startswith("training"):  # of a script's nobody knows
            return ""
        still = self._standstill.still(f"{job.lease}", job.batch, fair=True)
        if still >= self._standstill.seconds:
            return f"no batch has ended for {_tens(still)} seconds, as when its disk hangs or the machine is very busy"
        return ""

    def training(self, job_id: str) -> tuple[Job, list[dict[str, float]], list[dict[str, float]]] | None:
        """A training, its epochs, and its measures within the epochs; None where there is none of that id."""
        table = self.table()
        try:
            job = table.get(job_id) if table else None
            if table is None or job is None or job.kind not in SHOWN:
                return None
            return job, table.history(job.id), table.steps(job.id)
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return None

    def kept(self, job: Job | None) -> Sequence[str]:
        """The twins that a job which ended before it was done has left: whole runs."""
        table = self.table()
        if table is None or job is None or job.active or job.state == "done" or not job.spec.get("twins"):
            return ()
        try:
            return table.finished(job)
        except ValueError:  # settings that this version does not know
            return ()

    def evaluation(self, run_id: str, noun: str) -> Job | None:
        """The last job that made a noun of a run, or is to; None where none is known."""
        table = self.table()
        try:
            return self._evaluation(table, run_id, noun) if table else None
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return None

    @staticmethod
    def _evaluation(table: JobTable, run_id: str, noun: str) -> Job | None:
        jobs = table.listing(kind="evaluate")
        return next((job for job in jobs if job.run_id == run_id and noun in job.spec.get("nouns", ())), None)

    def listing(self, kind: str) -> list[Job]:
        """The last 60 jobs of a kind, newest first; none where the database cannot be read."""
        table = self.table()
        try:
            return table.listing(60, kind) if table else []
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return []

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """What happened to a job, in order: attempt, event, lease, host, pid, cause, time; see JobTable.events."""
        table = self.table()
        try:
            return table.events(job_id) if table else []
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return []

    def log_file(self, job_id: str) -> Path | None:
        """What a job's process printed; None where it has printed nothing, or there is no such job."""
        table = self.table()
        job = table.get(job_id) if table and re.fullmatch(r"[0-9a-f]{32}", job_id) else None
        return table.log(job) if table is not None and job is not None and table.log(job).is_file() else None

    def log_tail(self, job_id: str) -> str:
        """The end of what a job's process printed, at most 16,000 bytes."""
        path = self.log_file(job_id)
        if path is None:
            return ""
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - LOG_BYTES, 0))
            return file.read().decode("utf-8", "replace")

    def ahead(self, job: Job) -> list[Job]:
        """What goes before a waiting job, what runs first; [] for one that does not wait, or where nobody can tell.

        Trainings go before evaluations, whenever they were asked for.
        """
        table = self.table()
        if table is None or job.state != "queued":
            return []
        kinds = ("train", job.kind) if job.kind == "evaluate" else (job.kind,)
        try:
            jobs = [one for kind in kinds for one in table.listing(60, kind) if one.active]
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return []
        before = [one for one in jobs if one.state == "running" or one.kind != job.kind or one.number < job.number]
        return sorted(before, key=lambda one: (one.state != "running", kinds.index(one.kind), one.number))

    def at_work(self, run_id: str) -> Job | None:
        """The training or evaluation of that run that runs or waits; none where the database cannot be read."""
        table = self.table()
        return table.at_work(run_id) if table is not None else None

    def names(self) -> frozenset[str]:
        """Ids of runs that a training has, had or will have; none where the database cannot be read."""
        table = self.table()
        return table.names() if table is not None else frozenset()

    def lessons(self, job: Job) -> Feedback | None:
        """The accepted feedback a training learns from; None where it has none, or that is not here any more."""
        name = job.spec.get("feedback")
        try:
            return feedback.read(self.home, name) if isinstance(name, str) else None
        except Gone:
            return None

    def corrections(self, job: Job) -> Corrections | None:
        """What a training changes of its labels; None where it changes nothing, or that is not here any more."""
        name = job.spec.get("labels")
        try:
            return corrections.read(self.home, name) if isinstance(name, str) else None
        except Gone:
            return None

    def watched(self, job_id: str) -> bool:
        """Whether there is still something to tell of a job: it is active, or has just ended."""
        table = self.table()
        try:
            job = table.get(job_id) if table else None
        except SQLAlchemyError:
            return True
        return job is not None and (job.active or abs(time.time() - (job.finished or 0)) < LAST_WORD_SECONDS)


def _tens(seconds: float) -> str:
    """Whole tens: a page that counted seconds would be drawn anew with each."""
    return f"{seconds // 10 * 10:,.0f}"
