"""A new training on the corrected training images. What is decided by now is frozen for it, in a file of its own."""

import secrets
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis import label_review, to_label
from dashboard.components import button, card, job_progress
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.records.decisions import CurrentLabels
from dashboard.services import twins
from dashboard.services.container import Services
from dashboard.services.training_request import Invalid
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import UNLABELLED
from ml.artifacts.kinds import TRAINING
from ml.jobs.queue import Refused
from ml.jobs.tables import Job

NEEDS = ("training",)
FACE, START, NOTE = "review-retrain-face", "review-retrain-start", "review-retrain-note"
RECIPE, OPEN, WHAT, LIVE = "review-retrain-recipe", "review-retrain-open", "review-retrain-what", "review-retrain-live"
MINE, ENDED, TICK = "review-retrain-state", "review-retrain-ended", "review-retrain-interval"
TWIN = "review-retrain-twin"
TWIN_WORDS = (
    "Train the twin without my decisions as well: same recipe, seeds and number of steps, so that the comparison tells "
    f"what the labels did. {twins.SEEDS} seeds where all of it takes less than a quarter of an hour."
)
SAME, QUICK = "same", "quick"
TICK_MS = 1_000


def layout(services: Services, selection: Selection) -> html.Article:
    """What would be changed, by which recipe, the button, and how far it is."""
    choices = dbc.RadioItems(
        id=RECIPE,
        options=[
            {"value": SAME, "label": "The recipe of this run, so that only the labels differ"},
            {
                "value": QUICK,
                "label": "The quick recipe: a minute or so a training; compare with its twin, not with this run",
            },
        ],
        value=SAME,
        className="checks",
    )
    twin = dbc.Checklist(
        id=TWIN, options=[{"value": "twin", "label": TWIN_WORDS}], value=["twin"], className="checks",
    )  # fmt: skip
    go = dbc.Checklist(
        id=OPEN, options=[{"value": "open", "label": "Open the comparison when it is done"}], value=["open"],
        className="checks",
    )  # fmt: skip
    form = html.Div(
        [
            html.Div(id=WHAT),
            html.Div(choices, role="group", **{"aria-label": "Recipe"}),
            html.Div(twin),
            html.Div(go),
            html.Div(
                button("Retrain with my decisions", id=START, kind="primary", disabled=services.read_only),
                className="row-ff",
            ),
            html.P(id=NOTE, className="bad small", role="alert"),
        ],
        className="retrain-form",
    )
    parts = [
        dcc.Store(id=MINE),
        dcc.Store(id=ENDED),
        dcc.Interval(id=TICK, interval=TICK_MS, disabled=True),
        html.Div([form, html.Div(id=LIVE, className="retrain-live")], className="retrain"),
    ]
    return card("Fix, retrain, compare", __doc__, [slot(FACE), html.Div(parts)], id="review-retrain-card")


