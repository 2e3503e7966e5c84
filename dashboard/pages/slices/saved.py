"""Slices that were saved, with how the run does on them. They keep their images, whatever is computed anew."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from dashboard.components import button, card, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data.run import RunData
from dashboard.pages.slices import failure_modes
from dashboard.pages.slices.weak_slices import name_field
from dashboard.records.rows import Declined
from dashboard.records.slices import NAME, Saved
from dashboard.services.container import Services
from dashboard.state.selection import Selection
from dashboard.state.vocabulary import SCORED
from ml.artifacts.reader import Broken, Missing
from ml.system.wording import quantity

FACE, BODY = "slices-saved-face", "slices-saved-body"
REQUEST = "slices-asked-state"  # {act, slice, name, at}, written by assets/slices.js
DONE = "slices-done-state"  # changes when a slice was saved, renamed or removed
NOTICE = "slices-notice"
ACTS = ("save", "rename", "remove")


def memory(services: Services, selection: Selection) -> list:
    """What is asked for and what came of it."""
    return [dcc.Store(id=REQUEST), dcc.Store(id=DONE), html.Div(id=NOTICE, className="notice", role="status")]


def keep_selection(services: Services) -> html.Span | None:
    """A name for what is selected, and the button that saves it."""
    if services.read_only:
        return None
    name = dbc.Input(id="slices-name-input", placeholder="Name this selection", maxlength=NAME, className="sm")
    return html.Span(
        [
            html.Label("Name of the selection", htmlFor="slices-name-input", className="sr"),
            name,
            button("Save selection", small=True, **{"data-keep": ""}),
        ],
        className="row-ff keep-all",
    )


def layout(services: Services, selection: Selection) -> html.Article:
    """One line a saved slice."""
    return card("Saved slices", __doc__, [slot(FACE), plain.place(BODY, className="kept")])


def register(app: Dash, services: Services) -> None:
    """The list, and what changes it."""

    @panel_callback(app, FACE, plain.children(BODY), Input("url", "search"), Input(DONE, "data"))
    def list_saved(search: str | None, _: Any):
        selection = Selection.parse(search)
        run = services.store.shown(selection.run)
        slices = services.store.slices.all(run.data_version)
        nothing = html.P("None yet: Save beside a weak slice, or name a selection above.", className="quiet small")
        return [line(run, selection, saved, services.read_only) for saved in slices] or nothing

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Output(NOTICE, "children"),
        Output(DONE, "data"),
        Input(REQUEST, "data"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def change_slice(request: Any, search: str | None):
        if not isinstance(request, dict) or request.get("act") not in ACTS:
            raise PreventUpdate
        selection = Selection.parse(search)
        try:
            after, words, number = change(services, selection, request)
        except (Declined, Missing, Broken) as no:
            return selection.query(), str(no), None
        return after.query(), words, {"number": number, "at": request.get("at")}


def change(services: Services, selection: Selection, request: dict[str, Any]) -> tuple[Selection, str, int]:
    """Do what the request says: the selection after it, what to say, the slice's number.

    Raises Declined, Missing or Broken.
    """
    key, slices = request.get("slice"), services.store.slices
    if not isinstance(key, str) or len(key) > 60:
        raise Declined("There is no such slice.")
    if request["act"] == "rename":
        saved = slices.rename(key, request.get("name"))
        return selection, f"Renamed to {saved.name}.", saved.number
    if request["act"] == "remove":
        saved = slices.remove(key)
        left = tuple(one for one in selection.slice if one != key)
        return selection.with_(slice=left), f"{saved.name} was removed.", saved.number
    run = services.store.shown(selection.run)
    if key:
        members = {split: run.sliced(split, key).tolist() for split in SCORED[:2]}
        frame = run.slices(selection.split)
        rules = frame.loc[frame["slice"] == key, "rule"]
        rule = str(rules.iloc[0]) if len(rules) else ""
        name = request.get("name") or run.slice_name(key)
    else:
        ids = run.predictions(selection.split).ids[run.rows(selection)]
        members, rule, name = {selection.split: ids.tolist()}, selection.query(), request.get("name")
    saved = slices.save(run.data_version, name, members, rule=rule, run=run.run_id)
    others = tuple(one for one in selection.slice if one != key)
    start = selection if key else selection.clear()
    sizes = " and ".join(f"{quantity(len(ids), f'{split} image')}" for split, ids in members.items() if ids)
    after = start.with_(slice=(*others, saved.key)) if key else start.with_(slice=(saved.key,))
    return after, f"Saved {saved.name}: {sizes}.", saved.number


def line(run: RunData, selection: Selection, saved: Saved, read_only: bool) -> html.Div:
    """A saved slice: name, error rate of this run, what can be done with it."""
    predictions = run.predictions(selection.split)
    ids = run.sliced(selection.split, saved.key)
    inside = predictions.ids.searchsorted(ids)
    wrong = int((~predictions.right[inside]).sum())
    chosen = saved.key in selection.slice
    select = "Selected" if chosen else "Select"
    acts = [
        button(
            select,
            small=True,
            search=selection.toggle("slice", saved.key).query(),
            **{"aria-label": f"{select} {saved.name}", "aria-pressed": str(chosen).lower()},
        )
    ]
    if not read_only:
        acts += [
            button(
                "Rename", small=True, kind="ghost", **{"data-rename": saved.key, "aria-label": f"Rename {saved.name}"}
            ),
            button(
                "Remove", small=True, kind="ghost", **{"data-remove": saved.key, "aria-label": f"Remove {saved.name}"}
            ),
        ]
    about = f"{saved.rule}, found in {saved.run}" if saved.rule else f"found in {saved.run}"
    about += f", by {saved.who}" if saved.who else ""
    return html.Div(
        [
            html.Div(
                [name_field(saved.name, read_only, saved.key), html.Span(about, className="faint small")],
                className="who",
            ),
            failure_modes.share("wrong", wrong, len(ids)),
            html.Div(acts, className="row-ff"),
        ],
        className="mode saved",
    )
