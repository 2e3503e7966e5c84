"""What is not there yet, and the job that makes it."""

from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis import robustness
from dashboard.components import STATES, badge, button, job_progress, plain
from dashboard.components.icons import icon
from dashboard.data.run import RunData
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.kinds import kind_of, lacking_for
from ml.artifacts.reader import Broken, Incapable, Missing
from ml.jobs.queue import Refused
from ml.jobs.tables import Job

NEEDS = ("network",)
ACTIVE_MS, IDLE_MS = 1_000, 3_000  # while it is not there: another tab, or a terminal, may make it
READ_ONLY = "This server only shows what there is (it was started with --read-only): whoever runs it can make this."
BUSY = "Nothing can be said of it just now."


class Ids(StrEnum):
    CARD = "robustness-measure-card"
    TITLE = "robustness-measure-title"
    WORDS = "robustness-measure-words"
    START = "robustness-measure-start"
    CANCEL = "robustness-measure-cancel"
    LIVE = "robustness-measure-live"
    NOTE = "robustness-measure-note"
    TICK = "robustness-measure-interval"
    STARTED = "robustness-measure-state"  # the job this tab asked for
    DONE = "robustness-measure-done"  # what stands for the tables that are there, '' while one is missing
    MEASURED = "robustness-measured"  # the panels that need them


def layout(services: Services, selection: Selection) -> html.Div:
    """The face of all panels of test pictures, and how far the job is."""
    body = [
        plain.place(Ids.WORDS, className="face"),
        html.Div(
            [
                button("Measure now", id=Ids.START, kind="primary", disabled=True),
                button("Cancel", id=Ids.CANCEL, hidden=True),
            ],
            className="row-ff",
        ),
        plain.place(Ids.LIVE, role="status"),
        html.P(id=Ids.NOTE, className="bad small", role="alert"),
    ]
    shown = lacking(services, selection)
    title, measured = html.H2(heading(shown), id=Ids.TITLE, className="card-title"), shown is None
    return html.Div(
        [
            html.Article([title, *body], id=Ids.CARD, className="ff-card measure", hidden=measured),
            dcc.Store(id=Ids.STARTED),
            dcc.Store(id=Ids.DONE),
            dcc.Interval(id=Ids.TICK, interval=IDLE_MS, disabled=True),
        ]
    )


def lacking(services: Services, selection: Selection) -> RunData | Missing | None:
    """The first of the shown runs without the tables, None where they are there; Missing where there is no run."""
    try:
        run = services.store.shown(selection.run)
    except Missing as missing:
        return missing
    except Broken:
        return None  # the panels say what is broken, and what cannot be compared
    if lack := lacking_for(run.manifest, "robustness"):
        return Incapable(lack, kind_of(run.manifest))
    if not robustness.measured(run):
        return run
    try:
        rival = robustness.other(services.store, selection, run)
    except (Missing, Broken):
        return None
    if rival is None or lacking_for(rival.manifest, "robustness"):
        return None  # nothing could be made of the other one: the panels say so
    return rival if not robustness.measured(rival) else None


def heading(shown: RunData | Missing | None) -> str:
    """What the card is called: what is so of the run that lacks the tables."""
    if isinstance(shown, Missing):
        return "Nothing to measure"
    return "Not measured yet"


def stands(services: Services, selection: Selection) -> str:
    """The checksums of the tables that are shown."""
    try:
        run = services.store.shown(selection.run)
        runs = [one for one in (run, robustness.other(services.store, selection, run)) if one is not None]
    except (Missing, Broken):
        return ""
    return " ".join(run.manifest["nouns"].get(robustness.NOUN, {}).get("sha256", "")[:16] for run in runs)


