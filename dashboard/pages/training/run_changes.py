"""What a person changes of a run: name, note, tags, archived, deleted, promoted."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from dashboard.analysis.run_table import Row, row
from dashboard.pages.training import runs
from dashboard.pages.training.memory import Memory
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from ml.artifacts.reader import Missing

HISTORY = 8  # promotions that are told


class Ids(StrEnum):
    DRAWER = "training-run-drawer"
    FACE = "training-run-face"
    HEAD = "training-run-head"
    BODY = "training-run-body"
    CLOSE = "training-run-close"
    FACTS = "training-run-facts"
    TITLE = "training-run-title-input"
    TAGS = "training-run-tags-input"
    NOTE = "training-run-note-input"
    SAVE = "training-run-save"
    STATUS = "training-run-status"
    UNDO = "training-run-undo"
    DEFAULT = "training-run-default"
    PROMOTE_BOX = "training-run-promote-box"
    REASON = "training-run-reason-input"
    PROMOTE = "training-run-promote"
    CARD_BUTTON = "training-run-card-button"
    CARD_FILE = "training-run-card-file"
    CARD = "training-run-card"
    LINKS = "training-run-links"
    ARCHIVE = "training-run-archive"
    DELETE = "training-run-delete"
    LAST = "training-run-last"  # what was changed last: numbers of the log, which Undo takes back
    SAVED = "training-run-saved"  # changes when the fields shall show what is kept


FIELDS = {"title": Ids.TITLE, "tags": Ids.TAGS, "note": Ids.NOTE, "reason": Ids.REASON}


def error_id(name: str) -> str:
    return f"training-run-{name}-error"


@dataclass
class Outcome:
    """What came of a wish. words: for people; changes: numbers of the log that Undo takes back; wrong: by input."""

    words: str = ""
    changes: list[int] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    search: Any = no_update


def row_of(services: Services, opened: object) -> Row:
    """The run whose details are asked for. Raises Missing."""
    if not isinstance(opened, str):
        raise PreventUpdate
    entry = next((entry for entry in services.store.runs() if entry.run_id == opened), None)
    if entry is None:
        raise Missing("This run is not here any more. Deleted runs are listed under the table.")
    return row(services, entry, services.store.marks(), services.store.default_run())


def save_metadata(services: Services, opened: object, values: dict[str, Any]) -> Outcome:
    """Keep name, tags and note, those of them that were changed."""
    entry = services.registry.entry(opened)
    mark, came = services.store.marks().of(entry.run_id), Outcome()
    others = {e.run_id for e in services.store.runs()} - {entry.run_id}
    acts = {
        "title": (mark.title or entry.run_id, lambda value: services.records.rename(entry.run_id, value, others)),
        "tags": (", ".join(mark.tags), lambda value: services.records.tag(entry.run_id, value)),
        "note": (mark.note, lambda value: services.records.annotate(entry.run_id, value)),
    }
    for name, (before, keep) in acts.items():
        if (values[name] or "") == before:
            continue
        try:
            change = keep(values[name])
        except Declined as declined:
            if declined.field != name:
                raise
            came.wrong[name] = str(declined)
            continue
        if change.before != change.after:
            came.changes.append(change.number)
    if came.wrong:
        came.words = "Saved, but for what is marked." if came.changes else ""
    else:
        came.words = "Saved." if came.changes else "Nothing has changed."
    return came


def promoted(services: Services, opened: object, reason: object) -> Outcome:
    """Make a run the default."""
    entry = services.registry.entry(opened)
    if not entry.ok:
        raise Declined("A broken run cannot be the default.")
    marks = services.store.marks()
    if marks.of(entry.run_id).archived:
        raise Declined("This run is archived: bring it back first.")
    change = services.records.promote(entry.run_id, reason, services.store.default_run())
    return Outcome(f"{marks.title(entry.run_id)} is the default now.", [change.number])


def archived(services: Services, opened: object) -> Outcome:
    """Take a run out of the lists, or back into them."""
    entry = services.registry.entry(opened)
    away = not services.store.marks().of(entry.run_id).archived
    change = services.records.archive(entry.run_id, away)
    return Outcome("Archived: the run picker leaves it out." if away else "Back in the lists.", [change.number])


def deleted(services: Services, opened: object, search: object) -> Outcome:
    """Move a run to the trash, and let go of it in the address."""
    entry = services.registry.entry(opened)
    title = services.store.marks().title(entry.run_id)
    services.registry.delete(entry.run_id)
    change = services.records.changes(entry.run_id, 1)
    selection = Selection.parse(search)
    changes = {name: None for name in ("run", "against") if getattr(selection, name) == entry.run_id}
    return Outcome(
        f"{title} was deleted.",
        [one.number for one in change],
        closed=True,
        search=selection.with_(**changes).query() if changes else no_update,
    )


def restored(services: Services, request: object) -> Outcome:
    """Bring a run back from the trash. request: {"act", "of"} as the browser says."""
    if not isinstance(request, dict) or request.get("act") != "restore":
        raise PreventUpdate
    run_id = services.registry.restore(str(request.get("of")))
    return Outcome(f"{services.store.marks().title(run_id)} is back.")


def undone(services: Services, last: object) -> Outcome:
    """Take back what was changed last, the newest first. last: numbers of the log as the browser says."""
    numbers = [n for n in last if isinstance(n, int) and 0 < n < 2**31] if isinstance(last, list) else []
    if not numbers:
        raise Declined("There is nothing to undo.")
    for number in sorted(numbers[:10], reverse=True):
        services.registry.undo(services.records.change(number))
    return Outcome("Undone.")


def register(app: Dash, services: Services) -> None:
    """What a person asks for, done or declined in words."""

    @app.callback(
        *(Output(error_id(name), "children") for name in FIELDS),
        Output(Ids.STATUS, "children"),
        Output(Ids.UNDO, "hidden"),
        Output(runs.Ids.NOTICE, "children", allow_duplicate=True),
        Output(runs.Ids.UNDO, "hidden", allow_duplicate=True),
        Output(Ids.LAST, "data"),
        Output(Ids.SAVED, "data"),
        Output(runs.Ids.OPEN, "data", allow_duplicate=True),
        Output(Memory.ACTED, "data", allow_duplicate=True),
        Output("url", "search", allow_duplicate=True),
        Input(Ids.SAVE, "n_clicks"),
        Input(Ids.PROMOTE, "n_clicks"),
        Input(Ids.ARCHIVE, "n_clicks"),
        Input(Ids.DELETE, "n_clicks"),
        Input(Ids.UNDO, "n_clicks"),
        Input(runs.Ids.UNDO, "n_clicks"),
        Input(Memory.REQUEST, "data"),
        *(State(id, "value") for id in FIELDS.values()),
        State(runs.Ids.OPEN, "data"),
        State(Ids.LAST, "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def change_run(*given):
        request, title, tags, note, reason, opened, last, search = given[6:]
        wish = ctx.triggered_id
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            raise PreventUpdate
        inside = wish not in (runs.Ids.UNDO, Memory.REQUEST)  # where the answer is told: in the drawer or on the card
        try:
            if wish == Memory.REQUEST:
                came = restored(services, request)
            elif wish in (Ids.UNDO, runs.Ids.UNDO):
                came = undone(services, last)
            elif wish == Ids.SAVE:
                came = save_metadata(services, opened, {"title": title, "tags": tags, "note": note})
            elif wish == Ids.PROMOTE:
                came = promoted(services, opened, reason)
            elif wish == Ids.ARCHIVE:
                came = archived(services, opened)
            else:
                came = deleted(services, opened, search)
        except Declined as declined:
            came = Outcome("" if declined.field in FIELDS else str(declined))
            came.wrong = {declined.field: str(declined)} if declined.field in FIELDS else {}
        here = inside and not came.closed
        message, undo = came.words or None, not came.changes
        return (
            *(came.wrong.get(name) for name in FIELDS),
            message if here else None,
            undo if here else True,
            None if here else message,
            True if here else undo,
            came.changes,
            secrets.token_hex(4) if not came.wrong else no_update,
            None if came.closed else no_update,
            secrets.token_hex(4),
            came.search,
        )
