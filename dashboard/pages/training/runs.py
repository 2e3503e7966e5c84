"""Every run: how good, how sure, how large, how fast, and what people say of it."""

import math
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis.run_table import Row, Score, rows
from dashboard.components import badge, button, card, csv_link, plain, term_mark, whisker
from dashboard.components.icons import icon
from dashboard.components.panel import panel_callback, slot
from dashboard.format.numbers import duration, milliseconds, size
from dashboard.pages.training.memory import Memory
from dashboard.pages.training.run_rows import COLUMNS, DASH, MAX_NOTE_LENGTH, Column, chosen, day, mass, ordered
from dashboard.records.runs import RunMetadata
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts import kinds
from ml.artifacts.reader import Missing
from ml.publishing.run_archive import UPLOAD_BYTES
from ml.stats.intervals import wilson
from ml.system import trash
from ml.system.trash import KEPT_DAYS, Deleted
from ml.system.wording import quantity


class Ids(StrEnum):
    FACE = "training-runs-face"
    BODY = "training-runs-table"
    HELP = "training-runs-help"
    NOTICE = "training-runs-notice"
    UNDO = "training-runs-undo"
    FIND = "training-runs-find"
    TAGS = "training-runs-tags"
    ARCHIVED = "training-runs-archived"
    SORT = "training-runs-sort-state"  # {"by": a column's key, "down": bool}; written by assets/runs.js
    OPEN = "training-run-state"  # the run whose details are shown
    IMPORT = "training-runs-import"
    TAKEN = "training-import-state"  # what the server said of a file, written by assets/runs.js
    NAMING = "training-import-naming"
    NAME = "training-import-name"
    GONE = "training-runs-gone"


def layout(services: Services, selection: Selection) -> html.Article:
    tools = [
        button([icon("upload"), "Import"], id=Ids.IMPORT, small=True, **{"data-import": "", "title": _import_help()})
        if not services.read_only
        else None,
        csv_link("/export/runs.csv"),
    ]
    notice = html.Div(
        [
            html.Span(id=Ids.NOTICE, role="status"),
            button("Undo", id=Ids.UNDO, small=True, hidden=True),
        ],
        className="row-ff told",
    )
    naming = html.Div(
        [
            html.Label("Name here", htmlFor=Ids.NAME, className="label"),
            dbc.Input(id=Ids.NAME, value="", maxlength=64, autocomplete="off"),
            button("Import under this name", small=True, **{"data-import-again": ""}),
        ],
        id=Ids.NAMING,
        className="row-ff naming",
        hidden=True,
    )
    region = html.Div(
        plain.place(Ids.BODY),
        className="tablewrap runs",
        tabIndex="0",
        role="region",
        **{"aria-label": "Runs, scrollable"},
    )
    body = [
        notice,
        naming,
        _filters(),
        html.Div([slot(Ids.FACE), region]),
        html.Div(plain.place(Ids.GONE)),
        dcc.Store(id=Ids.SORT, storage_type="session"),
        dcc.Store(id=Ids.OPEN),
        dcc.Store(id=Ids.TAKEN),
    ]
    return card("Runs", html.Span("Accuracy on the test split with its 95 % interval.", id=Ids.HELP), body, tools=tools)


def _import_help() -> str:
    return f"Take in a run's zip, as Export makes it, up to {UPLOAD_BYTES // 10**6} MB"


def _filters() -> html.Div:
    keep = {"persistence": True, "persistence_type": "session"}
    find = dbc.Input(
        id=Ids.FIND, type="search", value="", debounce=250, maxlength=100, autocomplete="off",
        placeholder="Find a run, model, tag, note", **keep,
    )  # fmt: skip
    tags = dbc.Checklist(id=Ids.TAGS, options=[], value=[], inline=True, className="tagpick", **keep)
    archived = dbc.Checklist(
        id=Ids.ARCHIVED, options=[{"value": "yes", "label": "Show archived"}], value=[], className="checks", **keep
    )
    return html.Div(
        [
            html.Div([html.Label("Find runs", htmlFor=Ids.FIND, className="visually-hidden"), find], className="find"),
            html.Div(tags, role="group", className="tagpicks", **{"aria-label": "Only runs with these tags"}),
            archived,
        ],
        className="row-ff filters",
    )


def axis(rows: list[Row]) -> tuple[float, float]:
    """Ends of the common axis: the intervals' ends, rounded outwards to 2 % (10 % where they lie far apart)."""
    ends = [float(end) for row in rows if row.n for end in wilson(row.right, row.n)]
    if not ends:
        return 0.0, 1.0
    step = 0.02 if max(ends) - min(ends) <= 0.2 else 0.1
    low = max(math.floor(min(ends) / step + 1e-9) * step, 0.0)
    return low, min(math.ceil(max(ends) / step - 1e-9) * step, 1.0)


