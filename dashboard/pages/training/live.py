"""The training in front: how far it is, how fast, and how its measures move, within the epochs and at their ends."""

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update
from dash.exceptions import PreventUpdate
from flask import Response, abort, has_request_context, send_file

from dashboard import theme
from dashboard.components import STATES, button, graph, icon, plain, save_menu
from dashboard.components.panel import panel_callback, slot
from dashboard.figures import progress
from dashboard.format.proportion import Proportion
from dashboard.pages.training import form, other_runs, queue, runs
from dashboard.pages.training.format import clock, duration, ordinal
from dashboard.pages.training.memory import ACTS, SHELL_RUNS, Memory
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.services.relay import relay
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.jobs.queue import Refused
from ml.jobs.tables import Job
from ml.stats.intervals import wilson

ACTIVE_MS, IDLE_MS = 500, 3000
LIVE_SECONDS = 0.9  # between two looks at a running training's numbers: a browser that draws takes its cores away
CALM_SECONDS = (1.4, 2.9)  # the same of its curves, within the first epoch and after it
HEIGHT = 190  # about what a curve gets on a wide screen
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


FACTS = (
    Output(Ids.TITLE, "children"),
    Output(Ids.SENTENCE, "children"),
    Output(Ids.BACK, "children"),
    Output(Ids.STATUS, "children"),
    Output(Ids.STATUS, "className"),
    Output(Ids.USE, "children"),
    Output(Ids.LOG, "disabled"),
    Output(Ids.RESUME, "hidden"),
    Output(Ids.DISCARD, "children"),
    Output(Ids.CANCEL, "hidden"),
    Output(Ids.CANCEL, "disabled"),
    Output(Ids.PROGRESS, "children"),
    Output(Ids.LEFT, "children"),
    Output(Ids.SPEED, "children"),
    Output(Ids.ACCURACY, "children"),
    Output(Ids.BEST, "children"),
    Output(Ids.LOSS, "children"),
    Output(Ids.BAR, "value"),
    Output(Ids.BAR, "max"),
)
CURVES = {
    "loss": ("Loss", "lower is better", Ids.LOSS_GRAPH),
    "accuracy": ("Accuracy", "in percent; band: 95 % interval", Ids.ACCURACY_GRAPH),
    "rate": ("Learning rate", "dots: as planned", Ids.RATE_GRAPH),
    "speed": ("Throughput", "training images a second", Ids.SPEED_GRAPH),
}


