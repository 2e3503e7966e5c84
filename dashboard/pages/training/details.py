"""One run: its numbers, what people say of it, its model card, and what can be done with it."""

import re
from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis.run_table import Row
from dashboard.components import badge, button, plain
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.format.numbers import clock, duration, milliseconds
from dashboard.pages.training import run_changes, runs
from dashboard.pages.training.memory import Memory
from dashboard.pages.training.run_changes import FIELDS, HISTORY, Ids, error_id, row_of
from dashboard.pages.training.run_rows import DASH, mass
from dashboard.records.runs import NOTE, REASON, TITLE, Promotion, RunMetadata
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts import kinds
from ml.artifacts.reader import Broken, Missing
from ml.stats.intervals import wilson
from ml.system.wording import quantity
from ml.training import wording

SETTINGS = 6  # of a script, that are in sight


def layout(services: Services, selection: Selection, engines: html.Div) -> html.Aside:
    """Closed; assets/runs.js opens it when a run's details are asked for."""
    fixed = services.read_only
    close = button(
        icon("close"), id=Ids.CLOSE, kind="icon ghost", small=True, **{"aria-label": "Close", "data-close": ""}
    )
    form = [
        _field("title", "Name", dbc.Input(id=Ids.TITLE, value="", maxlength=TITLE, autocomplete="off", disabled=fixed)),
        _field(
            "tags",
            "Tags",
            dbc.Input(id=Ids.TAGS, value="", maxlength=400, autocomplete="off", disabled=fixed),
            "words with commas between",
        ),
        _field("note", "Note", dbc.Textarea(id=Ids.NOTE, value="", maxlength=NOTE, rows=3, disabled=fixed)),
    ]
    saving = html.Div(
        [
            button("Save", id=Ids.SAVE, kind="primary", hidden=fixed),
            html.Span(id=Ids.STATUS, className="small quiet", role="status"),
            button("Undo", id=Ids.UNDO, small=True, hidden=True),
        ],
        className="row-ff",
    )
    promote = html.Div(
        [
            _field(
                "reason",
                "Why it shall be the default",
                dbc.Input(id=Ids.REASON, value="", maxlength=REASON, autocomplete="off", disabled=fixed),
            ),
            button("Make it the default", id=Ids.PROMOTE),
        ],
        id=Ids.PROMOTE_BOX,
        className="form",
        hidden=True,
    )
    showing = {"aria-expanded": "false", "aria-controls": Ids.CARD}
    card = [
        html.H3("Model card"),
        html.Div(
            [
                button("Show it", id=Ids.CARD_BUTTON, small=True, **showing),
                html.A([icon("download"), "Markdown"], id=Ids.CARD_FILE, className="btn-ff sm", target="_self"),
            ],
            className="row-ff",
        ),
        html.Div(
            id=Ids.CARD, className="cardtext", tabIndex="0", role="region", hidden=True, **{"aria-label": "Model card"}
        ),
    ]
    body = [
        html.Div(plain.place(Ids.FACTS)),
        html.Div([*form, saving], className="form"),
        html.Div([html.H3("Default"), html.Div(plain.place(Ids.DEFAULT)), promote], className="form"),
        html.Div(card, className="form cardbox"),
        engines,
    ]
    foot = [
        html.Span(id=Ids.LINKS, className="row-ff"),
        button("Archive", id=Ids.ARCHIVE, hidden=True),
        button("Delete", id=Ids.DELETE, kind="danger", hidden=True),
    ]
    return html.Aside(
        [
            html.Header([html.Div(id=Ids.HEAD), html.Div(close)]),
            slot(Ids.FACE),
            html.Div(body, id=Ids.BODY, className="body", tabIndex="0", role="group", **{"aria-label": "Run details"}),
            html.Footer(foot),
            dcc.Store(id=Ids.LAST),
            dcc.Store(id=Ids.SAVED),
        ],
        id=Ids.DRAWER,
        className="drawer",
        **{"aria-label": "Run"},
    )


def _field(name: str, words: str, control: Any, limit: str = "") -> html.Div:
    return html.Div(
        [
            html.Label(words, htmlFor=FIELDS[name]),
            control,
            html.Small(limit) if limit else None,
            html.Small(id=error_id(name), className="bad", role="alert"),
        ],
        className="field",
    )


