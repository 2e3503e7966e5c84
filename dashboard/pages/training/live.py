"""The training in front: how far it is, how fast, and how loss and accuracy move, epoch by epoch."""

import secrets
from enum import StrEnum
from typing import Any

import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import button, graph
from dashboard.components.panel import panel_callback, slot
from dashboard.doors import Doors
from dashboard.figures import history as figure
from dashboard.jobs import Job, Refused, View, relay
from dashboard.pages.training import form, runs
from dashboard.pages.training.memory import SHELL_RUNS, Memory
from dashboard.pages.training.words import KINDS, clock, duration, ordinal
from dashboard.selection import Selection
from dashboard.store import Broken, Missing, wilson

ACTIVE_MS, IDLE_MS = 500, 3000
HEIGHT = 330  # about what a curve gets on a wide screen
DASH = "–"


class Ids(StrEnum):
    FACE = "training-live-face"
    TITLE = "training-live-title"
    SENTENCE = "training-live-sentence"
    STATUS = "training-status"
    CANCEL = "training-cancel"
    RESUME = "training-resume"
    USE = "training-live-use"
    LOG = "training-log-button"
    LOG_TEXT = "training-log-text"
    NOTICE = "training-live-notice"
    PROGRESS = "training-progress"
    LEFT = "training-live-left"
    SPEED = "training-live-speed"
    ACCURACY = "training-live-accuracy"
    LOSS = "training-live-loss"
    BAR = "training-live-bar"
    LOSS_GRAPH = "training-loss-graph"
    ACCURACY_GRAPH = "training-accuracy-graph"


def layout(doors: Doors, selection: Selection) -> html.Article:
    facts = [
        ("Epoch", Ids.PROGRESS),
        ("Left", Ids.LEFT),
        ("Speed", Ids.SPEED),
        ("Validation accuracy", Ids.ACCURACY),
        ("Validation loss", Ids.LOSS),
    ]
    tools = [
        html.Span(id=Ids.STATUS, className="badge-ff mute", role="status"),
        html.Span(id=Ids.USE),
        button("Log", id=Ids.LOG, small=True, disabled=True, **{"aria-expanded": "false"}),
        button("Resume", id=Ids.RESUME, small=True, hidden=True),
        button("Cancel", id=Ids.CANCEL, small=True, kind="danger", hidden=True),
    ]
    head = html.Div(
        [
            html.Div(
                [
                    html.H2("Latest training", id=Ids.TITLE, className="card-title"),
                    html.P("How far the training is and what it has learnt; the best epoch is kept.", id=Ids.SENTENCE),
                ]
            ),
            html.Div(tools, className="tools"),
        ],
        className="card-h",
    )
    body = [
        html.Div([html.Div([html.Span(name), html.B(DASH, id=id)]) for name, id in facts], className="kv"),
        html.Progress(id=Ids.BAR, value="0", max="1", **{"aria-label": "Part of the training that is done"}),
        html.Pre(id=Ids.LOG_TEXT, className="log", hidden=True, tabIndex="0", role="region", **{"aria-label": "Log"}),
        html.Div(
            [
                _curve("Loss", "lower is better", Ids.LOSS_GRAPH),
                _curve("Accuracy", "higher is better", Ids.ACCURACY_GRAPH),
            ],
            className="curves",
        ),
    ]
    parts = [slot(Ids.FACE), html.Div(body, className="live")]
    return html.Article(
        [head, html.P(id=Ids.NOTICE, className="form-error", role="alert"), *parts], className="ff-card c8"
    )


def _curve(title: str, words: str, id: str) -> html.Div:
    return html.Div([html.H3(title), html.P(words, className="faint small"), graph(id)], className="curve")


def state(view: View) -> list[Any]:
    """What, when it changes, must be drawn again: all a relay tells, the place in the queue, and trouble."""
    job = view.job
    if job is None:
        return ["", view.problem]
    return [job.id, job.state, job.attempt, job.epoch, job.batch, job.stage, job.cancel, view.position, view.problem]


