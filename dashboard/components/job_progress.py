"""A job that a page started: what it waits for; and a training, followed to the comparison with an older run."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard.analysis import claims
from dashboard.components import STATES, badge, button
from dashboard.format.numbers import about
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.jobs.tables import Job


def newest(services: Services, mine: object, kind: str) -> Job | None:
    """The training this tab started, else the last one there is. kind: what its settings name, labels or feedback."""
    job_id = mine.get("job") if isinstance(mine, dict) else None
    jobs = [job for job in services.jobs.view().jobs if job.spec.get(kind)]
    return next((job for job in jobs if job.id == job_id), jobs[0] if jobs else None)


def comparison(services: Services, job: Job, against: str | None) -> str:
    """The address of the comparison of its run with its twin, without one with `against`; '' until there is one."""
    known = {entry.run_id for entry in services.store.runs() if entry.ok}
    if job.state != "done" or job.run_id not in known:
        return ""
    against = claims.twin_of(services.store, services.store.open(job.run_id)) or against
    return Selection(run=job.run_id, against=against).query() if against in known else ""


def effect(services: Services, job: Job) -> list[Any]:
    """What was tried did so much, in a sentence, once the job's trainings are there; nothing without twins."""
    if job.state != "done" or not job.spec.get("twins"):
        return []
    try:
        found = claims.measured(services.store, services.store.open(job.run_id), "test")
    except (Missing, Broken):
        return []
    return [html.P(found.sentence(), className="claim")] if found else []


def kept_twins(kept: Sequence[str]) -> str:
    """Which trainings of a job stay although it ended early: no sentence, '' for none."""
    if not kept:
        return ""
    done = "training of it was done by then and is" if len(kept) == 1 else "trainings of it were done by then and are"
    return f"{len(kept)} {done} kept: {', '.join(kept)}"


def waits(services: Services, job: Job) -> str:
    """What a waiting job waits for, and its place in the queue."""
    ahead = services.jobs.ahead(job)
    if not ahead:
        return "Next in the queue; it begins by itself."
    first = [one for one in ahead if one.state == "running"] or ahead[:1]
    called = services.store.marks().title
    words = " and ".join(
        f"{'training' if one.kind == 'train' else 'the evaluation of'} {called(one.run_id)}" for one in first
    )
    left = f" ({about(first[0].left)} left)" if len(first) == 1 and first[0].left else ""
    place = 1 + sum(one.state == "queued" for one in ahead)
    why = " Trainings go first." if job.kind != "train" and any(one.kind == "train" for one in ahead) else ""
    return f"Waits for {words}{left}: number {place} in the queue.{why}"


def live(services: Services, job: Job, there: str, came: Sequence[Any] = (), **look: Any) -> list[Any]:
    """Its name and state, how far it is, what came of it, and the way to the comparison. look: of that button."""
    words = job.cause
    if job.state == "running":
        words = job.stage
        if job.batches and not job.spec.get("twins"):  # of several trainings the epochs of the last alone are counted
            words += f", epoch {min(job.epoch + 1, job.epochs)} of {job.epochs}"
        words += f", {about(job.left)} left" if job.left else ""
    elif job.state == "queued":
        words = waits(services, job)
    elif kept := kept_twins(services.jobs.kept(job)):
        words = f"{words} {kept[:1].upper()}{kept[1:]}.".strip()
    share = job.batch / job.batches if job.batches else 0.0
    bar = html.Progress(value=f"{share:.4f}", max="1", **{"aria-label": "Training progress"}) if job.active else None
    ways = [button("Compare old and new", small=True, search=there, path="/comparison", **look)] if there else []
    ways.append(button("Training page", small=True, search="", path="/training"))
    return [
        html.Div(
            [html.B(services.store.marks().title(job.run_id)), badge(job.state, STATES[job.state])], className="row-ff"
        ),
        html.P(words, className="quiet small") if words else None,
        bar,
        *came,
        html.Div(ways, className="row-ff"),
    ]