def _help(table_rows: list[Row], total: int) -> str:
    low, high = axis(table_rows)
    counts = sorted({row.n for row in table_rows if row.n})
    images = quantity(counts[0], "test image") if len(counts) == 1 else "the test images"
    shown = f"{len(table_rows)} of {quantity(total, 'run')}. " if len(table_rows) != total else ""
    return (
        f"{shown}Accuracy (of {images} named right) with its 95 % interval, on one axis from {100 * low:.0f} % to "
        f"{100 * high:.0f} %."
    )


def _table(table_rows: list[Row], sort: object, used: str | None, opened: object, selection: Selection) -> html.Table:
    ends = axis(table_rows)
    span = f"{100 * ends[0]:.0f} – {100 * ends[1]:.0f} %"
    head: list[Any] = []
    for column in COLUMNS:
        head.append(_header(column, sort))
        if column.key == "accuracy":
            head.append(html.Th(span, className="axis", scope="col"))
    head.append(html.Th(html.Span("Actions", className="visually-hidden"), scope="col"))
    body = [_line(row, ends, used, opened, selection) for row in table_rows]
    if not body:
        words = "No run is like this. Take a word or a tag away, or show archived runs."
        body = [html.Tr(html.Td(words, colSpan=len(head), className="quiet"))]
    return html.Table([html.Thead(html.Tr(head)), html.Tbody(body)])


def _header(column: Column, sort: object) -> html.Th:
    """A column's name as a button; assets/runs.js makes a click the next order."""
    by, down = (sort.get("by"), bool(sort.get("down"))) if isinstance(sort, dict) else (None, False)
    order = {"aria-sort": "descending" if down else "ascending"} if by == column.key else {}
    named = {"data-sort": column.key, "data-falling": str(column.falling).lower()}
    return html.Th(
        [
            html.Button(column.words, type="button", className="sorter", title=column.title or None, **named),
            term_mark(column.words),
        ],
        className="r" if column.right else None,
        scope="col",
        **order,
    )


def _line(row: Row, ends: tuple[float, float], used: str | None, opened: object, selection: Selection) -> html.Tr:
    cells: list[Any] = [html.Th(_name(row), scope="row")]
    accuracy = row.scores.get("accuracy")
    cells.append(html.Td(_percent(accuracy), className="r"))
    line = whisker(accuracy.value, accuracy.low or 0, accuracy.high or 1, ends) if accuracy else None
    cells.append(html.Td(line, className="axis"))
    cells += [html.Td(_percent(row.scores.get(name)), className="r") for name in ("macro_f1", "calibration_error")]
    manifest, made = row.manifest, row.made
    facts = (
        size(manifest["parameters"]) if manifest.get("parameters") is not None else DASH,
        mass(manifest.get("bytes")),
        f"{milliseconds(manifest['latency_ms'] / 1000)} ms" if manifest.get("latency_ms") else DASH,
        duration(manifest["training_seconds"]) if manifest.get("training_seconds") is not None else DASH,
    )
    cells += [html.Td(words, className="r") for words in facts]
    cells.append(html.Td(manifest.get("model", DASH)))
    cells.append(html.Td(day(made) if made else DASH, title=f"{made:%Y-%m-%d %H:%M}" if made else None))
    cells.append(html.Td(html.Div(_actions(row, used, selection), className="row-ff end"), className="r"))
    return html.Tr(cells, className="on" if row.run_id == opened else None)


def _name(row: Row) -> list[Any]:
    marks = [
        badge("default", "info") if row.default else None,
        badge(row.entry.state, "mute" if row.entry.pending else "bad") if not row.entry.ok else None,
        badge("archived", "mute") if row.mark.archived else None,
        badge("predictions alone", "mute") if row.manifest and not kinds.has(row.manifest, kinds.NETWORK) else None,
    ]
    more: list[Any] = []
    if row.mark.title:
        more.append(html.Span(row.run_id, className="mono"))
    more += [html.Span(tag, className="tag") for tag in row.mark.tags]
    if row.mark.note:
        note = " ".join(row.mark.note.split())
        more.append(html.Span(note[:MAX_NOTE_LENGTH], className="note", title=row.mark.note))
    if row.entry.reason:
        more.append(html.Span(row.entry.reason))
    if row.manifest and row.manifest.get("train_images") and not row.manifest["dataset"].get("complete", True):
        more.append(html.Span(f"trained on {row.manifest['train_images']:,} images"))
    if not row.pictures:
        words = f"the pictures of {row.manifest['dataset']['name']} are not here"
        more.append(html.Span([words, ": ", html.Code(row.back)] if row.back else words))
    name = html.Button(html.B(row.title), type="button", className="named", **_details(row))
    first = html.Span([name, *filter(None, marks)], className="first")
    return [first, html.Small(more, className="second")] if more else [first]


def _percent(score: Score | None) -> list[Any]:
    if score is None:
        return [html.Span(DASH, className="faint")]
    words: list[Any] = [html.B(f"{100 * score.value:.1f}")]
    if score.half is not None:
        interval = f"{100 * (score.low or 0):.2f} to {100 * (score.high or 0):.2f}"
        words.append(html.Small(f" ±{100 * score.half:.1f}", className="faint", title=f"95 % interval {interval}"))
    return words


