"""What was understood, before anything is written. Change what is wrong, then import.

A change of how pictures are read or fitted is looked at anew; names and order of classes are taken as they stand here.
"""

import re
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, plain
from dashboard.pages.data import plan_view
from dashboard.pages.data.memory import Memory, source_of
from dashboard.services.container import Services
from dashboard.services.imports import Preview
from dashboard.services.staging import Staged
from dashboard.state.selection import Selection
from ml.artifacts.identity import run_id_of
from ml.jobs.queue import Refused
from ml.people import acting

NOTHING = "Nothing is being looked at. Bring something, and what was understood of it stands here."
AUTO = "auto"  # nothing chosen
SIZES = (AUTO, "8x8", "16x16", "28x28", "32x32", "48x48", "64x64", "96x96", "128x128", "160x160", "224x224", "320x320",
         "512x512")  # fmt: skip
FITTING = {
    AUTO: "as suggested", "pad": "letterbox: whole, with a margin", "crop": "centre crop: no margin, edges are cut",
    "stretch": "stretch: whole, proportions change",
}  # fmt: skip
NEW, ANEW, MORE = "new", "version", "add"
VERSIONS = {NEW: "a new data set", ANEW: "a new version of the one of this name", MORE: "more pictures of that one"}
SIZED = {AUTO: "as suggested"}
BACKGROUNDS = {AUTO: "as suggested", "#ffffff": "white", "#808080": "mid gray", "#000000": "black"}
COLOUR = {AUTO: "as suggested", "colour": "colour, 3 channels", "gray": "gray, 1 channel"}


class Ids(StrEnum):
    BODY = "data-preview"
    FORM = "data-preview-form"
    SIZE = "data-size-select"
    FITTING = "data-fitting-select"
    COLOUR = "data-colour-select"
    BACKGROUND = "data-background-select"
    NAME = "data-name-input"
    TITLE = "data-title-input"
    ABOUT = "data-description-input"
    VERSION = "data-version-select"
    START = "data-import-start"
    SAID = "data-import-said"
    CLOSE = "data-preview-close"


def layout(services: Services, selection: Selection) -> html.Article | html.Div:
    """The face without a source; then facts, choices, classes with their first pictures, and the button."""
    if services.read_only or not acting.may("dataset"):
        return html.Div(hidden=True)
    fit = html.Div(
        [
            _select(Ids.SIZE, "Size", [(one, SIZED.get(one, one.replace("x", " × "))) for one in SIZES]),
            _select(Ids.FITTING, "Fit", FITTING.items()),
            _select(Ids.COLOUR, "Colour", COLOUR.items()),
            _select(Ids.BACKGROUND, "Behind and around", BACKGROUNDS.items()),
        ],
        className="fits",
    )  # fmt: skip
    about = html.Div(
        [
            _field(Ids.NAME, "Name", dbc.Input(id=Ids.NAME, value="", maxlength=64, autocomplete="off")),
            _select(Ids.VERSION, "It becomes", VERSIONS.items(), NEW),
            _field(Ids.TITLE, "Title", dbc.Input(id=Ids.TITLE, value="", maxlength=60, autocomplete="off",
                                                 placeholder="the name")),
            _field(Ids.ABOUT, "Description", dbc.Input(id=Ids.ABOUT, value="", maxlength=2_000, autocomplete="off")),
        ],
        className="fits",
    )  # fmt: skip
    form = html.Div(
        [
            html.H3("How pictures are fitted"),
            fit,
            html.H3("What it is called"),
            about,
            html.Div(
                [
                    button("Import", id=Ids.START, kind="primary", disabled=True),
                    button("Close", id=Ids.CLOSE, kind="ghost"),
                    html.Span(id=Ids.SAID, className="bad small", role="alert"),
                ],
                className="row-ff",
            ),
        ],
        id=Ids.FORM,
        className="form",
        hidden=True,
    )
    return card("What was understood", __doc__, [plain.place(Ids.BODY), form], id="data-preview-card")


def _field(id: str, words: str, control: Any) -> html.Div:
    return html.Div([html.Label(words, htmlFor=id, className="label"), control], className="field")


def _select(id: str, words: str, options: Any, value: str = AUTO) -> html.Div:
    offered = [{"value": value, "label": label} for value, label in options]
    return _field(id, words, dbc.Select(id=id, options=offered, value=value))


def choices(staged_id: str, size: object, fitting: object, colour: object, background: object, parts: object) -> dict:
    """What was chosen, as ml.data.importing.Choices reads it; whatever the browser sends."""
    chosen: dict[str, Any] = {}
    if isinstance(size, str) and (match := re.fullmatch(r"(\d{1,3})x(\d{1,3})", size, re.ASCII)):
        chosen["size"] = [int(match[1]), int(match[2])]
    if isinstance(fitting, str) and fitting in FITTING and fitting != AUTO:
        chosen["fitting"] = fitting
    if isinstance(colour, str) and colour in COLOUR and colour != AUTO:
        chosen["colour"] = colour == "colour"
    if isinstance(background, str) and background in BACKGROUNDS and background != AUTO:
        chosen["background"] = background
    if isinstance(parts, dict) and parts.get("of") == staged_id:
        for name in ("splits", "columns"):
            if found := _texts(parts.get(name)):
                chosen[name] = found
        if isinstance(parts.get("turned"), bool):
            chosen["turned"] = parts["turned"]
    return chosen