def layout(services: Services, selection: Selection) -> html.Article:
    named = [
        ("Epoch", Ids.PROGRESS),
        ("Left", Ids.LEFT),
        ("Speed", Ids.SPEED),
        ("Validation accuracy", Ids.ACCURACY),
        ("Best", Ids.BEST),
        ("Validation loss", Ids.LOSS),
    ]
    tools = [
        html.Span(id=Ids.STATUS, className="badge-ff mute", role="status"),
        html.Span(id=Ids.USE, className="row-ff"),
        button("Log", id=Ids.LOG, small=True, disabled=True, **{"aria-expanded": "false"}),
        button("Resume", id=Ids.RESUME, small=True, hidden=True),
        html.Span(id=Ids.DISCARD),
        button("Cancel", id=Ids.CANCEL, small=True, kind="danger", hidden=True),
    ]
    head = html.Div(
        [
            html.Div(
                [
                    html.H2("Latest training", id=Ids.TITLE, className="card-title"),
                    html.P("How far the training is and what it has learnt; the best epoch is kept.", id=Ids.SENTENCE),
                    html.Div(id=Ids.BACK),
                ]
            ),
            html.Div([*tools, save_menu(titled=True)], className="tools"),
        ],
        className="card-h",
    )
    beside = html.Details(
        [
            html.Summary(["Draw beside ", html.Span("none", id=Ids.PICK_NOTE)], className="chip add"),
            html.Div(
                [
                    html.P(f"Up to {progress.OTHERS} other trainings, by their epochs.", className="small quiet"),
                    html.Div(
                        dbc.Checklist(
                            id=Ids.PICK, options=[], value=[], persistence=True, persistence_type="session"
                        ),
                        role="group",
                        **{"aria-label": "Trainings to draw beside this one"},
                    ),
                ],
                className="menu",
            ),
        ],
        className="addfilter beside",
    )  # fmt: skip
    logged = [
        plain.place(Ids.EVENTS, "ol", className="events", **{"aria-label": "What happened to this training"}),
        html.Div(
            [
                button("Copy", small=True, kind="ghost", **{"data-act": "copy-log"}),
                html.A([icon("download"), "Whole log"], id=Ids.LOG_FILE, className="btn-ff sm ghost", target="_self"),
            ],
            className="row-ff",
        ),
        html.Pre(id=Ids.LOG_TEXT, className="log", tabIndex="0", role="region", **{"aria-label": "Log"}),
    ]
    body = [
        html.Div([html.Div([html.Span(name), html.B(DASH, id=id)]) for name, id in named], className="kv"),
        html.Progress(id=Ids.BAR, value="0", max="1", **{"aria-label": "Part of the training that is done"}),
        html.Div(logged, id=Ids.LOG_BOX, className="logbox", hidden=True),
        beside,
        html.Div([_curve(*parts) for parts in CURVES.values()], className="curves four"),
    ]
    parts = [slot(Ids.FACE), html.Div(body, className="live")]
    card = html.Article(
        [head, html.P(id=Ids.NOTICE, className="form-error", role="alert"), *parts], className="ff-card c8"
    )
    if has_request_context():  # not at start-up, which needs no database
        with contextlib.suppress(Exception):  # the first callback meets it as well, and shows it
            fill(card, facts(services, selection.query(), None))
    return card


def fill(card: html.Article, values: Sequence[Any]) -> None:
    """Put what is known into the card as it is sent: whoever reloads sees it two round trips sooner."""
    parts = {part.id: part for part in card._traverse() if getattr(part, "id", None)}
    for output, value in zip(FACTS, values, strict=True):
        if value is not no_update:
            setattr(parts[output.component_id], output.component_property, value)


def _curve(title: str, words: str, id: str) -> html.Div:
    return html.Div([html.H3([title, html.Span(words, className="faint small")]), graph(id)], className="curve")


def state(view: View, seen: object = None, now: float = 0.0) -> list[Any]:
    """What, when it changes, must be drawn again: all a relay tells, the place in the queue, and trouble.

    What is shown already while nothing but the batch is another, and that for a moment only. now: seconds.
    """
    job = view.job
    if job is None:
        return ["", view.problem]
    whole = [job.id, job.state, job.attempt, job.epoch, job.stage, job.cancel, view.position, view.problem]
    return _shown(whole, job.batch, seen, now, LIVE_SECONDS)


def _shown(whole: list[Any], batch: int, seen: object, now: float, pause: float) -> list[Any]:
    """whole, the batch and the time; or what is seen, while that is as good."""
    if isinstance(seen, list) and len(seen) == len(whole) + 2 and seen[:-2] == whole:
        fresh = isinstance(seen[-1], int | float) and 0 <= now - seen[-1] < pause
        if seen[-2] == batch or fresh:
            return seen
    return [*whole, batch, round(now, 1)]


def drawn(view: View, seen: object, now: float) -> list[Any]:
    """What the curves show; what is shown already while a running training has only a few steps more. now: seconds."""
    job = view.job
    if job is None:
        return []
    whole = [job.id, job.attempt, len(view.history), job.epochs, job.state]
    pause = CALM_SECONDS[len(view.history) > 0]
    return _shown(whole, job.batch, seen, now, pause)


