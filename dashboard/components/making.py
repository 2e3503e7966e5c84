"""What a page lacks, made at a press: a job, what it does, and the way to what came of it.

An empty face names the command that makes what would be there; where a job can do the same, it has a button as well.
One line at the foot of the window tells of the job, whatever page is open by then.
"""

import re
from typing import Any

from dash import Dash, Input, Output, ctx, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import STATES, badge, button, job_progress
from dashboard.services.container import Services
from dashboard.services.jobs import EVALUATIONS
from ml.jobs.queue import Refused
from ml.jobs.tables import Job
from ml.people import acting

ASKED, TICK, LINE = "app-making-state", "app-making-interval", "app-making-line"
COMMAND = re.compile(rf"python -m ml evaluate (\S+) --only ({'|'.join(EVALUATIONS)})")
TICK_MS = 1_000


def offer(command: str) -> list[Any]:
    """A button that does what a command does; none for a command that is no job. Seen where jobs can be started."""
    found = COMMAND.fullmatch(command)
    return [button("Make it now", small=True, **{"data-make": f"{found[1]} {found[2]}"})] if found else []


def layout(services: Services) -> list[Any]:
    """The line, empty at first; nothing where no job is taken."""
    if services.read_only or not acting.may("evaluate"):
        return []
    return [
        dcc.Store(id=ASKED),
        dcc.Interval(id=TICK, interval=TICK_MS, disabled=True),
        html.Div(html.P(id=LINE, role="status"), className="toasts making"),
    ]


def register(app: Dash, services: Services) -> None:
    """Start what was asked for, once, and tell of it until it has ended. assets/making.js writes what was pressed."""
    if services.read_only:
        return

    @app.callback(
        Output(LINE, "children"),
        Output(TICK, "disabled"),
        Input(ASKED, "data"),
        Input(TICK, "n_intervals"),
        prevent_initial_call=True,
    )
    def make(asked: object, _: object):
        run_id, noun = (asked.get("run"), asked.get("noun")) if isinstance(asked, dict) else (None, None)
        if not isinstance(run_id, str) or not isinstance(noun, str):
            raise PreventUpdate
        try:
            if ctx.triggered_id == ASKED:
                known = [entry.run_id for entry in services.store.runs() if entry.ok]
                job: Job | None = services.jobs.evaluate(run_id, noun, runs=known)
            else:
                job = services.jobs.evaluation(run_id, noun)
        except Refused as refusal:
            return str(refusal), True
        return told(services, job), job is None or not job.active


def told(services: Services, job: Job | None) -> list[Any]:
    """How far it is, in a line; at the end the way to what it made."""
    if job is None:
        return ["Nothing can be said of it just now."]
    called = services.store.marks().title(job.run_id)
    noun = " and ".join(str(one).replace("_", " ") for one in job.spec.get("nouns", ()))
    words = {"done": f"The {noun} of {called} are there.", "queued": job_progress.waits(services, job)}.get(
        job.state, job.cause or f"Making the {noun} of {called}: {job.stage}"
    )
    if job.state == "running" and job.batches:
        words += f", step {job.batch} of {job.batches}"
    ways = [html.A("Show them", href="", className="btn-ff sm")] if job.state == "done" else []
    return [badge(job.state, STATES[job.state]), f" {words} ", *ways]