def named(staged_id: str, names: object) -> dict[str, Any]:
    """What was chosen of classes: other names, '' for left out, and their order."""
    if not isinstance(names, dict) or names.get("of") != staged_id:
        return {}
    chosen: dict[str, Any] = {}
    if found := _texts(names.get("names")):
        chosen["names"] = found
    order = names.get("order")
    if isinstance(order, list) and order and all(isinstance(one, str) and len(one) <= 200 for one in order[:1_000]):
        chosen["order"] = order[:1_000]
    return chosen


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, Mapping) or len(found) > 2_000:
        return {}
    return {str(key)[:1_000]: value[:200] for key, value in found.items() if isinstance(value, str)}


def register(app: Dash, services: Services) -> None:
    if services.read_only:
        return
    fits = [Input(one, "value") for one in (Ids.SIZE, Ids.FITTING, Ids.COLOUR, Ids.BACKGROUND)]

    @app.callback(
        Output(Ids.FORM, "hidden"),
        *(Output(one.component_id, "value") for one in fits),
        *(Output(one, "value") for one in (Ids.NAME, Ids.TITLE, Ids.ABOUT, Ids.VERSION)),
        Output(Ids.SAID, "children"),
        Output(Memory.PARTS, "data"),
        Output(Memory.NAMES, "data"),
        Input(Memory.SOURCE, "data"),
        prevent_initial_call=True,
    )
    def begin_anew(source: object):
        staged = services.staging.get(source_of(source))
        if staged is None:
            return True, *[no_update] * 8, None, None, None
        return False, AUTO, AUTO, AUTO, AUTO, suggested(staged), "", "", NEW, None, None, None

    @app.callback(
        plain.children(Ids.BODY),
        Output(Ids.START, "disabled"),
        Input(Memory.SOURCE, "data"),
        *fits,
        Input(Memory.PARTS, "data"),
        Input(Memory.TICK, "n_intervals"),
        State(Ids.START, "disabled"),
        State(Memory.NAMES, "data"),
    )
    def show_plan(source, size, fitting, colour, background, parts, tick, still, names):
        from dash import ctx

        staged = services.staging.get(source_of(source))
        ticked = ctx.triggered_id == Memory.TICK
        if staged is None:
            if ticked:
                raise PreventUpdate
            return html.P(NOTHING, className="quiet"), True
        if ticked and not still:
            raise PreventUpdate  # what stands there is of these choices
        chosen = choices(staged.id, size, fitting, colour, background, parts)
        found = services.imports.preview(staged, chosen)
        return shown(staged, found, chosen, named(staged.id, names)), found.plan is None

    app.clientside_callback(
        ClientsideFunction("datasets", "close"),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Input(Ids.CLOSE, "n_clicks"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Ids.SAID, "children", allow_duplicate=True),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Ids.START, "n_clicks"),
        State(Memory.SOURCE, "data"),
        *(State(one.component_id, "value") for one in fits),
        State(Memory.PARTS, "data"),
        State(Memory.NAMES, "data"),
        State(Ids.NAME, "value"),
        State(Ids.TITLE, "value"),
        State(Ids.ABOUT, "value"),
        State(Ids.VERSION, "value"),
        prevent_initial_call=True,
        running=[(Output(Ids.START, "disabled"), True, False)],
    )
    def begin(clicks, source, size, fitting, colour, background, parts, names, name, title, about, version):
        staged = services.staging.get(source_of(source))
        if not clicks or staged is None:
            raise PreventUpdate
        chosen = choices(staged.id, size, fitting, colour, background, parts) | named(staged.id, names)
        try:
            services.imports.begin(
                staged, _text(name) or suggested(staged), chosen, title=_text(title), description=_text(about),
                new_version=version in (ANEW, MORE), add=version == MORE,
                intent=f"{staged.id}-{int(source.get('at') or 0)}"[:64],
            )  # fmt: skip
        except Refused as refused:
            return str(refused), no_update, no_update
        return None, None, time.time()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def suggested(staged: Staged) -> str:
    """A name for what becomes of it."""
    stem = re.sub(r"(\.tar)?\.[A-Za-z0-9]{1,8}$", "", staged.name.replace("\\", "/").rpartition("/")[2])
    return run_id_of(stem) or "pictures"


def shown(staged: Staged, found: Preview, chosen: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """A plan, or that it is being made, or why there is none."""
    if found.thinking:
        words = f"Looking at {staged.name}" + (f" · {found.seconds:.0f} s" if found.seconds >= 2 else "")
        return html.Div([html.P(words, role="status"), html.Progress(**{"aria-label": words})], className="thinking")
    if found.plan is None:
        said = [html.H3("This cannot be imported"), html.P(found.refused.replace(str(staged.place), staged.name))]
        if chosen:  # what was chosen may be why, and the fields for it went with the plan
            act = {"data-set-act": "look", "data-of": staged.id}
            said.append(button("Look at it as it was found", small=True, **act))
        return html.Div(said, className="face bad", role="alert")
    return plan_view.drawn(staged, found.plan, chosen, names)