def register(app: Dash, doors: Doors) -> None:
    @app.callback(
        Output(Memory.LIVE, "data"),
        Output(Memory.CURVES, "data"),
        Output(Memory.TABLE, "data"),
        Output(Memory.DATA, "data"),
        Output(SHELL_RUNS, "data"),
        Output(Memory.TICK, "interval"),
        Input(Memory.TICK, "n_intervals"),
        Input(Memory.RELAY, "data"),
        Input(Memory.ACTED, "data"),
        Input(Memory.TICKET, "data"),
        State(Memory.LIVE, "data"),
        State(Memory.CURVES, "data"),
        State(Memory.TABLE, "data"),
        State(Memory.DATA, "data"),
        State(Memory.TICK, "interval"),
    )
    def observe(_tick, _relay, _acted, _ticket, live, curves, listed, data, interval):
        view = doors.jobs.view()
        job = view.job
        now = state(view)
        drawn = [job.id, job.attempt, len(view.history), job.epochs] if job else []
        rows = runs.state(view, doors.store.runs())
        fetching = form.state(view, doors.jobs.datasets())
        pace = ACTIVE_MS if view.active else IDLE_MS
        came = rows if isinstance(listed, list) and rows[:1] != listed[:1] != [] else no_update
        news = [_news(now, live), _news(drawn, curves), _news(rows, listed), _news(fetching, data), came]
        if all(part is no_update for part in news) and pace == interval:
            raise PreventUpdate  # most ticks end here
        return *news, _news(pace, interval)

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.TITLE, "children"),
        Output(Ids.SENTENCE, "children"),
        Output(Ids.STATUS, "children"),
        Output(Ids.STATUS, "className"),
        Output(Ids.USE, "children"),
        Output(Ids.LOG, "disabled"),
        Output(Ids.RESUME, "hidden"),
        Output(Ids.CANCEL, "hidden"),
        Output(Ids.CANCEL, "disabled"),
        Output(Ids.PROGRESS, "children"),
        Output(Ids.LEFT, "children"),
        Output(Ids.SPEED, "children"),
        Output(Ids.ACCURACY, "children"),
        Output(Ids.LOSS, "children"),
        Output(Ids.BAR, "value"),
        Output(Ids.BAR, "max"),
        Input(Memory.LIVE, "data"),
        Input("url", "search"),
        prevent_initial_call=True,
    )
    def draw_live(_state, search):
        view = doors.jobs.view()
        job = view.job
        if view.problem:
            raise Broken(view.problem)
        if job is None:
            words = "Nothing is trained here." if doors.read_only else "No training yet. The form starts one."
            raise Missing(words)
        last = view.history[-1] if view.history else None
        changes = not doors.read_only
        accuracy = _accuracy(last, doors.jobs.validation_images(job.spec.get("dataset"))) if last else DASH
        return (
            f"{job.run_id}, seed {job.spec.get('seed')}",
            sentence(job, view),
            job.state,
            f"badge-ff {KINDS[job.state]}",
            _use(job, doors, Selection.parse(search)),
            False,
            not (changes and job.state in ("interrupted", "failed")),
            not (changes and job.active),
            job.cancel,
            f"{job.epoch}/{job.epochs}",
            duration(job.left) if job.left is not None and job.state == "running" else DASH,
            f"{job.speed:,.0f} / s" if job.speed is not None and job.state == "running" else DASH,
            accuracy,
            f"{last['validation_loss']:.3f}" if last else DASH,
            f"{1 if job.state == 'done' else job.batch}",
            f"{1 if job.state == 'done' else job.batches or 1}",
        )

    @app.callback(
        Output(Ids.LOSS_GRAPH, "figure"),
        Output(Ids.ACCURACY_GRAPH, "figure"),
        Input(Memory.CURVES, "data"),
        Input(theme.STATE, "data"),
        prevent_initial_call=True,
    )
    def draw_curves(_curves, mode):
        view = doors.jobs.view()
        columns = ("epoch", *(f"{part}_{m}" for part in ("train", "validation") for m in figure.MEASURES))
        history = {name: [row[name] for row in view.history] for name in columns}
        n = doors.jobs.validation_images(view.job.spec.get("dataset")) if view.job else None
        ends = None
        if n and view.history:
            low, high = wilson(np.round(np.array(history["validation_accuracy"]) * n), n)
            ends = (low.tolist(), high.tolist())
        more: dict[str, Any] = {
            "mode": theme.mode_of(mode), "epochs": view.job.epochs if view.job else None, "height": HEIGHT,
        }  # fmt: skip
        return (
            figure.curves(history, measure="loss", **more),
            figure.curves(history, measure="accuracy", interval=ends, **more),
        )

    @app.callback(
        Output(Ids.LOG_TEXT, "children"),
        Output(Ids.LOG_TEXT, "hidden"),
        Output(Ids.LOG, "aria-expanded"),
        Input(Ids.LOG, "n_clicks"),
        Input(Memory.CURVES, "data"),
        Input(Memory.LIVE, "data"),
        prevent_initial_call=True,
    )
    def show_log(clicks, _curves, live):
        if not clicks or clicks % 2 == 0:
            return (None, True, "false") if ctx.triggered_id == Ids.LOG else (no_update,) * 3
        job_id = live[0] if isinstance(live, list) and live and isinstance(live[0], str) else ""
        return doors.jobs.log_tail(job_id) or "Nothing has been printed yet.", False, "true"

    @app.callback(
        Output(Memory.ACTED, "data"),
        Output(Ids.NOTICE, "children"),
        Output(Memory.TICKET, "data", allow_duplicate=True),
        Input(Ids.CANCEL, "n_clicks"),
        Input(Ids.RESUME, "n_clicks"),
        Input({"type": runs.CANCEL_ROW, "job": ALL}, "n_clicks"),
        Input({"type": runs.RESUME_ROW, "job": ALL}, "n_clicks"),
        State(Memory.LIVE, "data"),
        prevent_initial_call=True,
    )
    def change_job(_cancel, _resume, _cancels, _resumes, live):
        asked = ctx.triggered_id
        if not ctx.triggered or not ctx.triggered[0]["value"]:  # a row's button appeared; nobody clicked it
            return (no_update,) * 3
        if isinstance(asked, str):
            job_id = live[0] if isinstance(live, list) and live and isinstance(live[0], str) else ""
            resuming = asked == Ids.RESUME
        else:
            job_id, resuming = str(asked["job"]), asked["type"] == runs.RESUME_ROW
        ticket: Any = no_update
        try:
            if resuming:
                job = doors.jobs.resume(job_id)
                ticket = {"job": job.id, "attempt": job.attempt + 1}
            else:
                doors.jobs.cancel(job_id)
        except Refused as refusal:
            return secrets.token_hex(4), str(refusal), no_update
        return secrets.token_hex(4), None, ticket

    app.callback(
        Output(Memory.RELAYED, "data"),
        Input(Memory.TICKET, "data"),
        background=True,
        manager=doors.jobs.manager,
        progress=[Output(Memory.RELAY, "data")],
        interval=ACTIVE_MS,
        prevent_initial_call=True,
    )(relay)