def facts(row: Row, changes: bool) -> list[Any]:
    """Numbers with n and intervals, and how the run came about."""
    if not row.entry.ok:
        return [html.P(["This run cannot be used: ", row.entry.reason, "."], className="quiet")]
    manifest, machine = row.manifest, row.manifest["machine"]
    lines: list[tuple[str, Any]] = []
    for split, result in manifest["results"].items():
        if split in ("test", "validation"):
            low, high = (float(end) for end in wilson(result["correct"], result["n"]))
            share = f"{100 * result['correct'] / result['n']:.2f} %"
            lines.append(
                (f"Accuracy, {split}", [html.B(share), f" {100 * low:.2f} – {100 * high:.2f}, n {result['n']:,}"])
            )
    for name, metric in (("Macro-F1, test", "macro_f1"), ("ECE, test", "calibration_error")):
        score = row.scores.get(metric)
        if score is not None:
            ends = "" if score.half is None else f" {100 * (score.low or 0):.2f} – {100 * (score.high or 0):.2f}"
            lines.append((name, [html.B(f"{100 * score.value:.2f} %"), f"{ends}, n {row.n:,}"]))
    lines += _origin(manifest)
    if told := manifest.get("settings"):
        lines.append(("Settings told", _settings(told)))
    lines += [
        ("Machine", f"{machine['processor']}, {quantity(machine['threads'], 'thread')}"),
        ("Made", f"{row.made:%Y-%m-%d %H:%M}" if row.made else DASH),
    ]  # fmt: skip
    if row.entry.shipped:
        lines.append(("Comes from", "ships with the app: it can be archived, not deleted"))
    elif isinstance(manifest.get("imported"), dict):
        lines.append(("Comes from", f"a file, where it was {str(manifest['imported'].get('run_id'))[:64]}"))
    pairs = [part for name, words in lines for part in (html.Dt(name), html.Dd(words))]
    copy = {"data-act": "copy", "data-of": f"run:{row.run_id}", "title": "Fill the form with this run's settings"}
    trained = kinds.has(manifest, kinds.TRAINING)
    again = html.Button("Copy settings", type="button", className="btn-ff sm", **copy) if changes and trained else None
    return [html.Dl(pairs, className="facts"), again]


def _settings(told: Mapping[str, Any]) -> Any:
    """What a script trained with, the first few in sight."""
    words = [f"{wording.label(name).lower()} {wording.text(name, value)}" for name, value in told.items()]
    if len(words) <= SETTINGS + 2:
        return ", ".join(words)
    more = f"{', '.join(words[:SETTINGS])} and {len(words) - SETTINGS} more"
    return html.Details([html.Summary(more), ", ".join(words[SETTINGS:])])


def _origin(manifest: dict[str, Any]) -> list[tuple[str, Any]]:
    """Network, data and training; of predictions alone, where they come from and what of them could be used."""
    title = manifest["dataset"]["title"]
    if not kinds.has(manifest, kinds.NETWORK):
        source = manifest.get("source") or {}
        names = {
            "probabilities": "probabilities of all classes",
            "top-k": "the likeliest classes",
            "labels": "labels alone",
        }
        said = [names[kinds.known(manifest)], *(["feature vectors"] if kinds.has(manifest, "features") else [])]
        lines = [("Predictions alone", f"{' and '.join(said)}, no network"), ("Data", title)]
        if script := (manifest.get("published") or {}).get("script"):
            lines.append(("Published by", str(script)[:120]))
        else:
            lines.append(("File", ", ".join(str(name)[:80] for name in list(source.get("files", {}))[:3]) or DASH))
        left = source.get("left_out", {})
        count = f"{source.get('matched', 0):,} matched, {source.get('unmatched', 0):,} left out"
        reasons = [f"{reason}: {', '.join(map(str, names[1:4]))}" for reason, names in list(left.items())[:3]]
        return [*lines, ("Rows", "; ".join([count, *reasons]))]
    latency = manifest.get("latency_ms")
    looks = ", mirrored answers" if (manifest.get("model_config") or {}).get("mirrored") else ""
    lines = [
        ("Network", f"{manifest['model']}, {manifest['parameters']:,} parameters{looks}"),
        ("Weights", mass(manifest.get("bytes"))),
        ("One image", f"{milliseconds(latency / 1000)} ms, median of one thread" if latency else DASH),
    ]
    if not kinds.has(manifest, kinds.TRAINING):
        source = manifest.get("source") or {}
        files = ", ".join(str(name)[:80] for name in list(source.get("files", {}))[:3]) or DASH
        how = "; ".join(str(line)[:200] for line in source.get("understood", [])[:8]) or DASH
        return [*lines, ("Data", title), ("Made elsewhere", files), ("Asked so", how)]
    config = manifest["config"]
    spent = f"{duration(manifest['training_seconds'])}, {quantity(config['epochs'], 'epoch')}"
    return [
        *lines,
        ("Data", f"{title}, {manifest['train_images']:,} training images"),
        ("Trained", f"{spent}, seed {config['seed']}"),
    ]


