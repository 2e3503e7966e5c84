"""What to train, and how. Limits stand beside each field; the estimate comes from earlier runs."""

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import theme
from dashboard.components import button, card, graph, segmented
from dashboard.figures import progress
from dashboard.format import training_settings
from dashboard.pages.training import other_runs
from dashboard.pages.training.format import about, roughly, size
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.services.job_views import View
from dashboard.services.training_options import DataChoice
from dashboard.services.training_request import Invalid
from dashboard.state.selection import Selection
from ml.jobs.queue import Refused
from ml.training.fields import FIELDS, Field

STEP = 500  # of the slider of training images
OWN = "own"  # no preset
FULL = "fashion-mnist"  # the data set that can be fetched
SHORT = {"batch_size": "batch", "learning_rate": "rate", "train_images": "images"}
KINDS = {"choice": "select", "switch": "check", "several": "checks"}
SELECTS = ("model", "dataset")  # chosen from what is here

FIRST = (("model",), ("dataset",), ("epochs", "batch_size"), ("learning_rate", "seed"), ("name",))  # always in view
MORE = {
    "Steps": ("optimiser", "momentum", "schedule", "warmup"),
    "Against learning by heart": (
        "augment",
        "weight_decay",
        "label_smoothing",
        "dropout",
        "ema",
        "batch_norm",
        "flip_test",
    ),
    "Transfer": ("pretrained", "frozen_epochs"),
    "How it is computed": ("train_images", "precision", "threads"),
}
PRESETS = {
    "quick": "A good network soon: past 90 % of test images named right.",
    "best": "The most accurate network that a patient two-core machine makes.",
    "transfer": "Begins with what a network learned of photographs; slow without a graphics card.",
}


class Ids(StrEnum):
    CARD = "training-form-card"
    START = "training-start"
    PRESET = "training-preset-select"
    PRESET_NOTE = "training-preset-note"
    CHANGED = "training-changed"
    RESET = "training-reset"
    COPY = "training-copy-box"
    COPIED = "training-copy-notice"
    ABOUT = "training-model-about"
    MORE = "training-more"
    MORE_NOTE = "training-more-note"
    COUNT = "training-images-count"
    SCHEDULE = "training-schedule-graph"
    SCHEDULE_NOTE = "training-schedule-note"
    NOTICE = "training-form-notice"
    ESTIMATE = "training-form-estimate"
    PARTIAL = "training-form-partial"
    FETCH_BOX = "training-fetch-box"
    FETCH = "training-fetch"
    FETCHING = "training-fetch-status"


def control(name: str) -> str:
    """The id of a field's control."""
    if name == "train_images":
        return "training-images-range"
    kind = "select" if name in SELECTS else KINDS.get(FIELDS[name].kind if name in FIELDS else "", "input")
    return f"training-{SHORT.get(name, name.replace('_', '-'))}-{kind}"


NAMES = (*FIELDS, "name")
CONTROLS = {name: control(name) for name in NAMES}
IMAGES = CONTROLS["train_images"]


