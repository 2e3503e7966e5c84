"""Networks and predictions that are being added, or were: how far each is, and what can be done."""

import time
from typing import Any

from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import STATES, badge, button, plain
from dashboard.format.numbers import duration
from dashboard.pages.training.add_memory import ACTIVE_MS, IDLE_MS, Ids, Memory
from dashboard.pages.training.add_words import on_screen
from dashboard.records.runs import RunMetadata
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import RunEntry
from ml.jobs.queue import Refused
from ml.jobs.tables import ACTIVE, RESUMABLE, Job
from ml.stats.intervals import wilson

SHOWN = 3  # jobs
ACTS = ("cancel", "resume", "discard")


def layout() -> list[Any]:
    """Empty until there is one."""
    return [html.P(id=Ids.LIST_SAID, className="bad small", role="alert"), plain.place(Ids.LIST)]


def register(app: Dash, services: Services) -> None:
    @app.callback(
        plain.children(Ids.LIST),
        Output(Memory.JOBS, "data"),
        Output(Memory.TICK, "interval"),
        Input(Memory.TICK, "n_intervals"),
        Input(Memory.CHANGED, "data"),
        State(Memory.JOBS, "data"),
        State(Memory.SOURCE, "data"),
    )
    def list_added(_tick: int | None, _changed: object, before: object, source: object):
        services.jobs.view()  # ends what died without a word, and wakes a worker that is missed
        found = services.adding.jobs()[:SHOWN]
        states = [[one.id, one.state, one.stage, one.batch, one.cancel] for one in found]
        active = any(one.active for one in found)
        every = ACTIVE_MS if active or source else IDLE_MS
        if states == before and not any(one.state == "running" for one in found):
            return no_update, no_update, every
        marks = services.store.marks()
        entries = {entry.run_id: entry for entry in services.store.runs() if entry.ok}
        drawn = [line(services, one, entries, marks) for one in found]
        head = [html.H3("Added and under way")] if drawn else []
        return [*head, *drawn], no_update if states == before else states, every

    @app.callback(
        Output(Ids.LIST_SAID, "children"),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Memory.ASKED, "data"),
        prevent_initial_call=True,
    )
    def act(asked: object):
        what, of = (asked.get("act"), asked.get("of")) if isinstance(asked, dict) else (None, None)
        if what not in ACTS or not isinstance(of, str):
            raise PreventUpdate
        acts = {"cancel": services.jobs.cancel, "resume": services.jobs.resume, "discard": services.jobs.discard}
        try:
            acts[what](of)
        except Refused as refused:
            return str(refused), no_update
        services.jobs.wake()
        return None, time.time()


def line(services: Services, job: Job, entries: dict[str, RunEntry], marks: RunMetadata) -> html.Div:
    """A job: its state, how far it is, what came of it, and what can be done."""
    shown, state = str(job.spec.get("shown", "")), badge(job.state, STATES[job.state])
    who = f"by {job.who}" if job.who else ""
    about = f"{shown}, of {job.spec.get('dataset', '')}{f', {who}' if who else ''}"
    head = [html.B(marks.title(job.run_id)), html.Span(about, className="quiet small"), state]
    parts: list[Any] = [html.Div(head, className="row-ff")]
    if job.state == "running":
        value = {"value": f"{job.batch / job.batches:.4f}", "max": "1"} if job.batches else {}
        counted = f", {job.batch:,} of {job.batches:,}" if job.batches else ""
        parts += [html.Progress(**value, **{"aria-label": "Progress"}),
                  html.P(f"{job.stage or 'starting'}{counted}", className="quiet small")]  # fmt: skip
    elif job.state == "queued":
        parts.append(html.P("Begins as soon as a worker is free.", className="quiet small"))
    elif job.state == "done":
        parts.append(ended(services, job))
    elif job.cause:
        words = on_screen(job.cause.replace(str(job.spec.get("source") or shown), shown))
        again = " It begins again from the start when it is tried again." if job.state == "interrupted" else ""
        parts.append(html.P(words + again, className="small"))
    parts.append(html.Div(ways(job, entries), className="row-ff"))
    return html.Div(parts, className="import-job", **{"data-job": job.id})


def ended(services: Services, job: Job) -> html.P:
    """What was made, in a line: on validation, where it was asked about that."""
    made = services.adding.receipt(job) or {}
    took = duration((job.finished or 0) - (job.started or 0))
    n, accuracy = (made.get("splits") or {}).get("validation"), made.get("validation_accuracy")
    words = f"Added in {took}."
    if n and accuracy is not None:
        low, high = wilson(round(accuracy * n), n)
        interval = f"{100 * accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        words += f" Of {n:,} validation images {interval} are predicted right."
    if made.get("unmatched"):
        words += f" {made['unmatched']:,} rows were left out."
    return html.P(words, className="small")


def ways(job: Job, entries: dict[str, RunEntry]) -> list[Any]:
    """Buttons."""

    def asks(act: str, words: str, kind: str = "", **more: Any) -> html.Button:
        about = {"data-adding-act": act, "data-of": job.id, "aria-label": f"{words}: {job.run_id}"}
        return button(words, small=True, kind=kind, **about, **more)

    if job.state in ACTIVE:
        return [asks("cancel", "Cancelling" if job.cancel else "Cancel", disabled=job.cancel)]
    if job.state == "done" and job.run_id in entries:
        there = Selection(run=job.run_id)
        links = [button("Open it", small=True, search=there.query(), path="/", **{"aria-label": f"Open {job.run_id}"})]
        if other := another(job.run_id, entries):
            search = there.with_(against=other).query()
            links.append(
                button(
                    f"Compare with {other}",
                    small=True,
                    search=search,
                    path="/comparison",
                    **{"aria-label": f"Compare {job.run_id} with {other}"},
                )
            )
        return links
    if job.state in RESUMABLE:
        return [asks("resume", "Try again"), asks("discard", "Give up", "ghost")]
    return []


def another(run_id: str, entries: dict[str, RunEntry]) -> str:
    """The run of the same pictures that is best on validation, '' where there is none."""

    def right(entry: RunEntry) -> float:
        result = entry.manifest["results"].get("validation") or {}
        return result["correct"] / result["n"] if result.get("n") else 0.0

    name = entries[run_id].manifest["dataset"]["name"]
    others = [one for one in entries.values() if one.run_id != run_id and one.manifest["dataset"]["name"] == name]
    return max(others, key=right).run_id if others else ""
