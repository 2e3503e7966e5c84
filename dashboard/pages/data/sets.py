"""Every data set that is here. Deleting moves one to the trash for 30 days; runs that learned from it stay.

Runs keep their numbers, and show their pictures again once it is brought back.
"""

import time
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, card, column_head, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data import datasets
from dashboard.data.datasets import DataSet
from dashboard.pages.data.memory import Memory, source_of
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.services.datasets import KEPT_DAYS, Deleted
from dashboard.services.staging import gigabytes
from dashboard.state.selection import Selection
from ml.jobs.queue import Refused
from ml.people import acting


class Ids(StrEnum):
    FACE = "data-sets-face"
    BODY = "data-table"
    SAID = "data-sets-said"
    UNDO = "data-sets-undo"
    GONE = "data-sets-gone"


def layout(services: Services, selection: Selection) -> html.Article:
    told = html.Div(
        [
            html.Span(id=Ids.SAID, role="status"),
            button("Undo", id=Ids.UNDO, small=True, hidden=True, **{"data-set-act": "restore", "data-of": ""}),
        ],
        className="row-ff told",
    )
    region = html.Div(
        plain.place(Ids.BODY),
        className="tablewrap",
        tabIndex="0",
        role="region",
        **{"aria-label": "Data sets, scrollable"},
    )
    return card("Data sets", __doc__, [told, slot(Ids.FACE, "Reading data sets"), region, plain.place(Ids.GONE)],
                tools=csv_link("/export/datasets.csv"))  # fmt: skip


def register(app: Dash, services: Services) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        plain.children(Ids.BODY),
        plain.children(Ids.GONE),
        Input("url", "search"),
        Input(Memory.CHANGED, "data"),
        Input(Memory.JOBS, "data"),
    )
    def list_sets(search: str | None, _changed: object, _jobs: object):
        selection = Selection.parse(search)
        found = datasets.listing(services.store.library, services.store.runs())
        return table(services, found, selection), gone(services.datasets.deleted(), acting.may("delete"))

    if services.read_only:
        return

    @app.callback(
        Output(Ids.SAID, "children"),
        Output(Ids.UNDO, "hidden"),
        Output(Ids.UNDO, "data-of"),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Input(Memory.ASKED, "data"),
        State(Memory.SOURCE, "data"),
        prevent_initial_call=True,
    )
    def act(asked: object, source: object):
        what = asked.get("act") if isinstance(asked, dict) else None
        of = asked.get("of") if isinstance(asked, dict) else None
        if not isinstance(of, str):
            raise PreventUpdate
        try:
            if what == "delete":
                folder = services.datasets.delete(of)
                return f"{of} is in the trash for {KEPT_DAYS} days.", False, folder, time.time(), no_update
            if what == "restore":
                name = services.datasets.restore(of)
                return f"{name} is back.", True, "", time.time(), no_update
            if what == "fetch":
                at = asked.get("at") if isinstance(asked, dict) else ""
                job = services.imports.fetch(of, f"fetch {of} {at}"[:64])
                return f"{job.run_id} is being fetched: see Imports.", True, "", time.time(), no_update
            if what == "drop":
                services.staging.remove(of)
                shown = None if source_of(source) == of else no_update
                return no_update, no_update, no_update, time.time(), shown
            if what == "look":
                return no_update, no_update, no_update, no_update, {"id": of, "at": time.time()}
        except (Declined, Refused) as declined:
            return str(declined), True, "", time.time(), no_update
        raise PreventUpdate


def table(services: Services, found: list[DataSet], selection: Selection) -> html.Table:
    """A row each."""
    heads = ("Data set", "Classes", "Pictures", "Size", "On disk", "Runs", "Made")
    right = {"Classes", "Pictures", "On disk", "Runs"}
    head = [column_head(words, className="r" if words in right else None) for words in heads]
    head.append(html.Th(html.Span("Actions", className="visually-hidden"), scope="col"))
    changes, fetches = (acting.may(act) and not services.read_only for act in ("delete", "dataset"))
    rows = [row(one, selection, changes, fetches) for one in found]
    return html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)])


