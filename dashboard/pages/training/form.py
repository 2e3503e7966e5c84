"""What to train, and how. Limits stand beside each field; the estimate comes from earlier runs."""

import secrets
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html, no_update

from dashboard.components import button, card
from dashboard.doors import Doors
from dashboard.jobs import AUGMENTATIONS, DataChoice, Invalid, Refused, View
from dashboard.pages.training.memory import Memory
from dashboard.pages.training.words import about, size
from dashboard.selection import Selection

OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD, momentum 0.9"}
STEP = 500  # of the slider of training images


class Ids(StrEnum):
    MODEL = "training-model-select"
    DATASET = "training-dataset-select"
    EPOCHS = "training-epochs-input"
    BATCH = "training-batch-input"
    RATE = "training-rate-input"
    OPTIMISER = "training-optimiser-select"
    IMAGES = "training-images-range"
    COUNT = "training-images-count"
    AUGMENT = "training-augment-checks"
    SEED = "training-seed-input"
    NAME = "training-name-input"
    START = "training-start"
    NOTICE = "training-form-notice"
    ESTIMATE = "training-form-estimate"
    PARTIAL = "training-form-partial"
    AUGMENT_LABEL = "training-augment-label"
    FETCH_BOX = "training-fetch-box"
    FETCH = "training-fetch"
    FETCHING = "training-fetch-status"


FIELDS = {
    "model": Ids.MODEL, "dataset": Ids.DATASET, "epochs": Ids.EPOCHS, "batch_size": Ids.BATCH,
    "learning_rate": Ids.RATE, "optimiser": Ids.OPTIMISER, "train_images": Ids.IMAGES, "augment": Ids.AUGMENT,
    "seed": Ids.SEED, "name": Ids.NAME,
}  # fmt: skip


def layout(doors: Doors, selection: Selection) -> html.Article:
    if doors.read_only:
        words = (
            "This server shows runs and trains none. To train, start the app on your own machine without --read-only."
        )
        # the button stays, and says that it does nothing: other programs look for it
        off = button("Start training", id=Ids.START, kind="primary", disabled=True)
        return card("New run", "", html.Div([html.P(words), off], className="form"), span=4)
    jobs = doors.jobs
    choices = jobs.datasets()
    first = choices[0] if choices else DataChoice("", "", 100, False)
    rate = dbc.Input(id=Ids.RATE, value=f"{jobs.default('learning_rate'):g}", inputmode="decimal", autocomplete="off")
    name = dbc.Input(id=Ids.NAME, placeholder="made for you", value="", maxlength=64, autocomplete="off")
    seed = dbc.Input(id=Ids.SEED, type="number", value=jobs.default("seed"), min=0, step=1)
    fetch = [
        html.P(id=Ids.FETCHING, className="small quiet", role="status"),
        button("Fetch the full data set", id=Ids.FETCH, small=True),
    ]
    body = [
        _field("model", "Model", _select("model", _models(doors, first.name), jobs.default("model"))),
        html.Div(
            _field("dataset", "Data set", _select("dataset", [_option(c.name, c.title) for c in choices], first.name)),
            hidden=len(choices) < 2,
        ),
        html.Div([_number(doors, "epochs", "Epochs"), _number(doors, "batch_size", "Batch size")], className="two"),
        html.Div(
            [
                _field("learning_rate", "Learning rate", rate, "{:.5f} to {:g}".format(*jobs.limits("learning_rate"))),
                _field(
                    "optimiser",
                    "Optimiser",
                    _select("optimiser", [_option(*pair) for pair in OPTIMISERS.items()], jobs.default("optimiser")),
                    "one-cycle schedule",
                ),
            ],
            className="two",
        ),
        _field(
            "train_images",
            ["Training images ", html.Span(id=Ids.COUNT, className="quiet")],
            dbc.Input(
                id=Ids.IMAGES, type="range", min=_least(doors, first.train_images), max=first.train_images,
                step=_step(first.train_images), value=first.train_images,
            ),
        ),
        _augmentation(doors),
        html.Div([_field("seed", "Seed", seed), _field("name", "Name", name)], className="two"),
        html.Div(id=Ids.PARTIAL, className="partial"),
        html.Div(fetch, id=Ids.FETCH_BOX, hidden=True),
        button("Start training", id=Ids.START, kind="primary"),
        html.P(id=Ids.NOTICE, className="form-error", role="alert"),
        html.P(id=Ids.ESTIMATE, className="faint estimate"),
    ]  # fmt: skip
    return card(
        "New run", "What to train, and how. Limits stand beside each field.", html.Div(body, className="form"), span=4
    )