def layout(services: Services, selection: Selection) -> html.Article:
    if services.read_only:
        words = (
            "This server shows runs and trains none. To train, start the app on your own machine without --read-only."
        )
        # the button stays, and says that it does nothing: other programs look for it
        off = button("Start training", id=Ids.START, kind="primary", disabled=True)
        return card("New run", "", html.Div([html.P(words), off], className="form"), span=4)
    choices = services.jobs.options.datasets()
    first = choices[0] if choices else DataChoice("", "", 100, False)
    presets = bases(services)
    basis = next(iter(presets.values()), None)
    values = {name: field.default for name, field in FIELDS.items()}
    values |= {**(basis["values"] if basis else {}), "dataset": first.name}
    chosen = basis["preset"] if basis else OWN
    offered = [(name, name.capitalize()) for name in (*presets, OWN)]
    more = [
        html.Summary([html.Span("More settings"), html.Small(id=Ids.MORE_NOTE, className="quiet")]),
        *(
            html.Div([html.H3(title), *_fields(names, services, values, first)], className="group")
            for title, names in _groups().items()
        ),
    ]
    fetch = [
        html.P(id=Ids.FETCHING, className="small quiet", role="status"),
        button("Fetch the full data set", id=Ids.FETCH, small=True),
    ]
    body = [
        html.Div(
            [
                segmented(Ids.PRESET, offered, chosen, "Preset"),
                html.P(describe(basis), id=Ids.PRESET_NOTE, className="small quiet"),
                html.Div(
                    [
                        html.Span(id=Ids.CHANGED, className="small", role="status"),
                        button("Reset", id=Ids.RESET, small=True, hidden=True),
                    ],
                    className="row-ff changes",
                ),
                html.Div([html.Span(id=Ids.COPY), html.P(id=Ids.COPIED, className="small quiet", role="status")]),
            ],
            className="presets",
        ),
        *(
            html.Div(
                [
                    *(_field(name, services, values, first) for name in names),
                    html.P(id=Ids.ABOUT, className="faint about") if names == ("model",) else None,
                ],
                className="two" if len(names) > 1 else None,
                hidden=names == ("dataset",) and len(choices) < 2,
            )
            for names in FIRST
        ),
        html.Details(more, id=Ids.MORE, className="more"),
        html.Div(id=Ids.PARTIAL, className="partial"),
        html.Div(fetch, id=Ids.FETCH_BOX, hidden=True),
        button("Start training", id=Ids.START, kind="primary"),
        html.P(id=Ids.NOTICE, className="form-error", role="alert"),
        html.P(id=Ids.ESTIMATE, className="faint estimate"),
        dcc.Store(id=Memory.FIELDS, data=[[name, CONTROLS[name], training_settings.label(name)] for name in NAMES]),
        dcc.Store(id=Memory.PRESETS, data=presets),
        dcc.Store(id=Memory.BASIS, data=basis),
    ]
    words = "What to train, and how. Limits stand below each field; the one you are in says what it does."
    return card("New run", words, html.Div(body, className="form"), span=4, id=Ids.CARD)


def bases(services: Services) -> dict[str, dict[str, Any]]:
    """Each preset as something the form can be filled from."""
    return {name: basis(name.capitalize(), values, name) for name, values in services.jobs.options.presets().items()}


def basis(title: str, values: Mapping[str, Any], preset: str | None = None) -> dict[str, Any]:
    """What the form is filled from, and compared with until something else fills it. values: as JSON."""
    texts = {name: training_settings.text(name, value) for name, value in values.items()}
    return {"preset": preset, "title": title, "values": dict(values), "texts": texts}


def describe(basis: Mapping[str, Any] | None, time: str = "") -> str:
    """What a preset is for, in a sentence or two."""
    if basis is None:
        return "Your own settings."
    values, texts = basis["values"], basis["texts"]
    aim = f"{PRESETS[basis['preset']]} " if basis["preset"] in PRESETS else ""
    return f"{aim}{texts['epochs']} epochs of {values['model']}, {texts['optimiser']}{time}."


def _groups() -> dict[str, tuple[str, ...]]:
    """Headings and fields behind "More settings"; a choice that nobody has sorted in yet stands at the end."""
    placed = {name for names in (*FIRST, *MORE.values()) for name in names}
    rest = tuple(name for name in FIELDS if name not in placed)
    known = {title: tuple(name for name in names if name in FIELDS) for title, names in MORE.items()}
    return {title: names for title, names in {**known, "Further": rest}.items() if names}


def _fields(names: tuple[str, ...], services: Services, values: Mapping[str, Any], data: DataChoice) -> list[Any]:
    """Two narrow fields a row; a wide one has its own."""
    wide = ("train_images", "augment")
    parts: list[Any] = [html.Div(_field(name, services, values, data)) for name in names if name in wide]
    parts.append(html.Div([_field(n, services, values, data) for n in names if n not in wide], className="two"))
    if "schedule" in names:
        caption = "The learning rate over the training"
        figure = html.Div(graph(Ids.SCHEDULE), className="schedule", **{"aria-hidden": "true"})
        parts.append(html.Figure([html.Figcaption(caption, id=Ids.SCHEDULE_NOTE, className="small quiet"), figure]))
    return parts


