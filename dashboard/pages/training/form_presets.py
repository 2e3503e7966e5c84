"""What the form is filled from: a preset, or the settings of another run."""

from collections.abc import Mapping
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update

from dashboard.format.numbers import about, roughly
from dashboard.pages.training import other_runs
from dashboard.pages.training.form_estimate import estimate
from dashboard.pages.training.form_fields import CONTROLS, IMAGES, NAMES, Ids, option, part
from dashboard.pages.training.memory import Memory
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.system.wording import quantity
from ml.training import wording
from ml.training.fields import FIELDS

NO_PRESET = "own"  # no preset
PRESETS = {
    "quick": "A good network soon.",
    "best": "The most accurate network that a patient two-core machine makes.",
    "transfer": "Begins with what a network learned of photographs; slow without a graphics card.",
}
PROMISES = {"quick": "On all of it, past 90 % of test images named right."}  # measured on PROMISED, unchanged
PROMISED = "fashion-mnist"
BESIDE = {"train_images": None}  # no part of a preset, but its recipe is another one where this differs


def bases(services: Services) -> dict[str, dict[str, Any]]:
    """Each preset as something the form can be filled from."""
    return {name: basis(name.capitalize(), values, name) for name, values in services.jobs.options.presets().items()}


def basis(title: str, values: Mapping[str, Any], preset: str | None = None) -> dict[str, Any]:
    """What the form is filled from, and compared with until something else fills it. values: as JSON."""
    beside = {} if preset is None else BESIDE
    texts = {name: wording.text(name, value) for name, value in {**beside, **values}.items()}
    return {"preset": preset, "title": title, "values": dict(values), "beside": beside, "texts": texts}


def describe(basis: Mapping[str, Any] | None, time: str = "", dataset: object = None) -> list:
    """What a preset is for, in a sentence or two; what it is known to reach, where the data set is the one that was.

    assets/training.js hides the promise once a setting differs.
    """
    if basis is None:
        return ["Your own settings."]
    values, texts, preset = basis["values"], basis["texts"], basis["preset"]
    aim = f"{PRESETS[preset]} " if preset in PRESETS else ""
    words = f"{aim}{quantity(values['epochs'], 'epoch')} of {values['model']}, {texts['optimiser']}{time}. "
    promised = preset in PROMISES and dataset == PROMISED
    return [words, html.Span(PROMISES[preset], className="promise") if promised else None]


def register(app: Dash, services: Services) -> None:
    """Presets and copies, and what differs from them."""

    @app.callback(
        Output(Ids.PRESET, "options"),
        Output(Ids.PRESET_NOTE, "children"),
        Input(Memory.BASIS, "data"),
        Input(CONTROLS["dataset"], "value"),
        Input(Memory.DATA, "data"),
    )
    def show_presets(chosen, dataset, _data):
        choice = next((c for c in services.jobs.options.datasets() if c.name == dataset), None)
        offered, words, presets = [], describe(None), bases(services)
        name = chosen.get("preset") if isinstance(chosen, dict) else None
        for preset in presets.values():
            values = preset["values"]
            seconds, source = (
                estimate(services, values["model"], dataset, values["epochs"], choice.train_images)
                if choice
                else (None, "")
            )
            label = preset["title"] if seconds is None else f"{preset['title']} · {about(seconds)}"
            offered.append(option(preset["preset"], label))
            if preset["preset"] == name:
                time = "" if seconds is None else f". {roughly(seconds).capitalize()}, {source}"
                words = describe(preset, time, dataset if choice and choice.complete else None)
        if name is None and isinstance(chosen, dict) and isinstance(chosen.get("title"), str):
            words = [f"The settings of {chosen['title'][:100]}."]
        return [*offered, option(NO_PRESET, NO_PRESET.capitalize())], words

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
    def copy_settings(request):
        of = request.get("of") if isinstance(request, dict) else None
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
            left = " and ".join(f"{wording.label(name).lower()} {str(config[name])[:60]}" for name in absent)
            words += f" Not on this machine: {left}."
        return basis(title, known), words

    register_filling(app)


def register_filling(app: Dash) -> None:
    """Fill the form from what it is based on, mark what differs, point at what is wrong: all in the browser."""
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