def _augmentation(doors: Doors) -> html.Div:
    checks = dbc.Checklist(
        id=Ids.AUGMENT,
        options=[_option(name, name.capitalize()) for name in AUGMENTATIONS],
        value=list(doors.jobs.default("augment")),
        className="checks",
    )
    return html.Div(
        [
            html.Span("Augmentation", className="label", id=Ids.AUGMENT_LABEL),
            html.Div(checks, role="group", **{"aria-labelledby": Ids.AUGMENT_LABEL}),
            html.Small(id=_error("augment"), className="bad", role="alert"),
        ],
        className="field",
    )


def _option(value: str, words: str) -> dict[str, str]:
    return {"value": value, "label": words}


def _select(name: str, options: list[dict[str, str]], value: str) -> dbc.Select:
    return dbc.Select(id=FIELDS[name], options=options, value=value)


def _error(name: str) -> str:
    return f"training-{name.replace('_', '-')}-error"


def _field(name: str, words: Any, control: Any, limit: str = "") -> html.Div:
    """A label, its control, what is allowed, and a place for what is wrong."""
    return html.Div(
        [
            html.Label(words, htmlFor=FIELDS[name]),
            control,
            html.Small(limit) if limit else None,
            html.Small(id=_error(name), className="bad", role="alert"),
        ],
        className="field",
    )


def _number(doors: Doors, name: str, words: str) -> html.Div:
    low, high = doors.jobs.limits(name)
    control = dbc.Input(id=FIELDS[name], type="number", value=doors.jobs.default(name), min=low, max=high, step=1)
    return _field(name, words, control, f"{low:,} to {high:,}")


def _least(doors: Doors, images: int) -> int:
    """The slider's left end."""
    return STEP if _step(images) == STEP else min(int(doors.jobs.limits("train_images")[0]), images)


def _step(images: int) -> int:
    """So fine that the slider reaches the last image."""
    return STEP if images % STEP == 0 and images > 2 * STEP else 1


def _models(doors: Doors, dataset: str) -> list[dict[str, str]]:
    """Names, and the size where a run of that model and data tells it."""
    sizes = {
        entry.manifest["model"]: entry.manifest["parameters"]
        for entry in doors.store.runs()
        if entry.ok and entry.manifest["dataset"]["name"] == dataset
    }
    return [
        {"value": name, "label": f"{name}, {size(sizes[name])} parameters" if name in sizes else name}
        for name in doors.jobs.models()
    ]


def state(view: View, choices: list[DataChoice]) -> list[Any]:
    """What, when it changes, makes the form look different: data sets, a fetch, and how many wait."""
    fetching = view.fetching
    fetch = [fetching.id, fetching.state, fetching.cause] if fetching else []
    return [[[c.name, c.train_images, c.complete] for c in choices], fetch, sum(job.active for job in view.jobs)]


