"""The fields of the form: each one's control, its id, and its value as a training takes it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import html

from dashboard.format.numbers import size
from dashboard.records.runs import TITLE
from dashboard.services.container import Services
from dashboard.services.training_options import DataChoice
from ml.artifacts import kinds
from ml.training import wording
from ml.training.fields import FIELDS, Field

STEP = 500  # of the slider of training images
ID_NAMES = {"batch_size": "batch", "learning_rate": "rate", "train_images": "images"}
KINDS = {"choice": "select", "switch": "check", "several": "checks"}
SELECTS = ("model", "dataset")  # chosen from what is here


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
    return f"training-{ID_NAMES.get(name, name.replace('_', '-'))}-{kind}"


NAMES = (*FIELDS, "name")
CONTROLS = {name: control(name) for name in NAMES}
IMAGES = CONTROLS["train_images"]


def option(value: str, words: str) -> dict[str, str]:
    return {"value": value, "label": words}


def part(name: str, what: str) -> str:
    """The id of a field's `label` or `error`; and of its `limit`, `was` (what the preset says) and `help`."""
    return f"training-{name.replace('_', '-')}-{what}"


def field_of(name: str, services: Services, values: Mapping[str, Any], data: DataChoice) -> html.Div:
    """A label, its control, a place for what is wrong; and what is allowed and what it does, as data."""
    field = FIELDS.get(name)
    words: Any = wording.label(name)
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
        limit = wording.span(field.low, field.high)
    held = _control(name, field, services, values, data)
    if several:
        held = html.Div(held, role="group", **{"aria-labelledby": part(name, "label")})
    # limit and help are made by assets/training.js: a component each would cost the browser more than all the rest
    words = wording.HELP.get(name) or _help(field)
    return html.Div(
        [label, held, html.Small(id=part(name, "error"), className="bad", role="alert")],
        className="field",
        **{"data-field": name, "data-limit": limit, "data-help": words},
    )


def _help(field: Field | None) -> str:
    return f"{field.description[:1].upper()}{field.description[1:]}." if field is not None else ""


def _control(name: str, field: Field | None, services: Services, values: Mapping[str, Any], data: DataChoice) -> Any:
    id, value = CONTROLS[name], values.get(name)
    if name == "name" or field is None:
        return dbc.Input(id=id, placeholder="made for you", value="", maxlength=TITLE, autocomplete="off")
    if name == "model":
        return dbc.Select(id=id, options=models(services, data.name), value=value)
    if name == "dataset":
        return dbc.Select(
            id=id, options=[option(c.name, c.title) for c in services.jobs.options.datasets()], value=value
        )
    if name == "train_images":
        most = data.train_images
        return dbc.Input(id=id, type="range", min=least(most), max=most, step=step_of(most), value=most)
    if field.kind == "switch":
        return dbc.Checkbox(id=id, label="On", value=bool(value))
    if field.kind in ("choice", "several"):
        offered = [option(choice, wording.text("", choice)) for choice in field.choices]
        if field.kind == "choice":
            return dbc.Select(id=id, options=offered, value=value)
        return dbc.Checklist(id=id, options=offered, value=list(value or ()), className="checks")
    more = {"placeholder": wording.text(name, None)} if field.optional else {}
    if field.kind == "whole":
        return dbc.Input(
            id=id, type="number", value="" if value is None else value, min=field.low, max=field.high, step=1,
            autocomplete="off", **more,
        )  # fmt: skip
    shown = "" if value is None else f"{value:g}" if isinstance(value, int | float) else value
    return dbc.Input(id=id, value=shown, inputmode="decimal", autocomplete="off", maxlength=40, **more)


def least(images: int) -> int:
    """The slider's left end."""
    return STEP if step_of(images) == STEP else min(int(FIELDS["train_images"].low or 1), images)


def step_of(images: int) -> int:
    """So fine that the slider reaches the last image."""
    return STEP if images % STEP == 0 and images > 2 * STEP else 1


def models(services: Services, dataset: str) -> list[dict[str, str]]:
    """Names, and the size where a run of that model and data tells it."""
    sizes = {
        entry.manifest["model"]: entry.manifest["parameters"]
        for entry in services.store.runs()
        if entry.ok and entry.manifest["dataset"]["name"] == dataset and kinds.has(entry.manifest, kinds.TRAINING)
    }
    return [
        {"value": name, "label": f"{name}, {size(sizes[name])} parameters" if name in sizes else name}
        for name in services.jobs.options.models()
    ]


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
