"""Imports: what waits, runs and has ended. They go on without this page."""

import time
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import STATES, badge, button, card, plain
from dashboard.format.numbers import duration
from dashboard.pages.data.memory import ACTIVE_MS, Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.jobs.queue import Refused
from ml.jobs.tables import ACTIVE, RESUMABLE, Job

SHOWN = 5  # imports
IDLE_MS = 4_000


class Ids(StrEnum):
    CARD = "data-jobs-card"
    BODY = "data-jobs"
    SAID = "data-jobs-said"
    STATUS = "data-status"  # of the newest import, one word; '' without one
    FAR = "data-progress"


def layout(services: Services, selection: Selection) -> html.Div:
    """Hidden until there is an import."""
    newest = [html.Span(id=Ids.FAR, className="quiet small"), html.Span(id=Ids.STATUS, className="badge-ff mute")]
    body = [html.P(id=Ids.SAID, className="bad small", role="alert"), plain.place(Ids.BODY)]
    return html.Div(card("Imports", __doc__, body, tools=newest), id=Ids.CARD, className="c12", hidden=True)


def register(app: Dash, services: Services) -> None:
    @app.callback(
        plain.children(Ids.BODY),
        Output(Ids.STATUS, "children"),
        Output(Ids.STATUS, "className"),
        Output(Ids.FAR, "children"),
        Output(Ids.CARD, "hidden"),
        Output(Memory.JOBS, "data"),
        Output(Memory.TICK, "interval"),
        Input(Memory.TICK, "n_intervals"),
        Input(Memory.CHANGED, "data"),
        State(Memory.JOBS, "data"),
    )
    def list_jobs(_tick: int | None, _changed: object, before: object):
        if not services.read_only:
            services.jobs.view()  # ends what died without a word, and wakes a worker that is missed
        found = services.imports.listing()[:SHOWN]
        states = [[one.id, one.state] for one in found]
        active = any(one.active for one in found)
        if states == before and not active:
            raise PreventUpdate
        state = found[0].state if found else ""
        return (
            [line(services, one) for one in found],
            state,
            f"badge-ff {STATES.get(state, 'mute')}",
            far(services, found[0]) if found else "",
            not found,
            no_update if states == before else states,
            ACTIVE_MS if active else IDLE_MS,
        )

    if services.read_only:
        return

    @app.callback(
        Output(Ids.SAID, "children"),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Memory.ASKED, "data"),
        prevent_initial_call=True,
    )
    def act(asked: object):
        what = asked.get("act") if isinstance(asked, dict) else None
        of = asked.get("of") if isinstance(asked, dict) else None
        acts = {"cancel": services.jobs.cancel, "resume": services.jobs.resume, "discard": services.jobs.discard}
        if what not in acts or not isinstance(of, str):
            raise PreventUpdate
        try:
            acts[what](of)
        except Refused as refused:
            return str(refused), no_update
        services.jobs.wake()
        return None, time.time()


def far(services: Services, job: Job) -> str:
    """Pictures read, of how many; of a finished import those that it took; '' where that is not known."""
    if job.state == "done" and (made := services.imports.receipt(job)):
        n = sum(made.get("splits", {}).values())
        return f"{n}/{n}"
    return f"{job.batch}/{job.batches}" if job.batches else ""


def line(services: Services, job: Job) -> html.Div:
    """An import: its state, how far it is, what came of it, and what can be done."""
    shown, state = str(job.spec.get("shown", "")), badge(job.state, STATES[job.state])
    counted = html.Span(far(services, job), className="quiet small")
    head = html.Div([html.B(job.run_id), html.Span(shown, className="quiet small"), state, counted], className="row-ff")
    parts: list[Any] = [head]
    if job.state == "running":
        share = job.batch / job.batches if job.batches else None
        value = {"value": f"{share:.4f}", "max": "1"} if share is not None else {}
        spent = time.time() - (job.started or time.time())
        left = f" · about {duration(spent / share - spent)} left" if share and spent > 5 and share > 0.02 else ""
        parts += [html.Progress(**value, **{"aria-label": "Import progress"}),
                  html.P(f"{job.stage}{left}", className="quiet small")]  # fmt: skip
    elif job.state == "queued":
        parts.append(html.P("Begins as soon as a worker is free.", className="quiet small"))
    elif job.state == "done":
        parts.append(ended(services, job))
    elif job.cause:
        source = str(job.spec.get("source") or shown)
        parts.append(html.P(job.cause.replace(source, shown), className="small"))
    if not services.read_only:
        parts.append(html.Div(ways(job), className="row-ff"))
    return html.Div(parts, className="import-job", **{"data-job": job.id})


def ended(services: Services, job: Job) -> html.P:
    """What was made, in a line."""
    made = services.imports.receipt(job)
    took = duration((job.finished or 0) - (job.started or 0))
    if not made:
        return html.P(f"Imported in {took}.", className="small")
    counts = ", ".join(f"{split} {n:,}" for split, n in made.get("splits", {}).items())
    left = sum(made.get("left_out", {}).values())
    words = f"{len(made.get('classes', ())):,} classes; {counts}; in {took}."
    return html.P(words + (f" {left:,} left out: open it to see why." if left else ""), className="small")


def ways(job: Job) -> list[Any]:
    """Buttons."""

    def asks(act: str, words: str, kind: str = "", **more: Any) -> html.Button:
        return button(words, small=True, kind=kind, **{"data-set-act": act, "data-of": job.id, **more})

    if job.state in ACTIVE:
        words, name = "Cancelling" if job.cancel else "Cancel", f"Cancel the import of {job.run_id}"
        return [asks("cancel", words, disabled=job.cancel, **{"aria-label": name})]
    if job.state == "done":
        there = Selection(dataset=job.run_id).query()
        look = button("Open", small=True, search=there, **{"data-to-look": ""})
        return [look, button("Train on this", small=True, search=there, path="/training")]
    if job.state in RESUMABLE:
        return [asks("resume", "Try again"), asks("discard", "Give up", "ghost")]
    return []