def facts(services: Services, search: object, shown: object) -> tuple[Any, ...]:
    """What the card says of the job in front, in the order of FACTS. Raises Missing or Broken."""
    view = services.jobs.view(shown)
    job = view.job
    if view.problem:
        raise Broken(view.problem)
    if job is None:
        return nothing(services, search)
    last = view.history[-1] if view.history else None
    best = max(view.history, key=lambda row: row["validation_accuracy"], default=None)
    changes = not services.read_only
    ended_early = changes and job.state in ("interrupted", "failed")
    n = services.jobs.options.validation_images(job.spec.get("dataset"))
    running = job.state == "running"
    return (
        f"{services.store.marks().title(job.run_id)}, seed {job.spec.get('seed')}",
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
        f"{job.epoch}/{job.epochs}",
        duration(job.left) if job.left is not None and running else DASH,
        f"{job.speed:,.0f} / s" if job.speed is not None and running else DASH,
        _accuracy(last, n) if last else DASH,
        [f"{100 * best['validation_accuracy']:.1f} %", _aside(f"epoch {best['epoch']:.0f}")] if best else DASH,
        f"{last['validation_loss']:.3f}" if last else DASH,
        f"{1 if job.state == 'done' else job.batch}",
        f"{1 if job.state == 'done' else job.batches or 1}",
    )


