"""What was understood, before anything is written. Change what is wrong, then import.

A change of how pictures are read or fitted is looked at anew; names and order of classes are taken as they stand here.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, plain
from dashboard.components.panel import only
from dashboard.pages.data import plan_view
from dashboard.pages.data.memory import Memory, source_of
from dashboard.services.container import Services
from dashboard.services.imports import Preview, on_screen
from dashboard.services.staging import Staged
from dashboard.state.selection import Selection
from ml.artifacts.identity import run_id_of
from ml.images.fitting import RESAMPLING
from ml.jobs.queue import Refused
from ml.people import acting

NOTHING = "Nothing is being looked at. Bring something, and what was understood of it stands here."
SHAPES = (
    ("A folder for each class", "train, val and test above or below it, or none", (
        "pets/\n├─ cat/\n│  ├─ 1.jpg\n│  └─ 2.png\n├─ dog/\n│  └─ 3.jpg\n└─ unlabelled/\n   └─ 4.jpg")),
    ("A table beside its pictures", "CSV, TSV, JSON lines or parquet; a split if it says one", (
        "pets.zip\n├─ labels.csv\n│    file,label,split\n│    1.jpg,cat,train\n│    3.jpg,dog,test\n└─ images/\n"
        "   └─ 1.jpg, 3.jpg …")),
    ("One file of everything", "what libraries and tools for labelling write", (
        "pets.npz\n   x_train, y_train …\npets.parquet\n   image, label\npets-0000.tar\n   1.jpg, 1.cls …\n"
        "train-images.idx\n   train-labels.idx")),
)  # fmt: skip
NEW, ANEW, MORE = "new", "version", "add"
VERSIONS = {NEW: "a new data set", ANEW: "a new version of the one of this name", MORE: "more pictures of that one"}


REVIEWED = (
    "Labels decided on Review stay with the version that stands: a new version, or one with more pictures, has "
    "those of what you bring. Export it with labels as reviewed first to have them in the next."
)


class Ids(StrEnum):
    BODY = "data-preview"
    FORM = "data-preview-form"
    SIZE = "data-size-select"
    FITTING = "data-fitting-select"
    COLOUR = "data-colour-select"
    BACKGROUND = "data-background-select"
    RESAMPLING = "data-resampling-select"
    TURNED = "data-turned-select"
    VALIDATION = "data-validation-select"
    TEST = "data-test-select"
    NAME = "data-name-input"
    TITLE = "data-title-input"
    ABOUT = "data-description-input"
    VERSION = "data-version-select"
    START = "data-import-start"
    SAID = "data-import-said"
    CLOSE = "data-preview-close"


AUTO = "auto"  # nothing chosen
SIDES = (8, 16, 28, 32, 48, 64, 96, 128, 160, 224, 320, 512)
SHARES = {"auto": ("10 %", None), **{f"{n}": (f"{n} %", n / 100) for n in (5, 15, 20, 25, 30)}}


@dataclass(frozen=True)
class Choice:
    """A select: its id and label, what of ml.data.importing.Choices it decides, and value → (words, choice)."""

    id: str
    words: str
    name: str
    options: Mapping[str, tuple[str, Any]]


FITS = (
    Choice(Ids.SIZE, "Size", "size", {
        AUTO: ("as suggested", None), **{f"{n}x{n}": (f"{n} × {n}", [n, n]) for n in SIDES}}),
    Choice(Ids.FITTING, "Fit", "fitting", {
        AUTO: ("as suggested", None), "pad": ("letterbox: whole, with a margin", "pad"),
        "crop": ("centre crop: no margin, edges are cut", "crop"),
        "stretch": ("stretch: whole, proportions change", "stretch")}),
    Choice(Ids.COLOUR, "Colour", "colour", {
        AUTO: ("as suggested", None), "colour": ("colour, 3 channels", True), "gray": ("gray, 1 channel", False)}),
    Choice(Ids.BACKGROUND, "Behind and around", "background", {
        AUTO: ("as suggested", None), "#ffffff": ("white", "#ffffff"), "#808080": ("mid gray", "#808080"),
        "#000000": ("black", "#000000")}),
    Choice(Ids.RESAMPLING, "Resampling", "resampling", {
        AUTO: ("Lanczos", None), **{one: (one, one) for one in RESAMPLING if one != "lanczos"}}),
    Choice(Ids.TURNED, "Rows and columns of arrays", "turned", {
        AUTO: ("as suggested", None), "no": ("as they stand", False), "yes": ("the other way round", True)}),
    Choice(Ids.VALIDATION, "Drawn for validation", "validation", SHARES),
    Choice(Ids.TEST, "Drawn for test", "test", SHARES),
)  # fmt: skip


def layout(services: Services, selection: Selection) -> html.Article | html.Div:
    """The face without a source; then facts, choices, classes with their first pictures, and the button."""
    if services.read_only or not acting.may("dataset"):
        return html.Div(hidden=True)
    selects = [_select(one.id, one.words, [(v, words) for v, (words, _) in one.options.items()]) for one in FITS]
    usual, seldom = selects[:4], selects[4:]
    fit = html.Div(
        [
            html.Div(usual, className="fits"),
            html.Details([html.Summary("More"), html.Div(seldom, className="fits")], className="more"),
        ]
    )
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
            html.P(REVIEWED, className="faint small"),
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


def examples() -> html.Div:
    """What stands here before anything is brought: three of the shapes a data set can have."""
    shapes = [
        html.Figure([html.Figcaption([html.B(words), html.Small(more, className="quiet")]), html.Pre(drawing)])
        for words, more, drawing in SHAPES
    ]
    return html.Div([html.P(NOTHING, className="quiet"), html.Div(shapes, className="shapes")])


def choices(staged_id: str, values: Sequence[object], parts: object) -> dict[str, Any]:
    """What was chosen, as ml.data.importing.Choices reads it; whatever the browser sends. values: of FITS."""
    chosen: dict[str, Any] = {}
    for one, value in zip(FITS, values, strict=True):
        choice = one.options[value][1] if isinstance(value, str) and value in one.options else None
        if choice is not None:
            chosen[one.name] = choice
    if isinstance(parts, dict) and parts.get("of") == staged_id:
        for name in ("splits", "columns"):
            if found := _texts(parts.get(name)):
                chosen[name] = found
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
    fits = [Input(one.id, "value") for one in FITS]
    many = len(fits)

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
            return True, *[no_update] * (many + 4), None, None, None
        return False, *[AUTO] * many, suggested(staged), "", "", NEW, None, None, None

    @app.callback(
        plain.children(Ids.BODY),
        Output(Ids.START, "disabled"),
        Output(Memory.SHOWN, "data"),
        Input(Memory.SOURCE, "data"),
        *fits,
        Input(Memory.PARTS, "data"),
        Input(Memory.TICK, "n_intervals"),
        State(Memory.SHOWN, "data"),
        State(Memory.NAMES, "data"),
    )
    def show_plan(source: object, *more: Any):
        values, (parts, _tick, before, names) = more[:many], more[many:]
        staged = services.staging.get(source_of(source))
        ticked = only(Memory.TICK)
        if staged is None:
            if ticked and before == []:
                raise PreventUpdate
            return examples(), True, []
        chosen = choices(staged.id, values, parts)
        key = [staged.id, chosen]
        if ticked and before == key:
            raise PreventUpdate  # what stands there is of these choices
        found = services.imports.preview(staged, chosen)
        drawn = shown(staged, found, chosen, named(staged.id, names))
        return drawn, found.plan is None, None if found.thinking else key

    _register_start(app, services)


def _register_start(app: Dash, services: Services) -> None:
    """What the buttons below do: begin the import of what stands there, or look at it no longer."""
    many = len(FITS)

    app.clientside_callback(
        ClientsideFunction("datasets", "close"),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Input(Ids.CLOSE, "n_clicks"),
        prevent_initial_call=True,
    )

    app.clientside_callback(
        ClientsideFunction("datasets", "begun"),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Input(Memory.BEGUN, "data"),
        State(Memory.SOURCE, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Ids.SAID, "children", allow_duplicate=True),
        Output(Memory.BEGUN, "data"),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Ids.START, "n_clicks"),
        State(Memory.SOURCE, "data"),
        *(State(one.id, "value") for one in FITS),
        State(Memory.PARTS, "data"),
        State(Memory.NAMES, "data"),
        State(Ids.NAME, "value"),
        State(Ids.TITLE, "value"),
        State(Ids.ABOUT, "value"),
        State(Ids.VERSION, "value"),
        prevent_initial_call=True,
        running=[(Output(Ids.START, "disabled"), True, False)],
    )
    def begin(clicks: int | None, source: Any, *more: Any):
        values, (parts, names, name, title, about, version) = more[:many], more[many:]
        staged = services.staging.get(source_of(source))
        if not clicks or staged is None:
            raise PreventUpdate
        chosen = choices(staged.id, values, parts) | named(staged.id, names)
        try:
            services.imports.begin(
                staged, _text(name) or suggested(staged), chosen, title=_text(title), description=_text(about),
                new_version=version in (ANEW, MORE), add=version == MORE,
                intent=f"{staged.id}-{int(source.get('at') or 0)}"[:64],
            )  # fmt: skip
        except Refused as refused:
            return str(refused), no_update, no_update
        return None, staged.id, time.time()


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
        words = on_screen(found.refused).replace(str(staged.place), staged.name)
        said = [html.H3("This cannot be imported"), html.P(words)]
        if found.tables:
            said[0] = html.H3("Say what the columns hold")
            said.append(plan_view.asked(staged, found.tables, chosen))
        elif chosen:  # what was chosen may be why, and the fields for it went with the plan
            act = {"data-set-act": "look", "data-of": staged.id}
            said.append(button("Look at it as it was found", small=True, **act))
        return html.Div(said, className="face bad", role="alert")
    return plan_view.drawn(staged, found.plan, chosen, names)
