"""Fine-tuning: a short training that begins with this run's weights, on all it learned from and what you accepted."""

from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, card, job_progress
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.records.rows import Declined
from dashboard.services import feedback, twins
from dashboard.services.container import Services
from dashboard.services.training_request import Invalid
from dashboard.state.selection import Selection
from ml.data.feedback import CLIENT
from ml.jobs.queue import Refused
from ml.jobs.tables import Job

NEEDS = ("training",)


class Ids(StrEnum):
    FACE = "feedback-finetune-face"
    WHAT = "feedback-finetune-what"
    START = "feedback-finetune-start"
    TWIN = "feedback-finetune-twin"
    OPEN = "feedback-finetune-open"
    NOTE = "feedback-finetune-note"
    LIVE = "feedback-finetune-live"
    MINE = "feedback-finetune-state"
    ENDED = "feedback-finetune-ended"
    TICK = "feedback-finetune-interval"


TICK_MS = 1_000
TWIN_WORDS = (
    "Train the twin without the feedback as well: same start, recipe, seeds and number of steps, with training "
    f"pictures in its place. {twins.SEEDS} seeds where all of it takes less than a quarter of an hour."
)
NOTHING_TO_LEARN = "No accepted feedback can be learned from yet: accept some above first."


def layout(services: Services, selection: Selection) -> html.Article:
    """What would be learned from, the button, and how far it is."""
    form = html.Div(
        [
            html.Div(id=Ids.WHAT),
            dbc.Checklist(
                id=Ids.TWIN,
                options=[{"value": "twin", "label": TWIN_WORDS}],
                value=["twin"],
                className="checks",
            ),
            dbc.Checklist(
                id=Ids.OPEN,
                options=[{"value": "open", "label": "Open the comparison when it is done"}],
                value=["open"],
                className="checks",
            ),
            html.Div(
                button("Fine-tune with accepted feedback", id=Ids.START, kind="primary", disabled=True),
                className="row-ff",
            ),
            html.P(id=Ids.NOTE, className="bad small", role="alert"),
        ],
        className="fb-form",
    )
    parts = [
        dcc.Store(id=Ids.MINE),
        dcc.Store(id=Ids.ENDED),
        dcc.Interval(id=Ids.TICK, interval=TICK_MS, disabled=True),
        html.Div([form, html.Div(id=Ids.LIVE, className="fb-live", role="status")], className="fb-finetune"),
    ]
    return card("Fine-tune, then compare", __doc__, [slot(Ids.FACE), html.Div(parts)], id="feedback-finetune-card")


def register(app: Dash, services: Services) -> None:
    """Say what would be learned from, start it, watch it, and go on to the comparison."""

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.WHAT, "children"),
        Output(Ids.START, "disabled"),
        Input("app-view-state", "data"),
        Input("feedback-done-state", "data"),
    )
    def draw_what(search: str | None, _: object):
        run = services.store.shown(Selection.parse(search).run)
        lessons = feedback.lessons(services, run)
        return what(run, lessons), not lessons.kept

    @app.callback(
        Output(Ids.MINE, "data"),
        Output(Ids.NOTE, "children"),
        Input(Ids.START, "n_clicks"),
        State(Ids.TWIN, "value"),
        State("url", "search"),
        running=[(Output(Ids.START, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def start_tuning(clicks: int | None, twin: object, search: str | None):
        if not clicks:
            raise PreventUpdate
        try:
            job = feedback.begin(services, services.store.shown(Selection.parse(search).run), twin=twin != [])
        except Invalid as invalid:
            return no_update, " ".join(invalid.errors.values())
        except (Declined, Refused, LookupError, ValueError) as refusal:
            return no_update, str(refusal)
        return {"job": job.id}, None

    @app.callback(
        Output(Ids.LIVE, "children"),
        Output(Ids.TICK, "disabled"),
        Output(Ids.ENDED, "data"),
        Input(Ids.TICK, "n_intervals"),
        Input(Ids.MINE, "data"),
        State(Ids.ENDED, "data"),
    )
    def watch_tuning(_: int | None, mine: object, ended: object):
        job = job_progress.newest(services, mine, "feedback")
        if job is None:
            return None, True, no_update
        frozen = services.jobs.lessons(job)
        there = job_progress.comparison(services, job, frozen.against if frozen else None)
        now = {"job": job.id, "search": there}
        shown = job_progress.live(services, job, there, [*verdict(services, job), *job_progress.effect(services, job)])
        return shown, not job.active, now if there and now != ended else no_update

    # only the tab that started it goes on by itself
    app.clientside_callback(
        ClientsideFunction("feedback", "compare"),
        Output("url", "search", allow_duplicate=True),
        Input(Ids.ENDED, "data"),
        State(Ids.MINE, "data"),
        State(Ids.OPEN, "value"),
        prevent_initial_call=True,
    )


def what(run: RunData, lessons: feedback.Lessons) -> list[Any]:
    """What is learned from, and what of the accepted ones is not."""
    n, clients = len(lessons.kept), len(set(lessons.clients))
    if not n:
        parts: list[Any] = [html.P(NOTHING_TO_LEARN, className="quiet")]
    else:
        who = "visitor" if clients == 1 else "visitors"
        words = [html.B(f"{n:,}"), f" accepted picture{'' if n == 1 else 's'} of {clients:,} {who}, beside all "]
        words += [f"{run.manifest['train_images']:,} training pictures of {run.title}, so that nothing is forgotten."]
        parts = [html.P(words)]
    left = [
        (lessons.capped, f"over the {CLIENT} newest of one visitor"),
        (lessons.judged, "of validation or test, which networks are judged on"),
        (lessons.strange, "of another size or class than this run's, or lost"),
    ]
    for count, why in left:
        if count:
            parts.append(html.P(f"{count:,} left out: {why}.", className="quiet small"))
    parts.append(
        html.P(
            f"A candidate that loses more than {feedback.MAX_ACCURACY_LOSS} points on validation is not proposed, and "
            "none is promoted by itself.",
            className="quiet small",
        )
    )
    return parts


def verdict(services: Services, job: Job) -> list[Any]:
    """What came of it: whether it may be promoted, and its test score; nothing while it goes on."""
    outcome = feedback.outcome(services, job)
    if outcome is None:
        return []
    mark = badge("may be promoted", "good") if outcome.proposed else badge("not proposed", "bad")
    return [
        html.P([mark, " ", outcome.sentence()], id="feedback-finetune-verdict"),
        html.P(f"On test: {outcome.test} right.", id="feedback-finetune-test"),
    ]