def register(app: Dash, services: Services) -> None:
    @app.callback(
        Output(Memory.LIVE, "data"),
        Output(Memory.FRONT, "data"),
        Output(Memory.CURVES, "data"),
        Output(Memory.QUEUE, "data"),
        Output(Memory.TABLE, "data"),
        Output(Memory.DATA, "data"),
        Output(SHELL_RUNS, "data"),
        Output(Memory.TICK, "interval"),
        Input(Memory.TICK, "n_intervals"),
        Input(Memory.RELAY, "data"),
        Input(Memory.ACTED, "data"),
        Input(Memory.TICKET, "data"),
        Input(Memory.SHOWN, "data"),
        State(Memory.LIVE, "data"),
        State(Memory.FRONT, "data"),
        State(Memory.CURVES, "data"),
        State(Memory.QUEUE, "data"),
        State(Memory.TABLE, "data"),
        State(Memory.DATA, "data"),
        State(Memory.TICK, "interval"),
    )
    def observe(_tick, _relay, _acted, _ticket, shown, live, front, curves, queued, listed, data, interval):
        view = services.jobs.view(shown)
        moment = time.monotonic()
        rows = runs.state(view, services.store.runs(), services.store.marks())
        now = [
            (state(view, live, moment), live),
            ([view.job.id if view.job else ""], front),
            (drawn(view, curves, moment), curves),
            (queue.state(view), queued),
            (rows, listed),
            (form.state(view, services.jobs.options.datasets()), data),
        ]
        pace = ACTIVE_MS if view.active else IDLE_MS
        came = rows if isinstance(listed, list) and rows[:1] != listed[:1] != [] else no_update
        news = [*(_news(*pair) for pair in now), came]
        if all(part is no_update for part in news) and pace == interval:
            raise PreventUpdate  # most ticks end here
        return *news, _news(pace, interval)

    @panel_callback(
        app,
        Ids.FACE,
        *FACTS,
        Input(Memory.LIVE, "data"),
        Input("url", "search"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def draw_live(_state, search, shown):
        return facts(services, search, shown)

    @app.callback(
        *(Output(id, "figure") for _, _, id in CURVES.values()),
        Input(Memory.CURVES, "data"),
        Input(theme.STATE, "data"),
        Input(Ids.PICK, "value"),
        Input("url", "search"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def draw_curves(_curves, mode, picked, search, shown):
        job = services.jobs.view(shown).job
        found = services.jobs.training(job.id) if job is not None else None
        more: dict[str, Any] = {"mode": theme.mode_of(mode), "height": HEIGHT}
        if found is not None:
            job, history, steps = found
            own = progress.Training("", _columns(history, other_runs.MEASURES), within(job, steps))
            more |= {"epochs": job.epochs, "planned": services.jobs.options.planned(job.spec, job.batches or 600)}
            dataset = job.spec.get("dataset")
        else:
            key = f"run:{in_use(services, search)}"
            own = other_runs.training(services, key) or progress.Training()
            dataset = (other_runs.config(services, key) or {}).get("dataset")
        n = services.jobs.options.validation_images(dataset)
        if n and own.history.get("epoch"):
            low, high = wilson(np.round(np.array(own.history["validation_accuracy"]) * n), n)
            more["interval"] = (low.tolist(), high.tolist())
        beside = [training for key in keys(picked) if (training := other_runs.training(services, key)) is not None]
        return tuple(progress.curves(own, beside, measure=measure, **_only(more, measure)) for measure in CURVES)

    @app.callback(
        Output(Ids.PICK, "options"),
        Output(Ids.PICK_NOTE, "children"),
        Input(Memory.FRONT, "data"),
        Input(Memory.TABLE, "data"),
        Input(Ids.PICK, "value"),
        State(Memory.SHOWN, "data"),
        prevent_initial_call=True,
    )
    def list_others(_front, _table, picked, shown):
        view = services.jobs.view(shown)
        found = other_runs.listing(services, view.jobs, without=view.job.run_id if view.job else None)
        chosen = [key for key in keys(picked) if key in {one.key for one in found}]
        full = len(chosen) >= progress.OTHERS
        options = [
            {
                "value": one.key, "disabled": full and one.key not in chosen,
                "label": one.title if one.accuracy is None else f"{one.title} · {100 * one.accuracy:.1f} %",
            }
            for one in found
        ]  # fmt: skip
        names = {one.key: one.title for one in found}
        return options, ", ".join(names[key] for key in chosen) or "none"

    @app.callback(
        Output(Ids.LOG_TEXT, "children"),
        Output(Ids.LOG_BOX, "hidden"),
        Output(Ids.LOG, "aria-expanded"),
        Output(Ids.LOG_FILE, "href"),
        plain.children(Ids.EVENTS),
        Output(Memory.LOG, "data"),
        Input(Ids.LOG, "n_clicks"),
        Input(Memory.FRONT, "data"),
        Input(Memory.CURVES, "data"),
        State(Memory.LOG, "data"),
        prevent_initial_call=True,
    )
    def show_log(clicks, front, _curves, seen):
        if not clicks or clicks % 2 == 0:
            if ctx.triggered_id != Ids.LOG:
                raise PreventUpdate
            return None, True, "false", no_update, None, None
        job_id = front[0] if isinstance(front, list) and front and isinstance(front[0], str) else ""
        file, events = services.jobs.log_file(job_id), services.jobs.events(job_id)
        now = [job_id, file.stat().st_size if file is not None else 0, len(events)]
        if now == seen:
            raise PreventUpdate
        words = services.jobs.log_tail(job_id) or "Nothing has been printed yet."
        return words, False, "true", f"/training/log/{job_id}.txt", [html.Li(happened(one)) for one in events], now

    app.clientside_callback(ClientsideFunction("training", "pace"), Input(Memory.TICK, "interval"))
    app.clientside_callback(
        ClientsideFunction("training", "follow"), Input(Ids.LOG_TEXT, "children"), prevent_initial_call=True
    )

    @app.server.get("/training/log/<job_id>.txt")
    def export_log(job_id: str) -> Response:
        file = services.jobs.log_file(job_id)
        if file is None:
            abort(404)
        return send_file(file.resolve(), mimetype="text/plain", as_attachment=True, download_name=f"{job_id}.txt")

    @app.callback(
        Output(Memory.ACTED, "data"),
        Output(Ids.NOTICE, "children"),
        Output(Memory.TICKET, "data", allow_duplicate=True),
        Input(Ids.CANCEL, "n_clicks"),
        Input(Ids.RESUME, "n_clicks"),
        Input(Memory.ASKED, "data"),
        State(Memory.LIVE, "data"),
        prevent_initial_call=True,
    )
    def change_job(_cancel, _resume, asked, live):
        act, job_id = _wish(ctx.triggered_id, asked, live)
        ticket: Any = no_update
        try:
            if act == "resume":
                job = services.jobs.resume(job_id)
                ticket = {"job": job.id, "attempt": job.attempt + 1}
            elif act == "cancel":
                services.jobs.cancel(job_id)
            elif act == "discard":
                services.jobs.discard(job_id)
            else:
                raise PreventUpdate
        except Refused as refusal:
            return secrets.token_hex(4), str(refusal), no_update
        return secrets.token_hex(4), None, ticket

    app.callback(
        Output(Memory.RELAYED, "data"),
        Input(Memory.TICKET, "data"),
        background=True,
        manager=services.jobs.manager,
        progress=[Output(Memory.RELAY, "data")],
        interval=ACTIVE_MS,
        prevent_initial_call=True,
    )(relay)


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
    said = (f"How {title} learned", f"{words} Below is how {title} learned, the run in use.")
    facts = (DASH,) * 6
    return *said, None, "", "badge-ff mute", None, True, True, None, True, False, *facts, "0", "1"


def _news(now: Any, seen: Any) -> Any:
    """now where it differs from what the browser has, so that an unchanged row costs no work there."""
    return no_update if now == seen else now


def _only(more: dict[str, Any], measure: str) -> dict[str, Any]:
    """The options that a measure has a use for."""
    needless = {"interval"} - ({"interval"} if measure == "accuracy" else set())
    return {name: value for name, value in more.items() if name not in needless}


def _wish(triggered: object, asked: object, live: object) -> tuple[str, str]:
    """What is asked for, and of which job."""
    if triggered == Memory.ASKED:
        found = asked if isinstance(asked, dict) else {}
        act, job_id = found.get("act"), found.get("of")
        return (act if act in ACTS else ""), (job_id if isinstance(job_id, str) else "")
    job_id = live[0] if isinstance(live, list) and live and isinstance(live[0], str) else ""
    return ("resume" if triggered == Ids.RESUME else "cancel"), job_id


def keys(picked: object) -> list[str]:
    """What is to be drawn beside, at most three; picked: whatever the browser says."""
    found = [key for key in picked if isinstance(key, str)] if isinstance(picked, list) else []
    return list(dict.fromkeys(found))[: progress.OTHERS]


def within(job: Job, steps: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """The measures within the epochs by column, `epoch` being how many were done by then."""
    if not job.batches:
        return {}
    columns = _columns(steps, ("loss", "accuracy", "learning_rate", "images_per_second"))
    return {"epoch": [row["batch"] / job.batches * job.epochs for row in steps], **columns}


def _columns(rows: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, list[float]]:
    return {name: [row[name] for row in rows] for name in names}


def sentence(job: Job, view: View) -> str:
    """Where the job stands, in words."""
    model = f"{job.spec.get('model')} on {job.spec.get('dataset')}"
    if job.state == "queued":
        return f"{model}. {_before(job)}{ordinal(view.position)} in the queue; it begins by itself."
    if job.state == "running":
        started = f"{model}. {_before(job)}Started {clock(job.started or job.created)}."
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
    found: list[Any] = []
    if not services.read_only:
        more = {"data-act": "copy", "data-of": f"job:{job.id}", "title": "Fill the form with this training's settings"}
        found.append(button("Copy settings", small=True, **more))
    used = in_use(services, selection.query())
    if (
        job.state == "done"
        and used != job.run_id
        and any(e.run_id == job.run_id and e.ok for e in services.store.runs())
    ):
        found.append(button("Use this run", small=True, search=selection.with_(run=job.run_id).query()))
    return found
