"""Made elsewhere: an ONNX file, or what a network predicted. You see what was understood before anything is made.

The file is opened by processes of its own alone; what is published stays, what was brought is thrown away after a week.
"""

import time
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, plain
from dashboard.components.icons import icon
from dashboard.components.panel import only
from dashboard.data import datasets
from dashboard.data.datasets import DataSet
from dashboard.pages.training import add_doctor, add_jobs, add_view
from dashboard.pages.training.add_memory import IDLE_MS, Ids, Memory, base_of, source_of, wishes_of
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.services.staging import Staged, gigabytes
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing
from ml.jobs.queue import Refused
from ml.people import acting

TITLE = "Add a network or predictions"
READ_ONLY = "This server shows runs and takes none (it was started with --read-only)."
ROLE = "Your role here may look at runs only: it takes the role train to add one."
NOTHING = "Nothing is being looked at. Bring a file, and what was understood of it stands here."
SHAPES = (
    ("A network as ONNX", "with its data file, where it has one: both at once", "net.onnx\nnet.onnx.data"),
    ("Predictions", "CSV, TSV, JSON lines, parquet or npz; labels, top lists or probabilities", (
        "path,cat,dog,fox\nimg/1.jpg,0.91,0.06,0.03\nimg/2.jpg,0.20,0.75,0.05")),
    ("Anything that carries code", "TorchScript, torch.export, Keras, a Python file: on the command line alone", (
        "python -m ml runs add NAME \\\n  --data D --network net.pt2")),
)  # fmt: skip
FINDABLE = 8  # data sets beyond which they are looked for
CLASSES = 6  # named in a line
WAITING = 4  # of what was brought, before the rest is folded


def layout(services: Services, selection: Selection) -> html.Article:
    """Where to drop, which data set, what was understood, and the button; or why nothing is taken here."""
    if services.read_only or not acting.may("import"):
        why = READ_ONLY if services.read_only else ROLE
        return card(TITLE, "", html.P(why, className="quiet", id="runs-add-closed"), id=Ids.CARD)
    stores = [dcc.Store(id=one) for one in Memory if one is not Memory.TICK]
    left = [_drop(), html.Div(id=Ids.FAR, role="status"), _dataset(services, selection), plain.place(Ids.WAITING)]
    right = [plain.place(Ids.BODY), plain.place(Ids.DOCTOR), *_form()]
    body = [
        dcc.Interval(id=Memory.TICK, interval=IDLE_MS),
        *stores,
        html.Div(
            [
                html.Div(left, className="bring"),
                html.Div(right, className="understood"),
            ],
            className="adding-parts",
        ),
        *add_jobs.layout(),
    ]
    return card(TITLE, __doc__, body, id=Ids.CARD)


def _drop() -> html.Div:
    words = (
        "ONNX with its data file, safetensors, files of a Hugging Face folder, or predictions as CSV, TSV, JSON lines, "
        "parquet or npz."
    )
    parts = [
        icon("upload"),
        html.B("Drop a network or predictions"),
        html.P(words, className="quiet small"),
        html.Div([button("Choose files", small=True, **{"data-choose": "files"})], className="row-ff"),
    ]
    about = {
        "aria-label": "Drop a network or predictions", "data-brings-to": Memory.SOURCE,
        "data-brings-changed": Memory.CHANGED, "data-brings-far": Ids.FAR, "data-brings-purpose": "run",
        "data-brings-kinds": "files",
    }  # fmt: skip
    return html.Div(parts, id=Ids.DROP, className="dropzone", role="group", **about)


def _dataset(services: Services, selection: Selection) -> html.Div:
    known = _known(services)
    find = dbc.Input(
        id=Ids.FIND, type="search", value="", debounce=250, maxlength=60, autocomplete="off",
        placeholder="Find a data set or a class",
    )  # fmt: skip
    hidden = len(known) <= FINDABLE
    first = _chosen(services, selection, known)
    return html.Div(
        [
            html.Label("Of which data set", htmlFor=Ids.DATASET, className="label"),
            html.Div([html.Label("Find", htmlFor=Ids.FIND, className="visually-hidden"), find], hidden=hidden),
            dbc.Select(id=Ids.DATASET, options=_options(known), value=first),
            html.P(id=Ids.ABOUT, className="quiet small"),
        ],
        className="field",
    )


