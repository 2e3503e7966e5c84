"""Door MAKE: submit, observe, cancel and resume trainings; rows in the database, never a process of this one."""

import functools
import hashlib
import json
import logging
import multiprocessing
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from dashboard.format import training_settings
from dashboard.services.callback_managers import ClusterLauncher, Launcher
from ml.artifacts.schema import RUN_ID
from ml.data import available, fashion_mnist, feedback
from ml.data import corrections as labels
from ml.data.corrections import Corrections
from ml.data.feedback import Feedback as Lessons
from ml.jobs import liveness, start
from ml.jobs.broker import OBSERVE, broker
from ml.jobs.liveness import Watch, Workers
from ml.jobs.notifier import Notifier
from ml.jobs.queue import JobTable, Refused, machine_slots
from ml.jobs.tables import Job
from ml.models import ABOUT, MODELS
from ml.system import database
from ml.system.content_addressed import Gone
from ml.system.paths import ARTIFACTS, home_dir
from ml.training.config import AUGMENTATIONS, TrainConfig
from ml.training.fields import FIELDS, Field
from ml.training.presets import PRESETS
from ml.training.schedule import rates

__all__ = [
    "AUGMENTATIONS", "CLIENT_LESSONS", "FIELDS", "OBSERVE", "DataChoice", "Field", "Invalid", "Job", "Jobs", "Refused",
    "View", "relay",
]  # fmt: skip

log = logging.getLogger(__name__)

CLIENT_LESSONS = feedback.CLIENT  # pictures of one client that a fine-tuning learns from
FREE_BYTES = 300 * 2**20  # below this a training would only fill the disk
WAKE_SECONDS = 3.0  # between two attempts to start a worker; twice as long after each that was in vain
WAKE_LONGEST = 60.0
LOADING_SECONDS = 60.0  # a worker that lives may take so long to put its name down
RELAY_SECONDS = 0.5
LOG_BYTES = 16_000
EVALUATIONS = ("engines", "label_issues", "robustness")  # nouns that take minutes: made when somebody asks for them
READ_ONLY = "This server shows runs and trains none (it was started with --read-only)."
NO_BROKER = (
    "The job queue (Redis) cannot be reached. Trainings under way go on; new ones wait and begin by themselves once it "
    "is back. Everything else works."
)
NO_WORKER = "No training worker is connected: trainings wait until one is."
LAST_WORD_SECONDS = 10.0  # a relay may take so long to tell of its job's end
NO_DATABASE = "The job database cannot be used just now, so nothing can be started or stopped. Looking works on."
# what is not part of a preset: a choice of the day, not of the recipe
CIRCUMSTANCES = ("dataset", "seed", "train_images", "threads")