def register(app: Dash, doors: Doors) -> None:
    if doors.read_only:
        return

    @app.callback(
        Output(Memory.TICKET, "data"),
        Output(Memory.INTENT, "data"),
        Output(Ids.NOTICE, "children"),
        *(Output(_error(name), "children") for name in FIELDS),
        Input(Ids.START, "n_clicks"),
        *(State(id, "value") for id in FIELDS.values()),
        State(Ids.IMAGES, "max"),
        State(Memory.INTENT, "data"),
        running=[(Output(Ids.START, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def start_training(clicks, *states):
        *entered, most, intent = states
        values = dict(zip(FIELDS, entered, strict=True))
        whole = isinstance(values["train_images"], int | str) and str(values["train_images"]) == str(most)
        values["train_images"] = None if whole else values["train_images"]
        values["augment"] = values["augment"] or []
        calm = (None,) * len(FIELDS)
        taken = doors.shelf.names()
        try:
            job = doors.jobs.submit(values, intent=intent if isinstance(intent, str) else None, taken=taken)
        except Invalid as invalid:
            words = [invalid.errors.get(name) for name in FIELDS]
            rest = [text for name, text in invalid.errors.items() if name not in FIELDS]
            return no_update, no_update, " ".join(rest) or None, *words
        except Refused as refusal:
            words = [str(refusal) if name == refusal.field else None for name in FIELDS]
            return no_update, no_update, None if refusal.field else str(refusal), *words
        return {"job": job.id, "attempt": job.attempt + 1}, secrets.token_hex(16), None, *calm

    @app.callback(
        Output(Ids.MODEL, "options"),
        Output(Ids.IMAGES, "min"),
        Output(Ids.IMAGES, "max"),
        Output(Ids.IMAGES, "step"),
        Output(Ids.IMAGES, "value"),
        Output(Ids.PARTIAL, "children"),
        Output(Ids.FETCH_BOX, "hidden"),
        Output(Ids.FETCH, "disabled"),
        Output(Ids.FETCHING, "children"),
        Input(Ids.DATASET, "value"),
        Input(Memory.DATA, "data"),
        State(Ids.IMAGES, "max"),
        prevent_initial_call=True,
    )
    def show_data(name, _data, most):
        choice = next((c for c in doors.jobs.datasets() if c.name == name), None)
        fetching = doors.jobs.view().fetching
        if choice is None:
            return (no_update,) * 9
        same = most == choice.train_images
        active = bool(fetching and fetching.active)
        words = None
        if active:
            words = "Fetching the full data set. You can leave this page."
        elif fetching and fetching.state == "failed":
            words = " ".join(doors.jobs.log_tail(fetching.id).strip().splitlines()[-3:]) or fetching.cause
        part = (
            f"Only the {choice.train_images:,} training pictures that ship with the app are here. A run on them is "
            "marked as trained on a part."
        )
        return (
            _models(doors, choice.name),
            _least(doors, choice.train_images),
            choice.train_images,
            _step(choice.train_images),
            no_update if same else choice.train_images,
            None if choice.complete else html.P(part, className="small"),
            choice.complete or choice.name != "fashion-mnist",
            active,
            words,
        )

    @app.callback(
        Output(Ids.COUNT, "children"),
        Output(Ids.ESTIMATE, "children"),
        Input(Ids.MODEL, "value"),
        Input(Ids.DATASET, "value"),
        Input(Ids.EPOCHS, "value"),
        Input(Ids.IMAGES, "value"),
        Input(Ids.IMAGES, "max"),
        Input(Memory.DATA, "data"),
    )
    def show_estimate(model, dataset, epochs, images, most, data):
        try:
            images, most, epochs = int(images), int(most), int(epochs)
        except (TypeError, ValueError, OverflowError):
            return no_update, None
        found = doors.jobs.estimate(model, dataset, epochs, images) if isinstance(model, str) else None
        words = _elsewhere(doors, model, dataset, epochs * images)
        if found:
            seconds, runs = found
            words = f"About {about(seconds)} on this machine, judged from the last {_trainings(runs)}."
        ahead = data[2] if isinstance(data, list) and len(data) == 3 and isinstance(data[2], int) else 0
        if ahead:
            words += f" {'One is' if ahead == 1 else f'{ahead} are'} running or waiting, so this one would wait."
        return f"{images:,} of {most:,}", words

    @app.callback(
        Output(Memory.ACTED, "data", allow_duplicate=True),
        Output(Ids.FETCHING, "children", allow_duplicate=True),
        Input(Ids.FETCH, "n_clicks"),
        prevent_initial_call=True,
    )
    def fetch_data(clicks):
        if not clicks:
            return no_update, no_update
        try:
            doors.jobs.fetch()
        except Refused as refusal:
            return no_update, str(refusal)
        return secrets.token_hex(4), no_update


def _elsewhere(doors: Doors, model: object, dataset: object, pictures: int) -> str:
    """An estimate from a run that may come from another machine. pictures: to be looked at, in all epochs together."""
    for entry in doors.store.runs():
        manifest = entry.manifest
        if entry.ok and (manifest["model"], manifest["dataset"]["name"]) == (model, dataset):
            seconds = (
                manifest["training_seconds"] / (manifest["config"]["epochs"] * manifest["train_images"]) * pictures
            )
            where = f"{manifest['machine']['cores']} cores"
            return (
                f"About {about(seconds)}, were this machine like the one run {entry.run_id} was trained on ({where})."
            )
    return "No earlier training of this model to judge the time from."


def _trainings(runs: int) -> str:
    return "training" if runs == 1 else f"{runs} trainings"
