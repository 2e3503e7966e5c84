"""Trainings and evaluations as people ask for them: submit, cancel, resume, discard.

They are rows in the database; their processes are never this one's.
"""

import hashlib
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dashboard.services import callback_managers, training_options, training_request, twins
from dashboard.services.job_views import JobViews
from dashboard.services.training_options import TrainingOptions
from ml.jobs.queue import JobTable, Refused
from ml.jobs.tables import Job
from ml.system import disk
from ml.system.paths import ARTIFACTS
from ml.training.config import TrainConfig

FREE_BYTES = 300 * 2**20  # below this a training would only fill the disk
EVALUATIONS = ("engines", "label_issues", "robustness")  # nouns that take minutes: made when somebody asks for them


class Jobs(JobViews):
    """The jobs of one home folder. Thread-safe. The database is opened when first needed: looking needs none.

    Raises ValueError where a setting in the environment cannot be read.
    """

    def __init__(self, home: Path | None = None, *, artifacts: Path | None = None, read_only: bool = False) -> None:
        super().__init__(home, read_only=read_only)
        self.artifacts = artifacts or ARTIFACTS
        self.options = TrainingOptions(self.home, self.artifacts)
        self._relayed: set[tuple[str, int]] = set()

    def submit(
        self,
        values: Mapping[str, Any],
        *,
        intent: str | None = None,
        taken: frozenset[str] = frozenset(),
        twin: tuple[str, str | None] | None = None,
        seconds: float | None = None,
    ) -> Job:
        """Queue a training. values: TrainConfig's fields and `name`. Raises Invalid or Refused, in words.

        twin: the field that is tried and its value without that, where twins are to be trained beside it, of a named
        run; seconds: that one training takes, which decides on how many seeds.
        """
        self.permit("train")
        config, name = training_request.check(values, self.options, taken)
        if self._free() < FREE_BYTES:
            how = disk.FULL if disk.used_up(self.home) else "The disk is almost full"
            raise Refused(f"{how}: a training needs {FREE_BYTES // 2**20} MB free.")
        spec = config.model_dump(mode="json")
        if twin is not None and name:
            chosen = twins.seeds(config.seed, seconds)
            spec["twins"] = twins.plan(spec, name, *twin, chosen, taken | self.names())
        return self._announce(self._write(lambda table: self._insert(table, spec, name, config, intent, taken)))

    def retrain(
        self,
        config: Mapping[str, Any],
        name: str,
        *,
        against: str,
        relabelled: Mapping[int, int],
        excluded: Collection[int],
        digest: str = "",
        labelled: Mapping[int, int] = MappingProxyType({}),
        twin: Collection[int] | None = None,
        seconds: float | None = None,
        intent: str | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> Job:
        """Queue a training on corrected labels, which are frozen now: the job's spec names their file.

        twin: the example ids that its twins leave out, as many as `excluded`, so that they take as many steps; None for
        no twins. See `training_request.with_corrections`. Raises Invalid, Refused.
        """
        self.permit("train")
        values = training_request.with_corrections(self.home, config, against, relabelled, excluded, digest, labelled)
        without = None
        if twin:
            without = training_request.with_corrections(self.home, config, against, {}, twin, digest)["labels"]
        tried = None if twin is None else ("labels", without)
        return self.submit({**values, "name": name}, intent=intent, taken=taken, twin=tried, seconds=seconds)

    def fine_tune(
        self,
        config: Mapping[str, Any],
        name: str,
        *,
        against: str,
        images: np.ndarray,
        wanted: Sequence[int],
        clients: Sequence[int],
        twin: tuple[np.ndarray, Sequence[int]] | None = None,
        seconds: float | None = None,
        intent: str | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> Job:
        """Queue a short training from a run's weights on its training pictures and accepted feedback, frozen now.

        twin: training pictures and their class ids, as many, that its twins see in place of the feedback, so that they
        take as many steps; None for no twins. See `training_request.with_feedback`. Raises Invalid, Refused.
        """
        self.permit("train")
        values = training_request.with_feedback(self.home, config, against, images, wanted, clients)
        tried = None
        if twin is not None:
            usual = training_request.with_feedback(self.home, config, against, *twin, clients)
            tried = ("feedback", usual["feedback"])
        return self.submit({**values, "name": name}, intent=intent, taken=taken, twin=tried, seconds=seconds)

    def fetch(self) -> Job:
        """Queue the download of the full data set; the one under way if there is one. Raises Refused."""
        self.permit("fetch")

        def insert(table: JobTable) -> Job:
            last = table.current("data")
            if last is not None and last.active:
                return last
            return table.submit({}, f"data-{int(time.time() * 1000)}", epochs=0, kind="data")

        job = self._announce(self._write(insert))
        self.wake()
        return job

    def begin(self, spec: Mapping[str, Any], name: str, *, kind: str, intent: str | None = None) -> Job:
        """Queue a job of another kind, which the caller has checked. Raises Refused."""
        job = self._announce(self._write(lambda table: table.submit(spec, name, epochs=0, kind=kind, intent=intent)))
        self.wake()
        return job

    def evaluate(self, run_id: object, noun: object, *, runs: Collection[str]) -> Job:
        """Queue the making of a noun that is made when asked for; the job under way if there is one. Raises Refused.

        runs: ids of the runs that can be evaluated.
        """
        self.permit("evaluate")
        if not isinstance(run_id, str) or run_id not in runs:
            raise Refused("There is no such run.")
        if not isinstance(noun, str) or noun not in EVALUATIONS:
            raise Refused(f"This cannot be computed here; choose from {', '.join(EVALUATIONS)}.")

        def insert(table: JobTable) -> Job:
            last = self._evaluation(table, run_id, noun)
            if last is not None and last.active:
                return last
            # two clicks at once have the same last job before them, and become one
            intent = hashlib.sha256(f"{run_id} {noun} {last.id if last else ''}".encode()).hexdigest()
            return table.submit({"nouns": [noun]}, run_id, epochs=0, kind="evaluate", intent=intent)

        job = self._announce(self._write(insert))
        self.wake()
        return job

    def cancel(self, job_id: str) -> Job:
        """Raises Refused."""
        self.permit("job")
        return self._write(lambda table: table.cancel(job_id))

    def resume(self, job_id: str) -> Job:
        """Raises Refused."""
        self.permit("job")
        return self._announce(self._write(lambda table: table.resume(job_id)))

    def discard(self, job_id: str) -> Job:
        """Give an interrupted or failed job up; what it made is deleted. Raises Refused."""
        self.permit("job")
        return self._write(lambda table: table.discard(job_id))

    def estimate(self, model: str, dataset: str, epochs: int, images: int) -> tuple[float, int] | None:
        """Seconds a training would take, from the last trainings here of that model and data; and from how many."""
        table = self.table()
        return None if table is None else training_options.estimate(table, model, dataset, epochs, images)

    @cached_property
    def manager(self) -> Any:
        """What runs Dash's background callbacks: an interpreter of this machine, with a broker Celery's workers."""
        return callback_managers.cluster(self) if self.clustered else callback_managers.local(self)

    def admit(self, ticket: object) -> bool:
        """Whether a background callback may start for this ticket: a live job's attempt, and the first time here."""
        if self.read_only or not isinstance(ticket, dict):
            return False
        table, job_id, attempt = self.table(), ticket.get("job"), ticket.get("attempt")
        if table is None or not isinstance(job_id, str) or not isinstance(attempt, int):
            return False
        job = table.get(job_id)
        if job is None or not job.active or not job.attempt <= attempt <= job.attempt + 1:
            return False
        with self._lock:
            first = (job_id, attempt) not in self._relayed
            self._relayed.add((job_id, attempt))
        return first

    def _free(self) -> int:
        folder = self.home
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    @staticmethod
    def _insert(
        table: JobTable, spec: dict[str, Any], name: str, config: TrainConfig, intent: str | None, taken: frozenset[str]
    ) -> Job:
        if name:
            return table.submit(spec, name, epochs=config.epochs, intent=intent)
        stem = f"{config.model.replace(':', '-')}-{config.seed}"
        for number in range(1, 1000):
            run_id = stem if number == 1 else f"{stem}-{number}"
            if run_id in taken:
                continue
            try:
                return table.submit(spec, run_id, epochs=config.epochs, intent=intent)
            except Refused as refusal:
                if refusal.field != "name":
                    raise
        raise Refused("Too many runs of this model and seed: give this one a name.", "name")