def default(row: Row, history: list[Promotion], marks: RunMetadata) -> list[Any]:
    """Whether the run is what opens when an address names none, and how that came about."""
    last = history[0] if history else None
    parts: list[Any] = []
    if row.default and last is not None and last.run_id == row.run_id:
        when = clock(last.at)
        parts.append(html.P([f"The default since {when}: ", html.Q(last.reason)], className="small"))
    elif row.default:
        parts.append(html.P("The default: what opens when an address names no run.", className="small"))
    else:
        words = "What opens when an address names no run. Choose on validation, never on test."
        parts.append(html.P(words, className="small quiet"))
    if history:
        lines = [
            html.Li(
                [
                    html.B(marks.title(one.run_id) if one.run_id else "what ships"),
                    f" {clock(one.at)}{f', by {one.who}' if one.who else ''}: {one.reason}",
                ]
            )
            for one in history[:HISTORY]
        ]
        parts.append(html.Details([html.Summary("Every default until now"), html.Ul(lines)], className="small"))
    return parts


def links(row: Row, services: Services, selection: Selection) -> list[Any]:
    """Use, compare and export."""
    if not row.entry.ok:
        return []
    used = services.store.used(selection.run)
    parts: list[Any] = [html.Span("in use", className="faint inuse")]
    if row.run_id != used:
        there = selection.with_(run=row.run_id).query()
        parts = [button("Use", kind="primary", search=there, title="Every page shows this run")]
    other = used if used != row.run_id else services.store.default_run()
    if other is not None and other != row.run_id:
        there = selection.here().with_(run=row.run_id, against=other).query()
        parts.append(button("Compare", search=there, path="/comparison", title=f"With {other}, side by side"))
    parts.append(
        html.A([icon("download"), "Zip"], href=f"/export/runs/{row.run_id}.zip", className="btn-ff", download="",
               target="_self", title="Export the run as one file", **{"aria-label": "Export as zip"})
    )  # fmt: skip
    return parts


def card(services: Services, run_id: str) -> list[Any]:
    """The model card, its headings two levels down."""
    try:
        text = services.registry.card(run_id)
    except (Missing, Broken) as problem:
        return [html.P(str(problem), className="quiet")]
    below = re.sub(r"^(#+) ", r"##\1 ", text, flags=re.MULTILINE)
    return [dcc.Markdown(below, link_target="_blank")]


def register(app: Dash, services: Services) -> None:
    app.clientside_callback(
        ClientsideFunction("runs", "slide"), Output(Ids.DRAWER, "className"), Input(runs.Ids.OPEN, "data")
    )

    app.clientside_callback(
        ClientsideFunction("runs", "close"),
        Output(runs.Ids.OPEN, "data", allow_duplicate=True),
        Input(Ids.CLOSE, "n_clicks"),
        prevent_initial_call=True,
    )

    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.HEAD, "children"),
        plain.children(Ids.FACTS),
        plain.children(Ids.DEFAULT),
        Output(Ids.PROMOTE_BOX, "hidden"),
        Output(Ids.LINKS, "children"),
        Output(Ids.CARD_FILE, "href"),
        Output(Ids.ARCHIVE, "children"),
        Output(Ids.ARCHIVE, "hidden"),
        Output(Ids.DELETE, "hidden"),
        Input(runs.Ids.OPEN, "data"),
        Input(Memory.TABLE, "data"),
        Input("url", "search"),
        prevent_initial_call=True,
    )
    def draw_run(opened, _state, search):
        row = row_of(services, opened)
        marks = services.store.marks()
        changes = not services.read_only
        head = [html.B(row.title), html.Span(f" {row.run_id}", className="faint mono") if row.mark.title else None]
        if row.mark.archived:
            head.append(badge("archived", "mute"))
        return (
            head,
            facts(row, not services.read_only),
            default(row, services.records.promotions(), marks),
            not (changes and row.entry.ok and not row.default),
            links(row, services, Selection.parse(search)),
            f"/export/runs/{row.run_id}.md",
            "Bring back" if row.mark.archived else "Archive",
            not changes,
            not changes or row.entry.shipped,
        )

    @app.callback(
        *(Output(id, "value") for id in FIELDS.values()),
        Output(Ids.CARD, "hidden"),
        Output(Ids.CARD, "children"),
        Output(Ids.CARD_BUTTON, "children"),
        Output(Ids.CARD_BUTTON, "aria-expanded"),
        Input(runs.Ids.OPEN, "data"),
        Input(Ids.SAVED, "data"),
        Input(Ids.CARD_BUTTON, "n_clicks"),
        State(Ids.CARD, "hidden"),
        prevent_initial_call=True,
    )
    def fill_fields(opened, _saved, _clicks, folded):
        if not isinstance(opened, str):
            raise PreventUpdate
        if ctx.triggered_id == Ids.CARD_BUTTON:
            if not folded:
                return (*(no_update,) * 4, True, None, "Show it", "false")
            return (*(no_update,) * 4, False, card(services, opened), "Hide it", "true")
        mark = services.store.marks().of(opened)
        fresh = (True, None, "Show it", "false") if ctx.triggered_id == runs.Ids.OPEN else (no_update,) * 4
        return mark.title or opened, ", ".join(mark.tags), mark.note, "", *fresh

    run_changes.register(app, services)