def _option(value: str, words: str) -> dict[str, str]:
    return {"value": value, "label": words}


def part(name: str, what: str) -> str:
    """The id of a field's `label` or `error`; and of its `limit`, `was` (what the preset says) and `help`."""
    return f"training-{name.replace('_', '-')}-{what}"


def _field(name: str, services: Services, values: Mapping[str, Any], data: DataChoice) -> html.Div:
    """A label, its control, a place for what is wrong; and what is allowed and what it does, as data."""
    field = FIELDS.get(name)
    words: Any = training_settings.label(name)
    if name == "train_images":
        words = [words, " ", html.Span(id=Ids.COUNT, className="quiet")]
    several = field is not None and field.kind == "several"
    label = (
        html.Span(words, className="label", id=part(name, "label"))
        if several
        else html.Label(words, htmlFor=CONTROLS[name], id=part(name, "label"))
    )
    limit = ""
    if field is not None and field.low is not None and field.high is not None and name != "train_images":
        limit = training_settings.span(field.low, field.high)
    held = _control(name, field, services, values, data)
    if several:
        held = html.Div(held, role="group", **{"aria-labelledby": part(name, "label")})
    # limit and help are made by assets/training.js: a component each would cost the browser more than all the rest
    words = training_settings.HELP.get(name) or _said(field)
    return html.Div(
        [label, held, html.Small(id=part(name, "error"), className="bad", role="alert")],
        className="field",
        **{"data-field": name, "data-limit": limit, "data-help": words},
    )


def _said(field: Field | None) -> str:
    return f"{field.description[:1].upper()}{field.description[1:]}." if field is not None else ""


def _control(name: str, field: Field | None, services: Services, values: Mapping[str, Any], data: DataChoice) -> Any:
    id, value = CONTROLS[name], values.get(name)
    if name == "name" or field is None:
        return dbc.Input(id=id, placeholder="made for you", value="", maxlength=64, autocomplete="off")
    if name == "model":
        return dbc.Select(id=id, options=_models(services, data.name), value=value)
    if name == "dataset":
        return dbc.Select(
            id=id, options=[_option(c.name, c.title) for c in services.jobs.options.datasets()], value=value
        )
    if name == "train_images":
        most = data.train_images
        return dbc.Input(id=id, type="range", min=_least(most), max=most, step=_step(most), value=most)
    if field.kind == "switch":
        return dbc.Checkbox(id=id, label="On", value=bool(value))
    if field.kind in ("choice", "several"):
        offered = [_option(choice, training_settings.text("", choice)) for choice in field.choices]
        if field.kind == "choice":
            return dbc.Select(id=id, options=offered, value=value)
        return dbc.Checklist(id=id, options=offered, value=list(value or ()), className="checks")
    more = {"placeholder": training_settings.text(name, None)} if field.optional else {}
    if field.kind == "whole":
        return dbc.Input(
            id=id, type="number", value="" if value is None else value, min=field.low, max=field.high, step=1,
            autocomplete="off", **more,
        )  # fmt: skip
    shown = "" if value is None else f"{value:g}" if isinstance(value, int | float) else value
    return dbc.Input(id=id, value=shown, inputmode="decimal", autocomplete="off", maxlength=40, **more)


def _least(images: int) -> int:
    """The slider's left end."""
    return STEP if _step(images) == STEP else min(int(FIELDS["train_images"].low or 1), images)


def _step(images: int) -> int:
    """So fine that the slider reaches the last image."""
    return STEP if images % STEP == 0 and images > 2 * STEP else 1


def _models(services: Services, dataset: str) -> list[dict[str, str]]:
    """Names, and the size where a run of that model and data tells it."""
    sizes = {
        entry.manifest["model"]: entry.manifest["parameters"]
        for entry in services.store.runs()
        if entry.ok and entry.manifest["dataset"]["name"] == dataset
    }
    return [
        {"value": name, "label": f"{name}, {size(sizes[name])} parameters" if name in sizes else name}
        for name in services.jobs.options.models()
    ]