def _form() -> list[Any]:
    name = html.Div(
        [
            html.Label("Name of the run", htmlFor=Ids.NAME, className="label"),
            dbc.Input(id=Ids.NAME, value="", maxlength=64, autocomplete="off", debounce=200),
            html.Small(id=Ids.NAMED, className="quiet", role="status"),
        ],
        className="field",
    )
    buttons = [
        button("Publish", id=Ids.START, kind="primary", disabled=True),
        button("Close", id=Ids.CLOSE, kind="ghost"),
        html.Span(id=Ids.SAID, className="bad small", role="alert"),
    ]
    return [html.Div([name, html.Div(buttons, className="row-ff")], id=Ids.FORM, className="form", hidden=True)]


def _known(services: Services) -> list[DataSet]:
    """Data sets whose pictures a run can be about."""
    return [
        one for one in datasets.listing(services.store.library, services.store.runs()) if one.here and not one.problem
    ]


def _chosen(services: Services, selection: Selection, known: list[DataSet]) -> str | None:
    """The one in the address, else that of the run in use."""
    names = [one.name for one in known]
    if selection.dataset in names:
        return selection.dataset
    entry = services.store.library.entry(services.store.used(selection.run) or "")
    used = entry.manifest["dataset"]["name"] if entry is not None and entry.ok else ""
    return used if used in names else next(iter(names), None)


def _options(known: list[DataSet]) -> list[dict[str, str]]:
    return [{"value": one.name, "label": f"{one.title} · {_size(one)}"} for one in known]


def _size(one: DataSet) -> str:
    height, width, channels = one.shape
    return f"{len(one.classes):,} classes, {height} × {width} {'colour' if channels == 3 else 'gray'}"


def register(app: Dash, services: Services) -> None:
    if services.read_only:
        return
    add_jobs.register(app, services)
    _register_dataset(app, services)
    _register_look(app, services)
    add_doctor.register(app, services)
    _register_start(app, services)


def _register_dataset(app: Dash, services: Services) -> None:
    @app.callback(
        Output(Ids.DATASET, "options"),
        Output(Ids.DATASET, "value"),
        Input(Ids.FIND, "value"),
        State(Ids.DATASET, "value"),
        prevent_initial_call=True,
    )
    def find_dataset(words: object, now: object):
        wanted = words.casefold().split() if isinstance(words, str) else []
        known = _known(services)
        found = [
            one for one in known
            if all(word in " ".join((one.name, one.title, *one.classes)).casefold() for word in wanted)
        ]  # fmt: skip
        names = [one.name for one in found]
        return _options(found), now if now in names else next(iter(names), None)

    @app.callback(Output(Ids.ABOUT, "children"), Input(Ids.DATASET, "value"))
    def describe_dataset(name: object):
        one = _one(services, name)
        if one is None:
            return "No data set is called so." if not name else "This data set is not here any more."
        first = ", ".join(one.classes[:CLASSES])
        more = f" and {len(one.classes) - CLASSES:,} more" if len(one.classes) > CLASSES else ""
        counts = ((split, one.counts.get(split)) for split in ("test", "validation"))
        judged = " and ".join(f"{n:,} of {split}" for split, n in counts if n)
        return f"{first}{more}. A run is judged on {judged}."


def _one(services: Services, name: object) -> DataSet | None:
    try:
        one = datasets.one(services.store.library, name, services.store.runs())
    except Missing:
        return None
    return None if one.problem else one


def _register_look(app: Dash, services: Services) -> None:
    @app.callback(
        Output(Ids.FORM, "hidden"),
        Output(Ids.NAME, "value"),
        Output(Ids.SAID, "children"),
        Output(Memory.WISHES, "data"),
        Input(Memory.SOURCE, "data"),
        prevent_initial_call=True,
    )
    def begin_anew(source: object):
        staged = services.adding.brought(source_of(source))
        if staged is None:
            return True, "", None, None
        return False, services.adding.free(services.adding.stem(staged), services.registry.names()), None, None

    @app.callback(
        plain.children(Ids.BODY),
        Output(Ids.START, "disabled"),
        Output(Memory.SHOWN, "data"),
        Input(Memory.SOURCE, "data"),
        Input(Ids.DATASET, "value"),
        Input(Memory.WISHES, "data"),
        Input(Memory.TICK, "n_intervals"),
        State(Memory.SHOWN, "data"),
    )
    def show_understood(source: object, dataset: object, wishes: object, _tick: int | None, shown: object):
        ticked = only(Memory.TICK)
        staged = services.adding.brought(source_of(source)) if acting.may("import") else None
        if staged is None:
            if ticked and shown == []:
                raise PreventUpdate
            return examples(), True, []
        one = _one(services, dataset)
        if one is None:
            return html.P("Choose the data set that it is about.", className="quiet"), True, None
        said = wishes_of(staged.id, wishes)
        key = [staged.id, services.adding.key(one.name, said)]
        if ticked and shown == key:
            raise PreventUpdate
        looked = services.adding.look(staged, one.name, said)
        left = f"/export/brought/{staged.id}/{services.adding.key(one.name, said)}.csv"
        drawn = add_view.drawn(staged, looked, one.classes, one.shape[2], said, left)
        whole = looked.answer is not None or bool(looked.problem)
        return drawn, not (looked.answer or {}).get("found"), key if whole else None

    @app.callback(
        Output(Ids.NAMED, "children"),
        Output(Ids.NAMED, "className"),
        Input(Ids.NAME, "value"),
        Input(Memory.JOBS, "data"),
    )
    def check_name(name: object, _jobs: object):
        words = name if isinstance(name, str) else ""
        if not words.strip():
            return "", "quiet"
        try:
            called = services.adding.named(words, services.registry.names())
        except Refused as refused:
            return str(refused), "bad"
        return (f"In addresses it is {called}." if called != words else "This name is free."), "quiet"


