"""Runs and jobs beside the one in front: what can be drawn, compared or copied, by one key each.

A key is `run:<run id>` or, for a training without a run, `job:<job id>`.
"""

import math
from dataclasses import dataclass
from typing import Any

from dashboard.figures.progress import Training
from dashboard.services.container import Services
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing, RunEntry
from ml.jobs.tables import SCRIPT, Job

MAX_RUNS_OFFERED = 40  # offered at a time
MEASURES = (
    "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate",
    "images_per_second",
)  # fmt: skip


@dataclass(frozen=True)
class Other:
    """One that can be chosen. config: its settings, of what was made elsewhere none; accuracy: its best on validation,
    None where it has none yet."""

    key: str
    title: str
    config: dict[str, Any]
    accuracy: float | None
    shipped: bool = False


def listing(services: Services, jobs: list[Job], *, without: str | None = None) -> list[Other]:
    """Trainings without a run, newest first, then runs, newest first. without: the run id of the one in front."""
    marks, entries = services.store.marks(), [entry for entry in services.store.runs() if entry.ok]
    known = {entry.run_id for entry in entries}
    entries = [entry for entry in entries if kinds.has(entry.manifest, kinds.LEARNED)]
    others = [
        Other(
            f"job:{job.id}",
            f"{marks.title(job.run_id)}, {job.state}",
            {} if job.kind == SCRIPT else job.spec,
            None,
        )
        for job in jobs
        if job.run_id not in known and job.run_id != without and (job.epoch or job.state == "running")
    ]
    entries.sort(key=lambda entry: str(entry.manifest.get("created", "")), reverse=True)
    others += [
        Other(
            f"run:{entry.run_id}",
            marks.title(entry.run_id),
            entry.manifest.get("config") or {},
            _best(entry),
            entry.shipped,
        )
        for entry in entries
        if entry.run_id != without and not marks.of(entry.run_id).archived
    ]
    return others[:MAX_RUNS_OFFERED]


def config(services: Services, key: object) -> dict[str, Any] | None:
    """A run's or job's settings, None where there is no such one."""
    entry, job = _entry_or_job(services, key)
    if entry is not None:
        return dict(entry.manifest.get("config") or {}) or None
    return dict(job.spec) if job is not None and job.kind != SCRIPT else None  # nobody knows what a script does


def title(services: Services, key: object) -> str:
    """What people call it."""
    entry, job = _entry_or_job(services, key)
    run_id = entry.run_id if entry is not None else job.run_id if job is not None else ""
    return services.store.marks().title(run_id) if run_id else ""


def training(services: Services, key: object) -> Training | None:
    """Its curves by epoch, None where there are none."""
    entry, job = _entry_or_job(services, key)
    try:
        if entry is not None:
            frame = services.store.open(entry.run_id).history()
            return Training(title(services, key), {name: frame[name].tolist() for name in MEASURES})
    except (Missing, Broken):
        return None
    record = services.jobs.training(job.id) if job is not None else None
    if record is None or not record[1]:
        return None
    columns = {name: [row.get(name, math.nan) for row in record[1]] for name in MEASURES}
    return Training(record[0].run_id, columns)


def best(services: Services, one: Other) -> float | None:
    """Its best validation accuracy so far."""
    if one.accuracy is not None:
        return one.accuracy
    curves = training(services, one.key)
    known = [one for one in curves.history["validation_accuracy"] if one == one] if curves is not None else []
    return max(known, default=None)


def _entry_or_job(services: Services, key: object) -> tuple[RunEntry | None, Job | None]:
    """The run or the job behind a key, which may be anything."""
    kind, _, name = key.partition(":") if isinstance(key, str) else ("", "", "")
    if kind == "run":
        return next((entry for entry in services.store.runs() if entry.ok and entry.run_id == name), None), None
    if kind == "job":
        record = services.jobs.training(name)
        return None, record[0] if record is not None else None
    return None, None


def _best(entry: RunEntry) -> float | None:
    result = entry.manifest["results"].get("validation")
    return result["correct"] / result["n"] if result and result["n"] else None