def _news(now: Any, seen: Any) -> Any:
    """now where it differs from what the browser has, so that an unchanged row costs no work there."""
    return no_update if now == seen else now


def sentence(job: Job, view: View) -> str:
    """Where the job stands, in words."""
    model = f"{job.spec.get('model')} on {job.spec.get('dataset')}"
    if job.state == "queued":
        return f"{model}. {ordinal(view.position)} in the queue; it begins by itself."
    if job.state == "running":
        started = f"{model}. Started {clock(job.started or job.created)}."
        if job.cancel:
            return f"{started} Stopping at the next batch."
        doing = "" if job.stage == "training" else f" Now {job.stage}."
        return f"{started}{doing} The best epoch on validation is kept."
    if job.state == "done":
        took = duration((job.finished or 0) - (job.started or 0))
        best = max(view.history, key=lambda row: row["validation_accuracy"], default=None)
        kept = f" Epoch {best['epoch']:.0f} was best on validation and is kept." if best else ""
        return f"{model}. Done in {took}.{kept}"
    if job.state == "cancelled":
        return f"{model}. Cancelled {clock(job.finished or job.created)}; nothing was kept."
    more = f" Resume goes on after epoch {job.epoch}." if job.epoch else " Resume starts it again."
    return f"{model}. {job.cause}{more}"


def _accuracy(row: dict[str, float], n: int | None) -> Any:
    share = row["validation_accuracy"]
    words: list[Any] = [f"{100 * share:.1f} %"]
    if n:
        low, high = wilson(round(share * n), n)
        interval = f"{100 * float(low):.1f} – {100 * float(high):.1f}"
        words.append(html.Small(interval, className="faint", title=f"95 % interval, {n:,} validation images"))
    return words


def _use(job: Job, doors: Doors, selection: Selection) -> Any:
    """A way to the finished run."""
    if job.state != "done" or (selection.run or doors.store.default_run()) == job.run_id:
        return None
    if not any(entry.run_id == job.run_id and entry.ok for entry in doors.store.runs()):
        return None
    return button("Use this run", small=True, search=selection.with_(run=job.run_id).query())
