"""Start a training from the form, and fetch the data it is of."""

import contextlib
import secrets
from typing import Any

from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.pages.training.form_fields import CONTROLS, IMAGES, NAMES, Ids, least, models, part, settings, step_of
from dashboard.pages.training.memory import Memory
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.services.training_request import Invalid
from ml.jobs.queue import Refused

FETCHABLE_DATASET = "fashion-mnist"  # the data set that can be fetched


def _kept(images: object, before: object, now: int) -> Any:
    """How many images the slider shows when its right end moves: all stays all, a part stays that part."""
    if images == before or not isinstance(images, int | str):
        return no_update if before == now else now
    try:
        return no_update if int(images) <= now else now
    except ValueError:
        return now


def register(app: Dash, services: Services) -> None:
    """A click starts a training, or says by which field why not; the fields follow the data set."""

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
        given = " ".join(str(values.get("name") or "").split())
        if given and given != job.run_id:
            with contextlib.suppress(Declined):  # the run has its id then, and can be called something later
                services.records.rename(job.run_id, given, services.registry.names())
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
            models(services, choice.name),
            least(choice.train_images),
            choice.train_images,
            step_of(choice.train_images),
            _kept(images, most, choice.train_images),
            None if choice.complete else html.P(notice, className="small"),
            choice.complete or choice.name != FETCHABLE_DATASET,
            active,
            words,
        )

    register_fetch(app, services)


def register_fetch(app: Dash, services: Services) -> None:
    """A click fetches the whole data set, as a job."""

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