def _details(row: Row) -> dict[str, str]:
    """What opens the drawer of the run: its button, and its name, which narrow windows show unscrolled."""
    return {"data-act": "details", "data-of": row.run_id}


def _actions(row: Row, used: str | None, selection: Selection) -> list[Any]:
    """Use and Details; each button's accessible name tells which run it means."""
    buttons: list[Any] = []
    if row.run_id == used:
        buttons.append(html.Span("in use", className="faint inuse"))
    elif row.entry.ok:
        there = {"data-search": selection.with_(run=row.run_id).query(), "aria-label": f"Use {row.title}"}
        buttons.append(html.Button("Use", type="button", className="btn-ff sm", **there))
    more = {"aria-label": f"Details of {row.title}", **_details(row)}
    buttons.append(html.Button("Details", type="button", className="btn-ff ghost sm", **more))
    return buttons


def _gone(deleted: list[Deleted], marks: RunMetadata, changes: bool) -> Any:
    """What can still be brought back."""
    if not deleted:
        return None
    lines = []
    for one in deleted:
        at, until = one.at.astimezone(), one.until.astimezone()
        name = marks.name(one.run_id)
        words = [html.B(name), html.Span(f"deleted {day(at)} {at:%H:%M}, kept until {day(until)}", className="faint")]
        act = {"data-act": "restore", "data-of": one.folder, "aria-label": f"Bring back {name}"}
        bring = html.Button("Bring back", type="button", className="btn-ff sm", **act) if changes else None
        lines.append(html.Li([html.Span(words, className="row-ff"), bring]))
    head = html.Summary(f"Deleted runs ({len(deleted)})")
    sentence = html.P(
        f"Kept for {KEPT_DAYS} days, then gone for good. Their names stay taken.", className="small quiet"
    )
    return html.Details([head, sentence, html.Ul(lines)], className="gone")


def register(app: Dash, services: Services) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        Output(Ids.HELP, "children"),
        Output(Ids.TAGS, "options"),
        Output(Ids.ARCHIVED, "options"),
        Input(Memory.TABLE, "data"),
        Input("url", "search"),
        Input(Ids.FIND, "value"),
        Input(Ids.TAGS, "value"),
        Input(Ids.ARCHIVED, "value"),
        Input(Ids.SORT, "data"),
        Input(Ids.OPEN, "data"),
        prevent_initial_call=True,
    )
    def list_runs(_state, search, words, tags, archived, sort, opened):
        everything = rows(services)
        if not everything:
            raise Missing("There is no run yet.", "python -m ml train --epochs 10")
        selection = Selection.parse(search)
        used = services.store.used(selection.run)
        table_rows = ordered(chosen(everything, words, tags, archived, used), sort)
        table = _table(table_rows, sort, used, opened, selection)
        names = sorted({tag for row in everything for tag in row.mark.tags}, key=str.casefold)
        hidden = sum(row.mark.archived for row in everything)
        return (
            table,
            _help(table_rows, len(everything)),
            [{"value": name, "label": name} for name in names],
            [{"value": "yes", "label": f"Show archived ({hidden})", "disabled": not hidden}],
        )

    @app.callback(plain.children(Ids.GONE), Input(Memory.TABLE, "data"), Input(Memory.ACTED, "data"))
    def list_deleted(_state, _acted):
        return _gone(services.registry.deleted(), services.store.marks(), not services.read_only)

    app.clientside_callback(
        ClientsideFunction("runs", "open"),
        Output(Ids.OPEN, "data"),
        Input(Memory.REQUEST, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(Ids.NOTICE, "children"),
        Output(Ids.UNDO, "hidden"),
        Output(Ids.NAMING, "hidden"),
        Output(Ids.NAME, "value"),
        Output(Memory.ACTED, "data", allow_duplicate=True),
        Input(Ids.TAKEN, "data"),
        prevent_initial_call=True,
    )
    def show_taken(report):
        if not isinstance(report, dict):
            raise PreventUpdate
        if isinstance(report.get("words"), str):  # what the script says of itself
            return report["words"][:300], True, True, no_update, no_update
        if report.get("field") == "name":
            return str(report.get("error"))[:300], True, False, str(report.get("free", ""))[:64], no_update
        if "error" in report:
            return str(report["error"])[:400], True, True, no_update, no_update
        run_id, needs = str(report.get("run"))[:64], str(report.get("needs") or "")[:64]
        words = f"{run_id} is here now."
        if needs:
            words += f" Its pictures, the data set {needs}, are not on this machine: panels that need them stay empty."
            back = trash.way_back(services.store.library.home, needs)
            words += f" They were put into the trash; to bring them back: {back}" if back else ""
        return words, True, True, "", str(report.get("at"))[:40]
