"""What runs, what waits, and what became of every training that was asked for."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, html

from dashboard.components import STATES, badge, button, card, column_head, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.format.numbers import clock, duration, ordinal, roughly
from dashboard.pages.training.form_estimate import estimate
from dashboard.pages.training.live_facts import epochs_of
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.jobs.tables import SCRIPT, Job

DASH = "–"
RESUMED = ("interrupted", "failed")  # states from which a training can go on; a cancelled one kept nothing


class Ids(StrEnum):
    FACE = "training-queue-face"
    HELP = "training-queue-help"
    BODY = "training-queue-table"


def layout(services: Services, selection: Selection) -> html.Article:
    region = html.Div(
        plain.place(Ids.BODY),
        className="tablewrap jobs",
        tabIndex="0",
        role="region",
        **{"aria-label": "Queue and history, scrollable"},
    )
    words = html.Span("One trains at a time, the others wait their turn.", id=Ids.HELP)
    return card("Queue and history", words, [slot(Ids.FACE), region])


def state(view: View) -> list[Any]:
    """What, when it changes, makes the list look different."""
    return [[job.id, job.state, job.attempt, job.epoch, job.cancel, job.stage] for job in view.jobs]


def register(app: Dash, services: Services) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.HELP, "children"),
        Input(Memory.QUEUE, "data"),
        Input(Memory.FRONT, "data"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def list_jobs(_state, _front, shown):
        view = services.jobs.view(shown)
        if not view.jobs:
            raise Missing("Nothing waits, and nothing has been trained from here yet.")
        hosts = len({job.host for job in view.jobs if job.host}) > 1
        front = view.job.id if view.job else ""
        names = ["Training", "State", "Epochs", "Started", "Took", "Tries", *(["Machine"] if hosts else [])]
        head = [column_head(name, className="r" if name in ("Took", "Tries", "Epochs") else None) for name in names]
        head.append(html.Th(html.Span("Actions", className="visually-hidden"), scope="col"))
        times = begins(view.jobs, lambda job: expected(services, job))
        called, changes = services.store.marks().title, not services.read_only
        lines = [
            line(job, view, called(job.run_id), front, hosts, changes, times.get(job.id)) for job in ordered(view.jobs)
        ]
        return html.Table([html.Thead(html.Tr(head)), html.Tbody(lines)]), summary(view.jobs, called)


def ordered(jobs: list[Job]) -> list[Job]:
    """What runs, what waits in its order, then what has ended, the last one first. jobs: newest first."""
    waiting = sorted((job for job in jobs if job.active), key=lambda job: (job.state != "running", job.number))
    ended = sorted((job for job in jobs if not job.active), key=lambda job: -(job.finished or job.created))
    return [*waiting, *ended]


def summary(jobs: list[Job], called: Callable[[str], str]) -> str:
    """How much is going on. called: run id → what people call it."""
    running = [called(job.run_id) for job in jobs if job.state == "running" and job.kind != SCRIPT]
    waiting = sum(job.state == "queued" for job in jobs)
    told = [called(job.run_id) for job in jobs if job.state == "running" and job.kind == SCRIPT]
    scripts = f" {' and '.join(told)} {'is' if len(told) == 1 else 'are'} published by a script." if told else ""
    if not running and not waiting:
        early = any(job.state in RESUMED and job.kind != SCRIPT for job in jobs)
        nothing = "Nothing waits here." if told else "Nothing runs and nothing waits."
        return f"{nothing}{scripts}{' What ended early can be resumed or discarded.' if early else ''}"
    now = f"{' and '.join(running)} {'is' if len(running) == 1 else 'are'} training" if running else "Nothing trains"
    rest = {0: "nothing waits", 1: "one waits"}.get(waiting, f"{waiting} wait")
    return f"{now}, {rest}. Each begins by itself when it is its turn.{scripts}"


def expected(services: Services, job: Job) -> float | None:
    """Seconds that a waiting training will take, None where nothing tells."""
    choice = next(
        (choice for choice in services.jobs.options.datasets() if choice.name == job.spec.get("dataset")), None
    )
    if choice is None:
        return None
    images = job.spec.get("train_images") or choice.train_images
    return estimate(services, job.spec.get("model"), choice.name, job.epochs, images)[0]


def begins(jobs: list[Job], expected: Callable[[Job], float | None]) -> dict[str, float]:
    """Seconds until each waiting training begins, by id, as far as that is known and one trains at a time."""
    running = [job for job in jobs if job.state == "running" and job.kind != SCRIPT]
    ahead = running[0].left if len(running) == 1 else None
    waits: dict[str, float] = {}
    for job in sorted((job for job in jobs if job.state == "queued"), key=lambda job: job.number):
        if ahead is None:
            break
        waits[job.id] = ahead
        takes = expected(job)
        ahead = None if takes is None else ahead + takes
    return waits


def line(
    job: Job, view: View, called: str, front: str, hosts: bool, changes: bool, begins: float | None = None
) -> html.Tr:
    """One row; its buttons name the training they are about. called: what people call it. begins: seconds until it
    does, where that is known."""
    place = 1 + sum(other.state == "queued" and other.number < job.number for other in view.jobs)
    why = job.cause
    if job.state == "queued":
        why = f"{ordinal(place)} in the queue{f', begins in {roughly(begins)}' if begins is not None else ''}"
    if job.state == "running":
        why = "stopping" if job.cancel else ("" if job.stage == "training" else job.stage)
    if job.kind == SCRIPT:
        why = " ".join(one for one in (f"a script{f', process {job.pid}' if job.pid else ''}.", why) if one)
    end = job.finished if job.finished is not None else None
    took = duration(end - job.started) if end is not None and job.started else DASH
    return html.Tr(
        [
            html.Th([html.B(called), html.Small(why, className="reason") if why else None], scope="row"),
            html.Td(badge(job.state, STATES[job.state])),
            html.Td(epochs_of(job), className="r"),
            html.Td(clock(job.started) if job.started else DASH),
            html.Td(took, className="r"),
            html.Td(f"{job.attempt}", className="r"),
            *([html.Td((job.host or DASH)[:30])] if hosts else []),
            html.Td(html.Div(_actions(job, called, front, changes), className="row-ff end"), className="r"),
        ],
        className="on" if job.id == front else None,
    )


def _actions(job: Job, called: str, front: str, changes: bool) -> list[Any]:
    def act(words: str, what: str, **more: Any) -> html.Button:
        named = {"data-act": what, "data-of": job.id, "aria-label": f"{words} {called}"}
        return button(words, small=True, **named, **more)

    buttons = [act("Show", "show", **{"aria-pressed": str(job.id == front).lower()})]
    changes = changes and job.kind != SCRIPT  # whose process is not the app's
    if changes and job.active:
        buttons.append(act("Cancel", "cancel", disabled=job.cancel))
    if changes and job.state in RESUMED:
        buttons.append(act("Resume", "resume"))
        buttons.append(act("Discard", "discard", kind="danger", **{"data-sure": "Sure?"}))
    return buttons
