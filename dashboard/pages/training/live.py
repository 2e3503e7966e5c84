"""The training in front: how far it is, how fast, and how its measures move, within the epochs and at their ends."""

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate
from flask import has_request_context

from dashboard.components import button, graph, plain, save_menu
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.figures import progress
from dashboard.pages.training import form, live_curves, live_log, live_wishes, queue, run_rows
from dashboard.pages.training.live_curves import CURVES
from dashboard.pages.training.live_facts import DASH, Ids, facts
from dashboard.pages.training.memory import ACTIVE_MS, IDLE_MS, SHELL_RUNS, Memory
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.state.selection import Selection

LIVE_SECONDS = 0.9  # between two looks at a running training's numbers: a browser that draws takes its cores away
CALM_SECONDS = (1.4, 2.9)  # the same of its curves, within the first epoch and after it
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
        [head, html.P(id=Ids.NOTICE, className="form-error", role="alert"), *parts], className="ff-card"
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
    whole = [
        job.id,
        job.state,
        job.attempt,
        job.epoch,
        job.stage,
        job.cancel,
        view.position,
        view.problem,
        view.stalled,
    ]
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


def _news(now: Any, seen: Any) -> Any:
    """now where it differs from what the browser has, so that an unchanged row costs no work there."""
    return no_update if now == seen else now


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
        rows = run_rows.state(view, services.store.runs(), services.store.marks())
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

    app.clientside_callback(ClientsideFunction("training", "pace"), Input(Memory.TICK, "interval"))

    live_curves.register(app, services)
    live_log.register(app, services)
    live_wishes.register(app, services)