class Invalid(Exception):
    """A request that does not check out: input name → what is wrong and what is allowed."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


@dataclass(frozen=True)
class DataChoice:
    """A data set to train on. complete: False when only the shipped part of its training pictures is here."""

    name: str
    title: str
    train_images: int
    complete: bool


@dataclass(frozen=True)
class View:
    """What a page shows of the jobs: job is the one in front, history its epochs, problem why nothing can be read."""

    job: Job | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    fetching: Job | None = None
    position: int = 0
    problem: str = ""

    @property
    def active(self) -> bool:
        return any(job.active for job in self.jobs) or bool(self.fetching and self.fetching.active)


class Jobs:
    """The jobs of one home folder. Thread-safe. The database is opened when first needed: looking needs none.

    Raises ValueError where a setting in the environment cannot be read.
    """

    def __init__(self, home: Path | None = None, *, artifacts: Path | None = None, read_only: bool = False) -> None:
        self.home = home or home_dir()
        self.artifacts = artifacts or ARTIFACTS
        self.read_only = read_only
        self.slots = machine_slots()
        self._notifier = Notifier(url) if (url := broker()) else None
        self._opened: JobTable | None = None
        self._lock = threading.Lock()
        self._watch = Watch()
        self._woken, self._pause = -WAKE_LONGEST, 0.0
        self._loading: subprocess.Popen | None = None  # the worker that was started last
        self._relayed: set[tuple[str, int]] = set()

    # ---- what can be chosen

    def models(self) -> list[str]:
        return list(MODELS)

    def about(self, model: object) -> str:
        """What a model is, in a sentence; '' for one that is not known."""
        return ABOUT.get(model, "") if isinstance(model, str) else ""

    def datasets(self) -> list[DataChoice]:
        """Built-in data sets first, then imported ones."""
        choices = []
        for name in available(self.home):
            folders = (self.home / "datasets" / name, self.artifacts / "datasets" / name)
            described = next((json.loads((f / "dataset.json").read_text()) for f in folders if _described(f)), None)
            if name == fashion_mnist.NAME and fashion_mnist.find() is not None:
                choices.append(DataChoice(name, "Fashion-MNIST", 55_000, True))
            elif described is not None:
                splits = described["splits"]
                count = splits.get("train", splits.get("reference", 0))
                choices.append(DataChoice(name, described["title"], count, "train" in splits))
        return choices

    def validation_images(self, dataset: object) -> int | None:
        """How many pictures validation accuracy is measured on; None when that is not known yet."""
        if dataset == fashion_mnist.NAME:
            return fashion_mnist.VALIDATION
        if not isinstance(dataset, str) or not RUN_ID.fullmatch(dataset):
            return None
        folders = (self.home / "datasets" / dataset, self.artifacts / "datasets" / dataset)
        described = next((json.loads((f / "dataset.json").read_text()) for f in folders if _described(f)), None)
        return int(described["splits"]["validation"]) if described else None

    def presets(self) -> dict[str, dict[str, Any]]:
        """Name → every choice that the preset makes, as JSON."""
        return {
            name: TrainConfig(**values).model_dump(mode="json", exclude={*CIRCUMSTANCES} - {*values})
            for name, values in PRESETS.items()
        }

    def planned(self, values: Mapping[str, Any], steps: int = 600) -> list[tuple[float, float]]:
        """(epochs done, learning rate) over a training with these settings; empty where they do not check out.

        values: learning_rate, epochs, schedule, warmup (others are not looked at); steps: of the whole training.
        """
        names = ("learning_rate", "epochs", "schedule", "warmup")
        try:
            config = TrainConfig(**{name: values[name] for name in names})
        except (ValidationError, TypeError, KeyError, RecursionError):
            return []
        return rates(config, max(steps, 1))

    def limits(self, name: str) -> tuple[float, float]:
        """Smallest and largest value of a number of TrainConfig."""
        return FIELDS[name].low or 0, FIELDS[name].high or 0

    def default(self, name: str) -> Any:
        """TrainConfig's own choice."""
        return FIELDS[name].default

    def estimate(self, model: str, dataset: str, epochs: int, images: int) -> tuple[float, int] | None:
        """Seconds a training would take, from the last trainings here of that model and data; and from how many."""
        table = self._table()
        if table is None:
            return None
        paces, extras = [], []
        for job in table.listing(50):
            if job.state != "done" or (job.spec.get("model"), job.spec.get("dataset")) != (model, dataset):
                continue
            rows = table.history(job.id)
            if rows and job.started and job.finished:
                paces.append(statistics.fmean(row["images_per_second"] for row in rows))
                extras.append(max(job.finished - job.started - sum(row["seconds"] for row in rows), 0.0))
            if len(paces) == 3:
                break
        if not paces:
            return None
        return epochs * images / statistics.median(paces) + statistics.median(extras), len(paces)

    # ---- ask

    def check(self, values: Mapping[str, Any], taken: frozenset[str] = frozenset()) -> tuple[TrainConfig, str]:
        """The config and the run's name ('' when it is to be made). Raises Invalid. taken: names of runs that exist."""
        values = dict(values)
        name = values.pop("name", None)
        errors: dict[str, str] = {}
        if name in (None, ""):
            name = ""
        elif not isinstance(name, str) or not RUN_ID.fullmatch(name):
            errors["name"] = "Name: 1 to 64 small letters, digits, - and _, beginning with a letter or digit."
        elif name in taken:
            errors["name"] = f"Name: {name} is taken."
        config = None
        try:
            config = TrainConfig(**values)
        except ValidationError as wrong:
            for error in wrong.errors(include_url=False, include_input=False):
                input_name = str(error["loc"][0]) if error["loc"] else "model"
                own = str(error.get("ctx", {}).get("error", "")) if error["type"] == "value_error" else ""
                words = f"{training_settings.label(input_name)}: {own.rstrip('.')}." if own else self._words(input_name)
                errors.setdefault(input_name, words)
        except (TypeError, RecursionError):
            errors["model"] = "These values cannot be read."
        if config is not None and config.model not in MODELS:
            errors["model"] = f"Model: one of {', '.join(MODELS)}."
        if config is not None and config.dataset not in [choice.name for choice in self.datasets()]:
            errors["dataset"] = "Data set: it is not on this machine."
        if config is not None and config.labels is not None:
            try:
                if labels.read(self.home, config.labels).dataset != config.dataset:
                    errors["labels"] = "Corrected labels: these are of another data set."
            except Gone as gone:
                errors["labels"] = str(gone)
        if config is not None and config.feedback is not None:
            try:
                if feedback.read(self.home, config.feedback).dataset != config.dataset:
                    errors["feedback"] = "Accepted feedback: this is of another data set."
            except Gone as gone:
                errors["feedback"] = str(gone)
        if errors or config is None:
            raise Invalid(errors)
        return config, str(name)

    def submit(
        self, values: Mapping[str, Any], *, intent: str | None = None, taken: frozenset[str] = frozenset()
    ) -> Job:
        """Queue a training. values: TrainConfig's fields and `name`. Raises Invalid or Refused, in words."""
        self._allowed()
        config, name = self.check(values, taken)
        if self._free() < FREE_BYTES:
            raise Refused(f"The disk is almost full: a training needs {FREE_BYTES // 2**20} MB free.")
        spec = config.model_dump(mode="json")
        return self._announce(self._write(lambda table: self._insert(table, spec, name, config, intent, taken)))

    def retrain(
        self,
        config: Mapping[str, Any],
        name: str,
        *,
        against: str,
        relabelled: Mapping[int, int],
        excluded: Collection[int],
        intent: str | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> Job:
        """Queue a training on corrected labels, which are frozen now: the job's spec names their file.

        config: the settings of a run, those that are no settings any more left out; against: the run to compare with;
        relabelled: example id of train → class id; excluded: example ids of train. Raises Invalid, Refused.
        """
        self._allowed()
        values = {field: config[field] for field in FIELDS if field in config}
        corrections = labels.Corrections(
            str(values.get("dataset", self.default("dataset"))), dict(relabelled), frozenset(excluded), against
        )
        try:
            frozen = labels.freeze(self.home, corrections)
        except OSError as error:
            raise Refused("The corrected labels cannot be written: the disk is full or read-only.") from error
        return self.submit({**values, "labels": frozen, "name": name}, intent=intent, taken=taken)

    def fine_tune(
        self,
        config: Mapping[str, Any],
        name: str,
        *,
        against: str,
        images: np.ndarray,
        wanted: Sequence[int],
        clients: Sequence[int],
        intent: str | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> Job:
        """Queue a short training from a run's weights on its training pictures and accepted feedback, frozen now.

        config: the settings of the run `against`; images: uint8 [n, h, w, c], oldest first; wanted: class ids [n];
        clients: numbers from 0 on [n]. One client's part is capped (`ml.data.feedback`). Raises Invalid, Refused.
        """
        self._allowed()
        values = {field: config[field] for field in FIELDS if field in config}
        lessons = Lessons(
            str(values.get("dataset", self.default("dataset"))), against, images,
            np.asarray(wanted, np.int64), np.asarray(clients, np.int64),
        )  # fmt: skip
        try:
            frozen = feedback.freeze(self.home, lessons.capped())
        except OSError as error:
            raise Refused("The accepted feedback cannot be written: the disk is full or read-only.") from error
        slow = max(float(values.get("learning_rate", self.default("learning_rate"))) / feedback.SLOWER, 1e-5)
        values |= {"learning_rate": round(slow, 8), "epochs": feedback.EPOCHS, "schedule": "cosine", "warmup": 0.1}
        return self.submit({**values, "frozen_epochs": 0, "feedback": frozen, "name": name}, intent=intent, taken=taken)

    def lessons(self, job: Job) -> Lessons | None:
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
            return labels.read(self.home, name) if isinstance(name, str) else None
        except Gone:
            return None

    def fetch(self) -> Job:
        """Queue the download of the full data set; the one under way if there is one. Raises Refused."""
        self._allowed()

        def insert(table: JobTable) -> Job:
            last = table.current("data")
            if last is not None and last.active:
                return last
            return table.submit({}, f"data-{int(time.time() * 1000)}", epochs=0, kind="data")

        job = self._announce(self._write(insert))
        self.wake()
        return job

    def evaluate(self, run_id: object, noun: object, *, runs: Collection[str]) -> Job:
        """Queue the making of a noun that is made when asked for; the job under way if there is one. Raises Refused.

        runs: ids of the runs that can be evaluated.
        """
        self._allowed()
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

    def evaluation(self, run_id: str, noun: str) -> Job | None:
        """The last job that made a noun of a run, or is to; None where none is known."""
        table = self._table()
        try:
            return self._evaluation(table, run_id, noun) if table else None
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return None

    @staticmethod
    def _evaluation(table: JobTable, run_id: str, noun: str) -> Job | None:
        jobs = table.listing(kind="evaluate")
        return next((job for job in jobs if job.run_id == run_id and noun in job.spec.get("nouns", ())), None)

    def cancel(self, job_id: str) -> Job:
        """Raises Refused."""
        self._allowed()
        return self._write(lambda table: table.cancel(job_id))

    def resume(self, job_id: str) -> Job:
        """Raises Refused."""
        self._allowed()
        return self._announce(self._write(lambda table: table.resume(job_id)))

    def discard(self, job_id: str) -> Job:
        """Give an interrupted or failed job up; what it made is deleted. Raises Refused."""
        self._allowed()
        return self._write(lambda table: table.discard(job_id))

    def wake(self) -> bool:
        """Start a worker where none is alive or on its way; whether one was started.

        A cluster's workers are started elsewhere.
        """
        table = self._table()
        if table is None or self.read_only or self._notifier is not None:
            return False
        with self._lock:
            since = time.monotonic() - self._woken
            loading = self._loading is not None and self._loading.poll() is None and since < LOADING_SECONDS
            if loading or since < self._pause or self._staffed(table):
                return False
            self._woken, self._pause = time.monotonic(), min(max(2 * self._pause, WAKE_SECONDS), WAKE_LONGEST)
            self._loading = start.start_worker(self.home)
        return True

    def _staffed(self, table: JobTable) -> bool:
        """Whether a worker is alive; then the next one that is missed is started without a pause."""
        alive = Workers(table).alive(self._watch)
        if alive:
            self._pause = 0.0
        return alive

    # ---- look

    def view(self, shown: object = None) -> View:
        """Everything a page shows. Ends what died without a word, and wakes a worker that is missed.

        shown: the id of the job in front; where there is none of that id, the one that matters most just now.
        """
        table = self._table()
        if table is None:
            return View(problem="" if self.read_only else NO_DATABASE)
        try:
            rows, fetching = table.listing(60), table.current("data")
            if not self.read_only and table.busy() and not self._staffed(table):
                # while a worker lives, it is the one to say how a process ended; in a cluster the next one goes on
                if reaped := liveness.reap(table, self._watch, again=self.clustered):
                    for one in reaped:
                        self._announce(one)
                    rows, fetching = table.listing(60), table.current("data")
                self.wake()
            chosen = table.get(shown) if isinstance(shown, str) else None
            job = chosen if chosen is not None and chosen.kind == "train" else table.current()
            history = table.history(job.id) if job else []
            return View(job, history, rows, fetching, table.position(job) if job else 0)
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return View(problem=NO_DATABASE)

    def training(self, job_id: str) -> tuple[Job, list[dict[str, float]], list[dict[str, float]]] | None:
        """A training, its epochs, and its measures within the epochs; None where there is none of that id."""
        table = self._table()
        try:
            job = table.get(job_id) if table else None
            if table is None or job is None or job.kind != "train":
                return None
            return job, table.history(job.id), table.steps(job.id)
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return None

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """What happened to a job, in order: attempt, event, lease, host, pid, cause, time; see JobTable.events."""
        table = self._table()
        try:
            return table.events(job_id) if table else []
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return []

    def log_file(self, job_id: str) -> Path | None:
        """What a job's process printed; None where it has printed nothing, or there is no such job."""
        table = self._table()
        job = table.get(job_id) if table and re.fullmatch(r"[0-9a-f]{32}", job_id) else None
        return table.log(job) if table is not None and job is not None and table.log(job).is_file() else None

    def log_tail(self, job_id: str) -> str:
        """The end of what a job's process printed, at most 16,000 bytes."""
        found = self.log_file(job_id)
        if found is None:
            return ""
        with found.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - LOG_BYTES, 0))
            return file.read().decode("utf-8", "replace")

    def health(self) -> dict[str, str]:
        """database: ok or unavailable; worker: running or stopped (it starts when a training is asked for).

        broker: none (this machine trains by itself), ok or unreachable.
        """
        table = self._table()
        found = {"database": "unavailable", "worker": "stopped", "broker": "none"}
        if table is not None and database.healthy(table.engine):
            found |= {"database": "ok", "worker": "running" if Workers(table).alive(self._watch) else "stopped"}
        if self._notifier is not None:
            found["broker"] = "unreachable" if self._notifier.reachable is False else "ok"
        return found

    @property
    def clustered(self) -> bool:
        """Whether trainings are done by Celery's workers."""
        return self._notifier is not None

    @property
    def reachable(self) -> bool:
        """Whether the cluster's broker answers; yes until it was found out."""
        return self._notifier is not None and self._notifier.reachable is not False

    def trouble(self) -> str:
        """What everybody should know of the cluster just now, in words; '' when all is well."""
        if self._notifier is None or self.read_only:
            return ""
        if not self.reachable:
            return NO_BROKER
        table = self._table()
        try:
            if table is not None and table.busy() and not Workers(table).alive(self._watch):
                return NO_WORKER
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
        return ""

    def ahead(self, job: Job) -> list[Job]:
        """What goes before a waiting job, what runs first; [] for one that does not wait, or where nobody can tell.

        Trainings go before evaluations, whenever they were asked for.
        """
        table = self._table()
        if table is None or job.state != "queued":
            return []
        kinds = ("train", job.kind) if job.kind == "evaluate" else (job.kind,)
        try:
            found = [one for kind in kinds for one in table.listing(60, kind) if one.active]
        except SQLAlchemyError:
            log.exception("the job database cannot be read")
            return []
        before = [one for one in found if one.state == "running" or one.kind != job.kind or one.number < job.number]
        return sorted(before, key=lambda one: (one.state != "running", kinds.index(one.kind), one.number))

    def at_work(self, run_id: str) -> bool:
        """Whether a training or evaluation of that run waits or runs; no where the database cannot be read."""
        table = self._table()
        return table is not None and table.at_work(run_id)

    def names(self) -> frozenset[str]:
        """Ids of runs that a training has, had or will have; none where the database cannot be read."""
        table = self._table()
        return table.names() if table is not None else frozenset()

    def rows(self, owner: str, steps: Sequence[database.Step]) -> tuple[Engine, Callable[[], Any]]:
        """The same database for an owner of other rows, migrated: the engine to read with, what begins a write.

        Raises OSError, SQLAlchemyError or RuntimeError where it cannot be had.
        """
        engine = database.open_engine(self.home)
        database.migrate(engine, owner, steps)
        return engine, functools.partial(database.transaction, engine)

    @cached_property
    def manager(self) -> Any:
        """What runs Dash's background callbacks: new interpreters (a fork after torch has run hangs), a private cache.

        The cache holds pickles, so only this user may write it. With a broker, Celery's workers run them.
        """
        if self._notifier is not None:
            from ml.jobs import celery_app

            return ClusterLauncher(self, celery_app.app)
        import multiprocess
        from diskcache import Cache

        multiprocess.set_start_method("spawn", force=True)
        folder = self.home / "cache" / "callbacks"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            return Launcher(self, Cache(str(folder)))
        except OSError:  # a home that cannot be written to: looking must work all the same
            return Launcher(self, Cache(tempfile.mkdtemp(prefix="fashion-forward-")))

    def admit(self, ticket: object) -> bool:
        """Whether a background callback may start for this ticket: a live job's attempt, and the first time here."""
        if self.read_only or not isinstance(ticket, dict):
            return False
        table, job_id, attempt = self._table(), ticket.get("job"), ticket.get("attempt")
        if table is None or not isinstance(job_id, str) or not isinstance(attempt, int):
            return False
        job = table.get(job_id)
        if job is None or not job.active or not job.attempt <= attempt <= job.attempt + 1:
            return False
        with self._lock:
            first = (job_id, attempt) not in self._relayed
            self._relayed.add((job_id, attempt))
        return first

    def watched(self, job_id: str) -> bool:
        """Whether there is still something to tell of a job: it is active, or has just ended."""
        table = self._table()
        try:
            job = table.get(job_id) if table else None
        except SQLAlchemyError:
            return True
        return job is not None and (job.active or time.time() - (job.finished or 0) < LAST_WORD_SECONDS)

    # ---- inside

    def _announce(self, job: Job) -> Job:
        if self._notifier is not None and job.state == "queued":
            self._notifier.notify(job.id)
        return job

    def _table(self) -> JobTable | None:
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = JobTable(self.home)
                except (OSError, SQLAlchemyError, RuntimeError, ImportError) as error:
                    log.warning("the job database cannot be opened: %s", error)
            return self._opened

    def _write(self, change: Callable[[JobTable], Job]) -> Job:
        table = self._table()
        if table is None:
            raise Refused(NO_DATABASE)
        try:
            return change(table)
        except SQLAlchemyError as error:
            log.exception("the job database cannot be written")
            raise Refused(NO_DATABASE) from error

    def _allowed(self) -> None:
        if self.read_only:
            raise Refused(READ_ONLY)

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
        stem = f"{config.model}-{config.seed}"
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

    @staticmethod
    def _words(name: str) -> str:
        """What an input may hold."""
        title, field = training_settings.label(name)[:40], FIELDS.get(name)
        if field is None:
            return f"{title} is no choice here."
        empty = ", or nothing" if field.optional else ""
        if field.kind in ("whole", "number"):
            kind = "a whole number" if field.kind == "whole" else "a number"
            return f"{title}: {kind} from {training_settings.span(field.low or 0, field.high or 0)}{empty}."
        if field.kind == "several":
            return f"{title}: any of {', '.join(field.choices)}."
        return f"{title}: {'on or off' if field.kind == 'switch' else 'choose one of the list'}."


def _described(folder: Path) -> bool:
    return (folder / "dataset.json").is_file()


def relay(set_progress: Callable[[Any], None], ticket: dict[str, Any]) -> list[Any]:
    """The background callback: wakes the worker, then tells one tab of every change of the row until the job ends.

    Runs in an interpreter of its own and captures nothing: the ticket says it all, {"job": id, "home": folder}, the
    home written in by the launcher; '' is that of the machine it runs on. Its death costs nothing, since every tab
    reads the row too. It leaves when the server that started it is gone.
    """
    jobs = Jobs(Path(ticket["home"]) if ticket["home"] else None)
    table, told = jobs._table(), None
    parent = multiprocessing.parent_process() or _multiprocess_parent()
    while table is not None and (parent is None or parent.is_alive()):
        job = table.get(ticket["job"])
        if job is None:
            break
        told, before = [job.id, job.state, job.attempt, job.epoch, job.batch, job.stage, job.cancel], told
        if not job.active:
            break
        jobs.wake()
        if told != before:
            set_progress([told])
        time.sleep(RELAY_SECONDS)
    return told or []


def _multiprocess_parent() -> Any:
    import multiprocess

    return multiprocess.parent_process()