def register(app: Dash, services: Services) -> None:
    """Show what is missing, start and cancel the job, watch it."""

    @app.callback(
        Output(Ids.CARD, "hidden"),
        Output(Ids.TITLE, "children"),
        Output(Ids.MEASURED, "hidden"),
        plain.children(Ids.WORDS),
        plain.children(Ids.LIVE),
        Output(Ids.START, "disabled"),
        Output(Ids.CANCEL, "hidden"),
        Output(Ids.TICK, "disabled"),
        Output(Ids.TICK, "interval"),
        Output(Ids.DONE, "data"),
        Input("app-view-state", "data"),
        Input(Ids.STARTED, "data"),
        Input(Ids.TICK, "n_intervals"),
        State(Ids.DONE, "data"),
    )
    def watch_measure(search: str | None, _: object, __: int | None, before: object):
        selection = Selection.parse(search)
        shown, now = lacking(services, selection), stands(services, selection)
        news = no_update if now == before else now
        if shown is None:
            return True, heading(shown), False, [], [], True, True, True, IDLE_MS, news
        if isinstance(shown, Missing):
            gives = shown.gives if isinstance(shown, Incapable) else ""
            return (
                False,
                heading(shown),
                True,
                missing(str(shown), shown.command, gives),
                [],
                True,
                True,
                True,
                IDLE_MS,
                news,
            )
        job = services.jobs.evaluation(shown.run_id, robustness.NOUN)
        active = job is not None and job.active
        stop = not active or services.read_only or (job is not None and job.cancel)
        pace = ACTIVE_MS if active else IDLE_MS
        off = active or services.read_only
        return False, heading(shown), True, face(shown), live(services, job), off, stop, False, pace, news

    if services.read_only:
        return

    @app.callback(
        Output(Ids.STARTED, "data"),
        Output(Ids.NOTE, "children"),
        Input(Ids.START, "n_clicks"),
        State("app-view-state", "data"),
        prevent_initial_call=True,
    )
    def start_measure(clicks: int | None, search: str | None):
        if not clicks:
            raise PreventUpdate
        return start_or_cancel(services, search, start=True)

    @app.callback(
        Output(Ids.STARTED, "data", allow_duplicate=True),
        Output(Ids.NOTE, "children", allow_duplicate=True),
        Input(Ids.CANCEL, "n_clicks"),
        State("app-view-state", "data"),
        prevent_initial_call=True,
    )
    def stop_measure(clicks: int | None, search: str | None):
        if not clicks:
            raise PreventUpdate
        return start_or_cancel(services, search, start=False)


def start_or_cancel(services: Services, search: str | None, *, start: bool) -> tuple[Any, Any]:
    """The job that was started or cancelled, or why none was."""
    run = lacking(services, Selection.parse(search))
    if not isinstance(run, RunData):
        raise PreventUpdate
    try:
        if start:
            known = [entry.run_id for entry in services.store.runs() if entry.ok]
            job = services.jobs.evaluate(run.run_id, robustness.NOUN, runs=known)
        else:
            last = services.jobs.evaluation(run.run_id, robustness.NOUN)
            if last is None or not last.active:
                raise PreventUpdate
            job = services.jobs.cancel(last.id)
    except Refused as refusal:
        return no_update, str(refusal)
    return [job.id, job.state, job.cancel], None


def face(run: RunData) -> list:
    """What would be here, and the command that makes it."""
    attacks, reach = " and attacks", ", and under attacks of growing reach"
    if not run.can("gradients"):
        attacks, reach = "", ""
    return missing(
        f"{run.title} has not been tested under corruptions{attacks}. Here would stand how much of its accuracy is "
        f"left under eight corruptions in five severities{reach}, with the images that flip. That takes minutes.",
        f"python -m ml evaluate {run.run_id} --only {robustness.NOUN}",
    )


def missing(sentence: str, command: str, gives: str = "") -> list:
    """As the empty face of a panel, without its box."""
    more = [html.P("Make it with", className="quiet"), html.Code(command)] if command else []
    return [icon("empty"), html.H3(sentence), *more, html.P(gives, className="quiet") if gives else None]


def live(services: Services, job: Job | None) -> list:
    """How far the last job is, or how it ended."""
    if services.read_only:
        return [html.P(READ_ONLY, className="quiet small")]
    if job is None or job.state == "done":  # done, and yet not there: somebody deleted it
        return []
    words = job.cause
    if job.state == "queued":
        words = job_progress.waits(services, job)
    elif job.state == "running":
        words = "Stopping." if job.cancel else job.stage
        if job.batches and not job.cancel:
            words += f", step {job.batch} of {job.batches}"
    parts: list[Any] = [html.Div([badge(job.state, STATES[job.state]), html.Span(words, className="quiet small")])]
    if job.active:
        share = job.batch / job.batches if job.batches else 0.0
        parts.append(html.Progress(value=f"{share:.4f}", max="1", **{"aria-label": "Evaluation progress"}))
    return parts
