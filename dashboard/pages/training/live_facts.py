"""What is known of the training in front, in words and numbers."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from dash import html

from dashboard.analysis import claims
from dashboard.components import STATES, button
from dashboard.components.job_progress import kept_twins
from dashboard.format.numbers import clock, duration, ordinal
from dashboard.format.proportion import Proportion
from dashboard.pages.training import other_runs
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.jobs.tables import SCRIPT, Job

DASH = "–"


class Ids(StrEnum):
    FACE = "training-live-face"
    TITLE = "training-live-title"
    SENTENCE = "training-live-sentence"
    BACK = "training-live-back"
    STATUS = "training-status"
    CANCEL = "training-cancel"
    RESUME = "training-resume"
    DISCARD = "training-discard-box"
    USE = "training-live-use"
    LOG = "training-log-button"
    LOG_BOX = "training-log-box"
    LOG_TEXT = "training-log-text"
    LOG_FILE = "training-log-file"
    EVENTS = "training-log-events"
    NOTICE = "training-live-notice"
    PROGRESS = "training-progress"
    LEFT = "training-live-left"
    SPEED = "training-live-speed"
    ACCURACY = "training-live-accuracy"
    LOSS = "training-live-loss"
    BEST = "training-live-best"
    BAR = "training-live-bar"
    PICK = "training-beside-checks"
    PICK_NOTE = "training-beside-note"
    LOSS_GRAPH = "training-loss-graph"
    ACCURACY_GRAPH = "training-accuracy-graph"
    RATE_GRAPH = "training-rate-graph"
    SPEED_GRAPH = "training-speed-graph"


def facts(services: Services, search: object, shown: object) -> tuple[Any, ...]:
    """What the card says of the job in front, in the order of FACTS. Raises Missing or Broken."""
    view = services.jobs.view(shown)
    job = view.job
    if view.problem:
        raise Broken(view.problem)
    if job is None:
        return nothing(services, search)
    last = view.history[-1] if view.history else {}
    best = best_of(view.history)
    changes = not services.read_only and job.kind != SCRIPT  # which is nobody's to stop here
    ended_early = changes and job.state in ("interrupted", "failed")
    n = services.jobs.options.validation_images(job.spec.get("dataset"))
    moving = job.state == "running" and not view.stalled
    return (
        services.store.marks().title(job.run_id) + (f", seed {job.spec['seed']}" if "seed" in job.spec else ""),
        sentence(job, view),
        _back(job, shown),
        job.state,
        f"badge-ff {STATES[job.state]}",
        _next(job, services, Selection.parse(search)),
        False,
        not ended_early,
        _discard(job) if ended_early else None,
        not (changes and job.active),
        job.cancel,
        epochs_of(job),
        duration(job.left) if job.left is not None and moving else DASH,
        f"{job.speed:,.0f} / s" if job.speed is not None and moving else DASH,
        _accuracy(last, n) if "validation_accuracy" in last else DASH,
        [f"{100 * best['validation_accuracy']:.1f} %", _aside(f"epoch {best['epoch']:.0f}")] if best else DASH,
        f"{last['validation_loss']:.3f}" if "validation_loss" in last else DASH,
        f"{1 if job.state == 'done' else job.batch if job.batches else 0}",
        f"{1 if job.state == 'done' else job.batches or 1}",
    )


def _merit(row: dict[str, float]) -> tuple[float, float]:
    """As ml.training.checkpoint has it, which needs torch: right answers, and of equally many the lower loss."""
    return row["validation_accuracy"], -row.get("validation_loss", 0.0)


def best_of(history: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """The epoch that was best on validation; None where that is not known of any."""
    known = [row for row in history if "validation_accuracy" in row]
    return max(known, key=_merit, default=None)


def epochs_of(job: Job) -> str:
    """'3/10', or '3' where nobody said how many there will be."""
    return f"{job.epoch}/{job.epochs}" if job.epochs else f"{job.epoch}"


def in_use(services: Services, search: object) -> str | None:
    """The run that the address names, else the default."""
    return Selection.parse(search).run or services.store.default_run()


def nothing(services: Services, search: object) -> tuple[Any, ...]:
    """The card before the first training: how the run in use learned. Raises Missing where there is no run either."""
    words = "Nothing is trained here." if services.read_only else "No training yet. The form starts one."
    run_id = in_use(services, search)
    if run_id is None or other_runs.training(services, f"run:{run_id}") is None:
        raise Missing(words)
    title = services.store.marks().title(run_id)
    heading = (f"How {title} learned", f"{words} Below is how {title} learned, the run in use.")
    facts = (DASH,) * 6
    return *heading, None, "", "badge-ff mute", None, True, True, None, True, False, *facts, "0", "1"


def sentence(job: Job, view: View) -> str:
    """Where the job stands, in words."""
    if job.kind == SCRIPT:
        return _told(job, view)
    model = f"{job.spec.get('model')} on {job.spec.get('dataset')}{f', asked for by {job.who}' if job.who else ''}"
    if job.state == "queued":
        return f"{model}. {_before(job)}{ordinal(view.position)} in the queue; it begins by itself."
    if job.state == "running":
        started = f"{model}. {_before(job)}Started {clock(job.started or job.created)}."
        stalled = f" Stalled: {view.stalled}." if view.stalled else ""
        if job.cancel:
            return f"{started} Stopping at the next batch.{stalled}"
        if stalled:
            return f"{started}{stalled} It goes on by itself when that ends; Cancel ends it."
        doing = "" if job.stage == "training" else f" Now {job.stage}."
        return f"{started}{doing} The best epoch on validation is kept."
    if job.state == "done":
        took = duration((job.finished or 0) - (job.started or 0))
        best = max(view.history, key=_merit, default=None)
        kept = f" Epoch {best['epoch']:.0f} was best on validation and is kept." if best else ""
        return f"{model}. Done in {took}.{kept}"
    if job.state == "cancelled":
        return (
            f"{model}. Cancelled {clock(job.finished or job.created)}; {kept_twins(view.kept) or 'nothing was kept'}."
        )
    more = f" Resume goes on after epoch {job.epoch}." if job.epoch else " Resume starts it again."
    if view.kept:
        more = f" Resume goes on; {kept_twins(view.kept)}."
    return f"{model}. {job.cause}{more}"


def _told(job: Job, view: View) -> str:
    """Where a training stands that a script tells of."""
    where = f" on {job.host} (process {job.pid})" if job.host else ""
    who = f"Published by {job.spec.get('script') or 'a script'}{where}, on {job.spec.get('dataset')}"
    if job.state == "running":
        stalled = f" Silent: {view.stalled}." if view.stalled else ""
        doing = "" if job.stage == "training" else f" Now {job.stage}."
        return f"{who}. Started {clock(job.started or job.created)}.{doing}{stalled} It is stopped where it runs."
    if job.state == "done":
        best = best_of(view.history)
        words = f" Epoch {best['epoch']:.0f} was best on validation." if best else ""
        return f"{who}. Done in {duration((job.finished or 0) - (job.started or 0))}.{words}"
    after = f" after epoch {job.epoch}" if job.epoch else ""
    return f"{who}. {job.cause} To go on{after}: publish it under the same name with resume=True."


def happened(event: Mapping[str, Any]) -> str:
    """One line of what happened to a job: '14:02 running, try 2 on this host', '14:05 interrupted. Its process …'."""
    words = {"owned": "its process is at work", "cancelling": "asked to stop"}.get(event["event"], event["event"])
    where = f", try {event['attempt']} on {event['host']}" if event["event"] == "running" and event["host"] else ""
    return f"{clock(event['time'])} {words}{where}{'. ' if event['cause'] else ''}{event['cause'] or ''}"


def _aside(words: str, **more: Any) -> html.Small:
    return html.Small(words, className="faint", **more)


def _before(job: Job) -> str:
    """Why an earlier attempt ended, where the job went on by itself."""
    return f"{job.cause} " if job.cause else ""


def _accuracy(row: dict[str, float], n: int | None) -> Any:
    share = row["validation_accuracy"]
    words: list[Any] = [f"{100 * share:.1f} %"]
    if n:
        words.append(_aside(Proportion(round(share * n), n).span, title=f"95 % interval, {n:,} validation images"))
    return words


def _back(job: Job, shown: object) -> Any:
    """The way back from a job that was asked for."""
    if shown != job.id:
        return None
    return button("Back to the current training", small=True, kind="ghost", **{"data-act": "show", "data-of": ""})


def _discard(job: Job) -> html.Button:
    """What was trained of a job that came to nothing goes, after a second click."""
    sure = f"Sure? {job.epoch} {'epoch goes' if job.epoch == 1 else 'epochs go'}" if job.epoch else "Sure?"
    return button(
        "Discard", small=True, kind="danger", title="Removes what was trained so far; the name is free again",
        **{"data-act": "discard", "data-of": job.id, "data-sure": sure},
    )  # fmt: skip


def _next(job: Job, services: Services, selection: Selection) -> list[Any]:
    """What can be done with the job's settings and with its run."""
    buttons: list[Any] = []
    if not services.read_only and job.kind != SCRIPT:
        more = {"data-act": "copy", "data-of": f"job:{job.id}", "title": "Fill the form with this training's settings"}
        buttons.append(button("Copy settings", small=True, **more))
    if job.state != "done" or not any(e.run_id == job.run_id and e.ok for e in services.store.runs()):
        return buttons
    used = in_use(services, selection.query())
    if rival := _rival(services, job.run_id, used):
        words = f"Compare with {services.store.marks().title(rival)}"
        there = Selection(run=job.run_id, against=rival).query()
        buttons.append(button(words, small=True, kind="primary", search=there, path="/comparison"))
    if used != job.run_id:
        buttons.append(button("Use this run", small=True, search=selection.with_(run=job.run_id).query()))
    return buttons


def _rival(services: Services, run_id: str, used: str | None) -> str | None:
    """What a new run is held against: its twin, else the run in use, else the best other one on the same images."""
    try:
        run = services.store.open(run_id)
        if twin := claims.twin_of(services.store, run):
            return twin
        fit = {entry.run_id for entry, why in services.store.rivals(run) if not why}
        return used if used in fit else services.store.other(run, None).run_id
    except (Missing, Broken):
        return None