def state(view: View, choices: list[DataChoice]) -> list[Any]:
    """What, when it changes, makes the form look different: data sets, a fetch, and how many wait."""
    fetching = view.fetching
    fetch = [fetching.id, fetching.state, fetching.cause] if fetching else []
    return [[[c.name, c.train_images, c.complete] for c in choices], fetch, sum(job.active for job in view.jobs)]


def settings(entered: Mapping[str, Any], most: object) -> dict[str, Any]:
    """The form's values as TrainConfig takes them. entered: by field; most: the slider's right end, which means all."""
    values = dict(entered)
    images = values["train_images"]
    if isinstance(images, int | str) and str(images) == str(most):
        values["train_images"] = None
    for name, field in FIELDS.items():
        if field.optional and values[name] == "":
            values[name] = None
        elif field.kind == "several" and values[name] is None:
            values[name] = []
    return values


def register(app: Dash, services: Services) -> None:
    if services.read_only:
        return

    @app.callback(
        Output(Memory.TICKET, "data"),
        Output(Memory.INTENT, "data"),
        Output(Memory.SHOWN, "data"),
        Output(Ids.NOTICE, "children"),
        *(Output(part(name, "error"), "children") for name in NAMES),
        Input(Ids.START, "n_clicks"),
        *(State(id, "value") for id in CONTROLS.values()),
        State(IMAGES, "max"),
        State(Memory.INTENT, "data"),
        running=[(Output(Ids.START, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def start_training(clicks, *states):
        *entered, most, intent = states
        values = settings(dict(zip(NAMES, entered, strict=True)), most)
        still = (no_update,) * 3
        try:
            intended = intent if isinstance(intent, str) else None
            job = services.jobs.submit(values, intent=intended, taken=services.registry.names())
        except Invalid as invalid:
            words = [invalid.errors.get(name) for name in NAMES]
            rest = [text for name, text in invalid.errors.items() if name not in NAMES]
            return *still, " ".join(rest) or None, *words
        except Refused as refusal:
            words = [str(refusal) if name == refusal.field else None for name in NAMES]
            return *still, None if refusal.field else str(refusal), *words
        return {"job": job.id, "attempt": job.attempt + 1}, secrets.token_hex(16), None, None, *(None for _ in NAMES)

    @app.callback(
        Output(CONTROLS["model"], "options"),
        Output(IMAGES, "min"),
        Output(IMAGES, "max"),
        Output(IMAGES, "step"),
        Output(IMAGES, "value"),
        Output(Ids.PARTIAL, "children"),
        Output(Ids.FETCH_BOX, "hidden"),
        Output(Ids.FETCH, "disabled"),
        Output(Ids.FETCHING, "children"),
        Input(CONTROLS["dataset"], "value"),
        Input(Memory.DATA, "data"),
        State(IMAGES, "max"),
        State(IMAGES, "value"),
        prevent_initial_call=True,
    )
    def show_data(name, _data, most, images):
        choice = next((c for c in services.jobs.options.datasets() if c.name == name), None)
        fetching = services.jobs.view().fetching
        if choice is None:
            return (no_update,) * 9
        active = bool(fetching and fetching.active)
        words = None
        if active:
            words = "Fetching the full data set. You can leave this page."
        elif fetching and fetching.state == "failed":
            words = " ".join(services.jobs.log_tail(fetching.id).strip().splitlines()[-3:]) or fetching.cause
        notice = (
            f"Only the {choice.train_images:,} training pictures that ship with the app are here. A run on them is "
            "marked as trained on a part."
        )
        return (
            _models(services, choice.name),
            _least(choice.train_images),
            choice.train_images,
            _step(choice.train_images),
            _kept(images, most, choice.train_images),
            None if choice.complete else html.P(notice, className="small"),
            choice.complete or choice.name != FULL,
            active,
            words,
        )

    @app.callback(
        Output(Ids.COUNT, "children"),
        Output(Ids.ESTIMATE, "children"),
        Output(Ids.ABOUT, "children"),
        Input(CONTROLS["model"], "value"),
        Input(CONTROLS["dataset"], "value"),
        Input(CONTROLS["epochs"], "value"),
        Input(IMAGES, "value"),
        Input(IMAGES, "max"),
        Input(Memory.DATA, "data"),
    )
    def show_estimate(model, dataset, epochs, images, most, data):
        try:
            images, most, epochs = int(images), int(most), int(epochs)
        except (TypeError, ValueError, OverflowError):
            return no_update, None, services.jobs.options.about(model)
        seconds, source = estimate(services, model, dataset, epochs, images)
        words = f"{roughly(seconds).capitalize()}, {source}." if seconds is not None else f"{source}."
        ahead = data[2] if isinstance(data, list) and len(data) == 3 and isinstance(data[2], int) else 0
        if ahead:
            words += f" {'One is' if ahead == 1 else f'{ahead} are'} running or waiting, so this one would wait."
        return f"{images:,} of {most:,}", words, services.jobs.options.about(model)

    @app.callback(
        Output(Ids.PRESET, "options"),
        Output(Ids.PRESET_NOTE, "children"),
        Input(Memory.BASIS, "data"),
        Input(CONTROLS["dataset"], "value"),
        Input(Memory.DATA, "data"),
    )
    def show_presets(chosen, dataset, _data):
        choice = next((c for c in services.jobs.options.datasets() if c.name == dataset), None)
        offered, words, presets = [], "Your own settings.", bases(services)
        name = chosen.get("preset") if isinstance(chosen, dict) else None
        for preset in presets.values():
            values = preset["values"]
            seconds, source = (
                estimate(services, values["model"], dataset, values["epochs"], choice.train_images)
                if choice
                else (None, "")
            )
            label = preset["title"] if seconds is None else f"{preset['title']} · {about(seconds)}"
            offered.append(_option(preset["preset"], label))
            if preset["preset"] == name:
                words = describe(preset, "" if seconds is None else f". {roughly(seconds).capitalize()}, {source}")
        if name is None and isinstance(chosen, dict) and isinstance(chosen.get("title"), str):
            words = f"The settings of {chosen['title'][:100]}."
        return [*offered, _option(OWN, OWN.capitalize())], words

    @app.callback(
        Output(Ids.SCHEDULE, "figure"),
        Output(Ids.SCHEDULE_NOTE, "children"),
        *(Input(CONTROLS[name], "value") for name in ("learning_rate", "epochs", "schedule", "warmup")),
        Input(theme.STATE, "data"),
    )
    def draw_schedule(rate, epochs, schedule, warmup, mode):
        asked = {"learning_rate": rate, "epochs": epochs, "schedule": schedule, "warmup": warmup}
        planned = services.jobs.options.planned(asked)
        if not planned:
            return no_update, "The learning rate over the training: one of its settings is not allowed."
        peak, end = max(y for _, y in planned), planned[-1][1]
        last = progress.rate_words(end) if end > peak / 1000 else "next to nothing"
        words = f"The learning rate over the training: up to {progress.rate_words(peak)}, at the end {last}."
        return progress.schedule(planned, mode=theme.mode_of(mode)), words

    @app.callback(
        Output(Ids.COPY, "children"),
        Input("url", "search"),
        Input(Memory.TABLE, "data"),
    )
    def offer_copy(search, _table):
        run_id = Selection.parse(search).run or services.store.default_run() or ""
        if other_runs.config(services, f"run:{run_id}") is None:
            return None
        name = services.store.marks().title(run_id)
        return html.Button(
            ["Copy settings of ", html.B(name)], type="button", className="btn-ff sm copy", title=f"Of run {run_id}",
            **{"data-act": "copy", "data-of": f"run:{run_id}"},
        )  # fmt: skip

    @app.callback(
        Output(Memory.BASIS, "data"),
        Output(Ids.COPIED, "children"),
        Input(Memory.COPY, "data"),
        prevent_initial_call=True,
    )
    def copy_settings(asked):
        of = asked.get("of") if isinstance(asked, dict) else None
        config = other_runs.config(services, of)
        if config is None:
            return no_update, "Its settings are not known any more."
        title = other_runs.title(services, of)
        known = {name: config[name] for name in FIELDS if name in config}
        here = {
            "model": services.jobs.options.models(),
            "dataset": [choice.name for choice in services.jobs.options.datasets()],
        }
        absent = [name for name, choices in here.items() if name in known and known[name] not in choices]
        for name in absent:
            del known[name]
        words = f"The form has the settings of {title}."
        if absent:
            left = " and ".join(f"{training_settings.label(name).lower()} {str(config[name])[:60]}" for name in absent)
            words += f" Not on this machine: {left}."
        return basis(title, known), words

    @app.callback(
        Output(Memory.ACTED, "data", allow_duplicate=True),
        Output(Ids.FETCHING, "children", allow_duplicate=True),
        Input(Ids.FETCH, "n_clicks"),
        prevent_initial_call=True,
    )
    def fetch_data(clicks):
        if not clicks:
            raise PreventUpdate
        try:
            services.jobs.fetch()
        except Refused as refusal:
            return no_update, str(refusal)
        return secrets.token_hex(4), no_update

    entered = [Input(id, "value") for id in CONTROLS.values()]
    app.clientside_callback(
        ClientsideFunction("training", "choose"),
        Output(Memory.BASIS, "data", allow_duplicate=True),
        Input(Ids.PRESET, "value"),
        State(Memory.PRESETS, "data"),
        State(Memory.BASIS, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("training", "reset"),
        Output(Memory.BASIS, "data", allow_duplicate=True),
        Input(Ids.RESET, "n_clicks"),
        State(Memory.BASIS, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("training", "fill"),
        Input(Memory.BASIS, "data"),
        State(Memory.FIELDS, "data"),
        State(Ids.PRESET, "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("training", "mark"),
        Output(Ids.CHANGED, "children"),
        Output(Ids.RESET, "children"),
        Output(Ids.RESET, "hidden"),
        Output(Ids.MORE_NOTE, "children"),
        Input(Memory.BASIS, "data"),
        *entered,
        Input(IMAGES, "max"),
        State(Memory.FIELDS, "data"),
        State(Memory.PRESETS, "data"),
        State(Ids.PRESET, "value"),
    )
    app.clientside_callback(
        ClientsideFunction("training", "point"),
        *(Input(part(name, "error"), "children") for name in NAMES),
        State(Memory.FIELDS, "data"),
        prevent_initial_call=True,
    )


def _kept(images: object, before: object, now: int) -> Any:
    """How many images the slider shows when its right end moves: all stays all, a part stays that part."""
    if images == before or not isinstance(images, int | str):
        return no_update if before == now else now
    try:
        return no_update if int(images) <= now else now
    except ValueError:
        return now


def estimate(services: Services, model: object, dataset: object, epochs: int, images: int) -> tuple[float | None, str]:
    """Seconds a training would take, None where nothing tells; and from what that is known."""
    if not isinstance(model, str) or not isinstance(dataset, str):
        return None, "Choose a model and a data set"
    found = services.jobs.estimate(model, dataset, epochs, images)
    if found is not None:
        seconds, runs = found
        return seconds, f"judged from the last {'training' if runs == 1 else f'{runs} trainings'} here"
    for entry in services.store.runs():
        manifest = entry.manifest
        if entry.ok and (manifest["model"], manifest["dataset"]["name"]) == (model, dataset):
            looked_at = manifest["config"]["epochs"] * manifest["train_images"]
            cores = manifest["machine"]["cores"]
            made = "one core" if cores == 1 else f"{cores} cores"
            words = f"were this machine like the {made} that made run {entry.run_id}"
            return manifest["training_seconds"] / looked_at * epochs * images, words
    return None, f"No training of {model[:60]} on these pictures yet to judge the time from"