def register(app: Dash, services: Services) -> None:
    """Say what would change, start it, watch it, and go on to the comparison."""

    @panel_callback(
        app,
        FACE,
        Output(WHAT, "children"),
        Output(START, "disabled"),
        Input("review-view-state", "data"),
        Input("review-done-state", "data"),
    )
    def draw_what(search: str | None, _: object):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        words, any_ = what(run, services.decisions.current_labels(run.data_version), selection)
        return words, services.read_only or not any_

    if services.read_only:
        return

    @app.callback(
        Output(MINE, "data"),
        Output(NOTE, "children"),
        Input(START, "n_clicks"),
        State(RECIPE, "value"),
        State(TWIN, "value"),
        State("url", "search"),
        running=[(Output(START, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def start_retraining(clicks: int | None, recipe: object, twin: object, search: str | None):
        if not clicks:
            raise PreventUpdate
        try:
            run = services.store.shown(Selection.parse(search).run)
            job = begin(services, run, QUICK if recipe == QUICK else SAME, twin=twin != [])
        except Invalid as invalid:
            return no_update, " ".join(invalid.errors.values())
        except (Refused, LookupError, ValueError) as refusal:
            return no_update, str(refusal)
        return {"job": job.id}, None

    @app.callback(
        Output(LIVE, "children"),
        Output(TICK, "disabled"),
        Output(ENDED, "data"),
        Input(TICK, "n_intervals"),
        Input(MINE, "data"),
        Input("review-view-state", "data"),
        State(ENDED, "data"),
    )
    def watch_retraining(_: int | None, mine: object, search: str | None, ended: object):
        job = job_progress.newest(services, mine, "labels")
        if job is None:
            return None, True, no_update
        frozen = services.jobs.corrections(job)
        there = job_progress.comparison(services, job, frozen.against if frozen else None)
        now = {"job": job.id, "search": there}
        return (
            job_progress.live(services, job, there, job_progress.effect(services, job), kind="primary"),
            not job.active,
            now if there and now != ended else no_update,
        )

    # only the tab that started it goes on by itself
    app.clientside_callback(
        ClientsideFunction("review", "compare"),
        Output("url", "search", allow_duplicate=True),
        Output("url", "pathname", allow_duplicate=True),
        Input(ENDED, "data"),
        State(MINE, "data"),
        State(OPEN, "value"),
        prevent_initial_call=True,
    )


def to_split(words: str, selection: Selection, split: str = "reference") -> html.Button:
    """The way to the queue of another split, from the line that asks for it."""
    return html.Button(words, type="button", className="way-to", **{"data-search": selection.of_split(split).query()})


def what(run: RunData, current_labels: CurrentLabels, selection: Selection) -> tuple[html.P, bool]:
    """What decisions change of what is learned from, in words, and whether it is anything."""
    relabelled, excluded = label_review.corrections(run, current_labels)
    labelled = to_label.labelled(run, current_labels)
    if not relabelled and not excluded and not labelled:
        here = label_review.split_of(selection) == "train"
        ways: list[Any] = ["decide some of these" if here else to_split("review the split Train", selection), " first"]
        if run.has_unlabelled:
            ways += [", or ", to_split("label what is Unlabelled", selection, UNLABELLED)]
        return html.P(["No decision of yours changes the training images yet: ", *ways, "."], className="quiet"), False
    ends = ["" if len(part) == 1 else "s" for part in (relabelled, excluded)]
    words = [html.B(f"{len(relabelled):,}"), f" label{ends[0]} changed, "]
    words += [html.B(f"{len(excluded):,}"), f" image{ends[1]} left out"]
    words.append(" of what the run learned from. Validation and test keep the labels they came with.")
    if labelled:
        came = " that came without a label "
        came = f" image{came}is" if len(labelled) == 1 else f" images{came}are"
        words += [" ", html.B(f"{len(labelled):,}"), f"{came} learned from, too; the twin does without."]
    return html.P(words), True


def begin(services: Services, run: RunData, recipe: str, *, twin: bool = True) -> Job:
    """Queue it and wake the worker. twin: whether its twins are trained, too. Raises Refused, Invalid."""
    run.need(TRAINING)
    current_labels = services.decisions.current_labels(run.data_version)
    relabelled, excluded = label_review.corrections(run, current_labels)
    labelled = to_label.labelled(run, current_labels)
    if not relabelled and not excluded and not labelled:
        raise Refused("No decision changes the training images.")
    config = dict(run.manifest["config"])
    if recipe == QUICK:
        config = {**services.jobs.options.presets()["quick"], "dataset": run.dataset["name"], "seed": config["seed"]}
    stem = f"{str(config['model']).replace(':', '-') if recipe == QUICK else run.run_id}"[:48] + "-reviewed"
    taken = services.registry.names() | services.jobs.names()
    name = stem if stem not in taken else services.registry.free_name(stem)
    spared: list[int] | None = [] if twin else None
    if twin and excluded:
        places = twins.stand_ins(run, len(excluded), {*relabelled, *excluded})
        spared = run.pictures("reference").ids[places].tolist()
    job = services.jobs.retrain(
        config, name, against=run.run_id, relabelled=relabelled, excluded=excluded, labelled=labelled,
        twin=spared,
        digest=run.data_version.digest, seconds=twins.one_training(services.jobs.estimate, run, config),
        intent=secrets.token_hex(16),
        taken=services.registry.names(),
    )  # fmt: skip
    services.jobs.wake()
    return job