def _register_start(app: Dash, services: Services) -> None:
    app.clientside_callback(
        ClientsideFunction("adding", "close"),
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
        State(Ids.DATASET, "value"),
        State(Memory.WISHES, "data"),
        State(Ids.NAME, "value"),
        prevent_initial_call=True,
        running=[(Output(Ids.START, "disabled"), True, False)],
    )
    def start_adding(clicks: int | None, source: Any, dataset: object, wishes: object, name: object):
        staged = services.adding.brought(source_of(source))
        if not clicks or staged is None:
            raise PreventUpdate
        said = wishes_of(staged.id, wishes)
        try:
            services.adding.begin(
                staged, name if isinstance(name, str) and name.strip() else services.adding.stem(staged), str(dataset),
                said, base=base_of(staged.id, wishes, said), taken=services.registry.names(),
                datasets=[one.name for one in _known(services)],
                intent=f"{staged.id}-{int(source.get('at') or 0)}"[:64],
            )  # fmt: skip
        except Refused as refused:
            return str(refused), no_update, no_update
        return None, None, time.time()

    @app.callback(
        Output(Ids.SAID, "children", allow_duplicate=True),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Memory.ASKED, "data"),
        State(Memory.SOURCE, "data"),
        prevent_initial_call=True,
    )
    def act(asked: object, source: object):
        what, of = (asked.get("act"), asked.get("of")) if isinstance(asked, dict) else (None, None)
        if not isinstance(of, str) or what not in ("look", "drop"):
            raise PreventUpdate
        if what == "look":
            return None, {"id": of, "at": time.time()}, no_update
        try:
            services.staging.remove(of)
        except Declined as declined:
            return str(declined), no_update, time.time()
        return None, None if source_of(source) == of else no_update, time.time()

    @app.callback(
        plain.children(Ids.WAITING),
        Input(Memory.SOURCE, "data"),
        Input(Memory.CHANGED, "data"),
        Input(Memory.JOBS, "data"),
    )
    def list_waiting(_source: object, _changed: object, _jobs: object):
        return waiting(services)


def examples() -> html.Div:
    """What stands there before anything is brought."""
    shapes = [
        html.Figure([html.Figcaption([html.B(words), html.Small(more, className="quiet")]), html.Pre(drawing)])
        for words, more, drawing in SHAPES
    ]
    return html.Div([html.P(NOTHING, className="quiet"), html.Div(shapes, className="shapes")])


def waiting(services: Services) -> list[Any]:
    """What was brought and is not a run yet; what failed can be looked at anew."""
    if not acting.may("import"):
        return []
    added = {job.spec.get("upload") for job in services.adding.jobs() if job.state in ("queued", "running", "done")}
    lines = [_line(one) for one in services.adding.listing() if one.id not in added]
    if not lines:
        return []
    shown: list[Any] = [html.H3("Brought, not added yet"), html.Ul(lines[:WAITING], className="brought")]
    if more := lines[WAITING:]:
        rest = [html.Summary(f"{len(more):,} more"), html.Ul(more, className="brought")]
        shown.append(html.Details(rest, className="more-brought"))
    return shown


def _line(one: Staged) -> html.Li:
    words = gigabytes(one.size)
    if not one.whole:
        words = f"{gigabytes(one.offset)} of {words} here: choose the same again, and it goes on"

    def asks(act: str, said: str, kind: str = "") -> html.Button:
        about = {"data-adding-act": act, "data-of": one.id, "aria-label": f"{said}: {one.name}"}
        return button(said, small=True, kind=kind, **about)

    said = html.Span([html.B(one.name), html.Small(words, className="quiet")], className="named")
    ways = [asks("look", "Look at it") if one.whole else None, asks("drop", "Remove", "ghost")]
    return html.Li([said, html.Span(ways, className="row-ff")])