def fetch_button(one: DataSet, *, small: bool = False) -> html.Button:
    """Queues the fetching of its pictures."""
    return button("Fetch", small=small, kind="primary", **{
        "data-set-act": "fetch", "data-of": one.name, "aria-label": f"Fetch the pictures of {one.title}",
    })  # fmt: skip


def row(one: DataSet, selection: Selection, changes: bool, fetches: bool = False) -> html.Tr:
    """What is known of a data set, and what can be done with it."""
    named = {"data-dataset": one.name}
    opens = {"data-search": Selection(run=selection.run, dataset=one.name).query(), "data-to-look": ""}
    title = html.B(one.title)
    first: list[Any] = [title if one.problem else html.Button(title, type="button", className="named", **opens)]
    first += [badge("comes with the app", "mute")] if one.shipped and one.here else []
    first += [badge("to be fetched", "warn")] if not one.here else []
    first += [badge("cannot be read", "bad")] if one.problem else []
    second = [html.Span(one.name, className="mono")] if one.title != one.name else []
    second += [html.Span(one.problem)] if one.problem else []
    second += [html.Span(_line(one.described["description"]))] if one.described.get("description") else []
    name = [html.Span(first, className="first"), html.Small(second, className="second") if second else None]
    height, width, channels = one.shape
    shape = f"{height} × {width}, {'colour' if channels == 3 else 'gray'}" if not one.problem else ""
    runs = str(len(one.runs)) + (f" (+{len(one.older)} of an earlier version)" if one.older else "")
    made = one.made.astimezone() if one.made else None
    acts: list[Any] = []
    if not one.problem:
        acts.append(button("Open", small=True, **{"aria-label": f"Open {one.title}", **opens}))
        if one.here and ("train" in one.counts or one.shipped):
            acts.append(button("Train on this", small=True, search=Selection(dataset=one.name).query(),
                               path="/training", **{"aria-label": f"Train on {one.title}"}))  # fmt: skip
    if not one.here and fetches:
        acts.append(fetch_button(one, small=True))
    if changes and not one.shipped:
        acts.append(button("Delete", small=True, kind="ghost", **{
            "data-set-act": "delete", "data-of": one.name, "data-sure": "Really delete?",
            "aria-label": f"Delete {one.title}",
        }))  # fmt: skip
    return html.Tr(
        [
            html.Th(name, scope="row"),
            html.Td(f"{len(one.classes):,}", className="r"),
            html.Td(html.Span(f"{one.total:,}", title=splits(one)), className="r"),
            html.Td(shape),
            html.Td(gigabytes(one.bytes), className="r"),
            html.Td(runs, className="r"),
            html.Td(f"{made.day} {made:%b %Y}" if made else "", title=f"{made:%Y-%m-%d %H:%M}" if made else None),
            html.Td(html.Div(acts, className="row-ff end"), className="r"),
        ],
        className="on" if selection.dataset == one.name else None,
        **named,
    )


def splits(one: DataSet) -> str:
    """Its splits with their pictures, in words."""
    order = ("train", "validation", "test", "unlabelled")
    return ", ".join(f"{split} {one.counts[split]:,}" for split in order if one.counts.get(split))


def _line(text: object) -> str:
    words = " ".join(str(text).split())
    return words if len(words) <= 120 else words[:117] + "…"


def gone(deleted: list[Deleted], changes: bool) -> Any:
    """What can still be brought back."""
    if not deleted:
        return None
    lines = []
    for one in deleted:
        until = one.until.astimezone()
        words = [html.B(one.run_id), html.Span(f"kept until {until.day} {until:%b %Y}", className="faint")]
        act = {"data-set-act": "restore", "data-of": one.folder, "aria-label": f"Bring back {one.run_id}"}
        bring = html.Button("Bring back", type="button", className="btn-ff sm", **act) if changes else None
        lines.append(html.Li([html.Span(words, className="row-ff"), bring]))
    return html.Details([html.Summary(f"Deleted data sets ({len(deleted)})"), html.Ul(lines)], className="gone")
