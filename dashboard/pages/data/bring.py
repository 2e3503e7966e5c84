"""Drop a folder, files, a zip or a tar here; nothing is written before you have seen what was understood.

What is dropped is kept on this server, because a data set finds its originals there.
"""

import time
from enum import StrEnum
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html, no_update

from dashboard.components import button, card, plain
from dashboard.components.icons import icon
from dashboard.pages.data.memory import Memory
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.services.staging import Staged, gigabytes, paths_allowed
from dashboard.state.selection import Selection
from ml.jobs.tables import Job
from ml.people import acting
from ml.settings import Uploads

READ_ONLY = "This server shows data sets and takes none (it was started with --read-only)."


class Ids(StrEnum):
    DROP = "data-import"  # assets/bring.js puts a field for files and one for a folder into it
    UPLOAD = "data-upload"  # how far an upload is; by assets/bring.js
    PATH = "data-path"
    OPEN = "data-path-open"
    SAID = "data-path-said"
    WAITING = "data-waiting"


def layout(services: Services, selection: Selection) -> html.Article:
    """The place to drop, a path where that is allowed, and what was brought before."""
    if services.read_only:
        return card("Bring a data set", "", html.P(READ_ONLY, className="quiet", id="data-read-only"))
    if not acting.may("dataset"):
        return card("Bring a data set", "", html.P("Your role here may look at data sets only.", className="quiet"))
    choose = [
        button("Choose files", small=True, **{"data-choose": "files"}),
        button("Choose a folder", small=True, **{"data-choose": "folder"}),
    ]
    drop = html.Div(
        [
            icon("upload"),
            html.B("Drop a folder, files, a zip or a tar"),
            html.P(
                "A folder for each class, with train, validation and test or without; a table with a column of labels; "
                "parquet, npz, idx, WebDataset, exports of labelling tools.",
                className="quiet small",
            ),
            html.Div(choose, className="row-ff"),
        ],
        id=Ids.DROP,
        className="dropzone",
        role="group",
        **{
            "aria-label": "Bring a data set: drop a folder, files, a zip or a tar",
            "data-brings-to": Memory.SOURCE,
            "data-brings-changed": Memory.CHANGED,
            "data-brings-far": Ids.UPLOAD,
            "data-brings-purpose": "",
            "data-brings-kinds": "files folder",
        },
    )
    path = html.Div(
        [
            html.Label("Or a path on this machine", htmlFor=Ids.PATH, className="label"),
            html.Div(
                [
                    dbc.Input(id=Ids.PATH, value="", maxlength=1_000, autocomplete="off", placeholder="/data/pets"),
                    button("Look at it", id=Ids.OPEN, small=True),
                ],
                className="row-ff path",
            ),
        ],
        className="field",
        hidden=not paths_allowed(),
    )
    said = html.P(id=Ids.SAID, className="bad small", role="alert")
    body = [drop, html.Div(id=Ids.UPLOAD, role="status"), path, said, plain.place(Ids.WAITING)]
    return card("Bring a data set", __doc__, body)


def register(app: Dash, services: Services) -> None:
    if services.read_only:
        return

    @app.callback(
        Output(Memory.SOURCE, "data", allow_duplicate=True),
        Output(Ids.SAID, "children", allow_duplicate=True),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Ids.OPEN, "n_clicks"),
        Input(Ids.PATH, "n_submit"),
        State(Ids.PATH, "value"),
        prevent_initial_call=True,
    )
    def open_path(_clicks: int | None, _submit: int | None, path: object):
        try:
            staged = services.staging.point(path if isinstance(path, str) else "")
        except Declined as declined:
            return no_update, str(declined), no_update
        return {"id": staged.id, "at": time.time()}, None, time.time()

    @app.callback(
        plain.children(Ids.WAITING),
        Input(Memory.SOURCE, "data"),
        Input(Memory.CHANGED, "data"),
        Input(Memory.JOBS, "data"),
    )
    def list_waiting(_source: object, _changed: object, _jobs: object):
        return waiting(services)


def waiting(services: Services) -> list[Any]:
    """What was brought: what is not whole yet, what is not imported yet, and how much room all of it takes."""
    everything = services.staging.listing()
    listed = [one for one in everything if not one.purpose]
    known = services.datasets.known()
    last: dict[Any, Job] = {}
    for job in services.imports.listing():  # newest first
        last.setdefault(job.spec.get("upload"), job)

    def waits(one: Staged) -> bool:
        """Also what an import was begun of that failed or was cancelled: it can be looked at and chosen anew."""
        job = last.get(one.id)
        if job is not None and job.state != "done":
            return not job.active
        return one.dataset not in known

    open_ones = [one for one in listed if waits(one)]
    parts: list[Any] = []
    if open_ones:
        parts += [html.H3("Not imported yet"), html.Ul([line(one) for one in open_ones], className="brought")]
    used, most = services.staging.used(), Uploads.read().bytes
    others = sum(1 for one in everything if one.purpose)
    kept = sum(1 for one in listed if one.dataset in known and not one.is_path)
    originals = f", {kept} of which data sets came from" if kept else ""
    networks = f"; {others} are networks or predictions, on the Training page" if others else ""
    words = f"Uploads take {gigabytes(used)} of {gigabytes(most)}{originals}{networks}."
    parts.append(html.P(words, className="faint small"))
    return parts


def line(one: Staged) -> html.Li:
    """One of them, and what can be done with it."""
    if one.is_path:
        words = "on this machine"
    elif one.whole:
        words = gigabytes(one.size)
    else:
        words = f"{gigabytes(one.offset)} of {gigabytes(one.size)} here: choose the same again, and it goes on"
    open_it = button("Look at it", small=True, **{
        "data-set-act": "look", "data-of": one.id, "aria-label": f"Look at it: {one.name}",
    })  # fmt: skip
    away = button("Remove", small=True, kind="ghost", **{
        "data-set-act": "drop", "data-of": one.id, "data-sure": "Really remove?", "aria-label": f"Remove {one.name}",
    })  # fmt: skip
    said = html.Span([html.B(one.name), html.Small(words, className="quiet")], className="named")
    return html.Li([said, html.Span([open_it if one.whole else None, away], className="row-ff")])
