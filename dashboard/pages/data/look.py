"""One data set: how many pictures of each class, the first of each, copies and near-duplicates, what was left out."""

import math
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from dash import Dash, Input, Output, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard.components import badge, button, card, csv_link, plain
from dashboard.components.panel import panel_callback, slot
from dashboard.data import datasets
from dashboard.data.datasets import DataSet
from dashboard.format.images import MAX_TILES, sprite_url, tile_style
from dashboard.pages.data.memory import Memory
from dashboard.pages.data.plan_view import left_out
from dashboard.pages.data.sets import fetch_button, splits
from dashboard.records.rows import Declined
from dashboard.services.container import Services
from dashboard.services.staging import gigabytes, paths_allowed
from dashboard.services.training_request import Invalid
from dashboard.state.selection import Selection
from ml.artifacts.reader import Broken, Missing
from ml.jobs.queue import Refused
from ml.jobs.tables import Job
from ml.people import acting
from ml.system.wording import are, quantity

CLASSES = 24  # shown at a time
EACH = 6  # first pictures of a class


class Ids(StrEnum):
    CARD = "data-look-card"
    HEAD = "data-look-title"
    FACE = "data-look-face"
    BODY = "data-look"
    TOOLS = "data-look-tools"
    EDIT = "data-look-edit"
    SAID = "data-look-said"


def layout(services: Services, selection: Selection) -> html.Div:
    """Hidden without a data set in the address."""
    body = [
        slot(Ids.FACE),
        plain.place(Ids.BODY),
        dcc.Store(id=Ids.EDIT),  # {"of", "title", "description"}; written by assets/data.js
        html.Div(id=Ids.SAID, className="row-ff told", role="status"),
    ]
    head = html.Span(id=Ids.HEAD)
    tools = plain.place(Ids.TOOLS, className="row-ff")
    return html.Div(card(head, __doc__, body, tools=tools), id=Ids.CARD, className="c12", hidden=not selection.dataset)


def register(app: Dash, services: Services) -> None:
    @panel_callback(
        app,
        Ids.FACE,
        Output(Ids.CARD, "hidden"),
        Output(Ids.HEAD, "children"),
        plain.children(Ids.BODY),
        plain.children(Ids.TOOLS),
        Input("url", "search"),
        Input(Memory.CHANGED, "data"),
        Input(Memory.JOBS, "data"),
        without=lambda problem: (False, "Data set", None, None),
    )
    def show_set(search: str | None, _changed: object, _jobs: object):
        selection = Selection.parse(search)
        if not selection.dataset:
            return True, "", None, None
        one = datasets.one(services.store.library, selection.dataset, services.store.runs())
        if one.problem:
            raise Broken(f"{one.name}: {one.problem}.")
        return False, one.title, drawn(services, one, selection), tools(services, one)

    if services.read_only:
        return

    @app.callback(
        Output(Ids.SAID, "children"),
        Output(Memory.CHANGED, "data", allow_duplicate=True),
        Input(Ids.EDIT, "data"),
        prevent_initial_call=True,
    )
    def describe(edit: object):
        if not isinstance(edit, dict):
            raise PreventUpdate
        try:
            services.datasets.describe(edit.get("of"), title=edit.get("title"), description=edit.get("description"))
        except Declined as declined:
            return html.Span(str(declined), className="bad small"), no_update
        return None, edit.get("at")

    @app.callback(
        Output(Ids.SAID, "children", allow_duplicate=True), Input(Memory.ASKED, "data"), prevent_initial_call=True
    )
    def transfer(asked: object):
        if not isinstance(asked, dict) or asked.get("act") != "transfer" or not isinstance(asked.get("of"), str):
            raise PreventUpdate
        try:
            job = begin_transfer(services, asked["of"], f"transfer {asked['of']} {asked.get('at')}"[:64])
        except (Invalid, Refused) as refused:
            return html.Span(str(refused), className="bad small")
        words = f"{job.run_id} {'is running' if job.state == 'running' else 'is queued'}."
        return [html.Span(words), button("Watch it learn", small=True, search="", path="/training")]


def begin_transfer(services: Services, name: str, intent: str) -> Job:
    """Queue a training that begins with what a network learned of photographs. Raises Invalid, Refused."""
    recipe = services.jobs.options.presets()["transfer"]
    taken = services.registry.names()
    return services.jobs.submit({**recipe, "dataset": name, "train_images": None}, intent=intent, taken=taken)


def tools(services: Services, one: DataSet) -> list[Any]:
    """Ways on from here."""
    query = Selection(dataset=one.name).query()
    if not one.here:
        fetches = not services.read_only and acting.may("dataset")
        return [*([fetch_button(one, small=True)] if fetches else []),
                csv_link(f"/export/datasets/{one.name}/classes.csv")]  # fmt: skip
    ways: list[Any] = [button("Train on this", small=True, kind="primary", search=query, path="/training")]
    if "train" in one.counts and not services.read_only and acting.may("train"):
        words = "Queue a training that begins with what a network learned of photographs"
        ways.append(button("Start a transfer training", small=True, title=words,
                           **{"data-set-act": "transfer", "data-of": one.name}))  # fmt: skip
    if not services.read_only and acting.may("import"):
        words = "A network or predictions that were made elsewhere, of these pictures"
        ways.append(button("Add a run", small=True, title=words, search=query, path="/training",
                           **{"data-to-add": ""}))  # fmt: skip
    if one.runs:
        ways.append(button("Open in the studio", small=True, search=Selection(run=one.runs[0]).query(),
                           path="/prediction"))  # fmt: skip
        ways.append(button("Its dashboard", small=True, search=Selection(run=one.runs[0]).query(), path="/"))
    ways.append(csv_link(f"/export/datasets/{one.name}/classes.csv"))
    if "train" in one.counts:
        store = services.store
        reviewed = bool(store.current_labels(store.data_version(one.described)).by)
        tail, more = ("?labels=reviewed", ", labels as reviewed") if reviewed else ("", "")
        ways.append(csv_link(f"/export/datasets/{one.name}.zip{tail}", f"Folders{more}"))
        ways.append(csv_link(f"/export/datasets/{one.name}.parquet{tail}", f"Parquet{more}"))
    return ways


def drawn(services: Services, one: DataSet, selection: Selection) -> list[Any]:
    """Facts, then classes with their pictures, then what is to be known of it."""
    counts = datasets.class_counts(one)
    parts: list[Any] = []
    if not one.here:
        words = f"The pictures of {one.title} are not on this machine."
        parts.append(html.Div([html.B(words), html.Code(services.store.library.way_to(one.name))], className="row-ff"))
    parts += [facts(one), described(one, not services.read_only and acting.may("dataset"))]
    parts += notes(services, one)
    parts.append(classes(services, one, counts, selection))
    return parts


def facts(one: DataSet) -> html.Ul:
    """What it is, in figures."""
    height, width, channels = one.shape
    lines = [
        ("Pictures", f"{one.total:,}", splits(one)),
        ("Classes", f"{len(one.classes):,}", ""),
        ("Size", f"{height} × {width}", "colour" if channels == 3 else "gray"),
        ("On disk", gigabytes(one.bytes), ""),
        ("Runs", f"{len(one.runs):,}", f"{len(one.older):,} of an earlier version" if one.older else ""),
        ("Digest", one.digest, "of pictures and splits"),
    ]
    return html.Ul([html.Li([html.Span(name, className="label"), html.B(value), html.Small(more, className="quiet")])
                    for name, value, more in lines], className="set-facts")  # fmt: skip


def described(one: DataSet, changes: bool) -> html.Details | html.P | None:
    """Its description, and the fields that change it."""
    text = str(one.described.get("description") or "")
    said = html.P(text, className="prose") if text else None
    if one.shipped or not changes:
        return said
    form = html.Div(
        [
            html.Label([html.Span("Title", className="label"), plain.element("Input", None, type="text", maxLength=60,
                       className="form-control", value=one.title, **{"data-edit": "title"})]),
            html.Label([html.Span("Description", className="label"),
                        plain.element("Input", None, type="text", maxLength=2000, className="form-control", value=text,
                                      **{"data-edit": "description"})]),
            html.Button("Save", type="button", className="btn-ff sm", **{"data-save-set": one.name}),
        ],
        className="fits",
    )  # fmt: skip
    return html.Div([said, html.Details([html.Summary("Rename or describe"), form], className="more")])


def notes(services: Services, one: DataSet) -> list[Any]:
    """Copies and leaks between splits, conflicting labels, and what was left out and why."""
    about = one.described
    lines: list[Any] = []
    if about.get("fetched"):
        lines.append(fetched(services, one))
    elif source := about.get("source"):
        made = f", version {about['version']}" if about.get("version", 1) > 1 else ""
        lines.append(f"Imported{made} from {came_from(services, source['path'])}: {source['kind']}.")
    if why := about.get("why"):
        lines.append(f"{' × '.join(map(str, one.shape[:2]))}: {why['size']}; {why['colour']}.")
    lines += alike(services, one)
    if n := about.get("in_conflict"):
        pairs = ", ".join(f"{name} = {first}" for name, first in about.get("conflicts", ())[:3])
        lines.append(f"{quantity(n, 'picture')} {are(n, 'a copy', 'copies')} of one of another class: {pairs}.")
    if n := about.get("copies"):
        copies = f"{quantity(n, 'picture')} {are(n, 'a copy', 'copies')}"
        lines.append(f"{copies} of another of the same class, pixel for pixel.")
    for split, n in about.get("across", {}).items():
        lines += [f"{quantity(n, 'picture')} of {split} {are(n)} in train too, pixel for pixel."] if n else []
    lines += about.get("notes", ())
    parts: list[Any] = [html.Ul([html.Li(words) for words in lines], className="set-notes")] if lines else []
    if about.get("left_out"):
        parts.append(left_out(about["left_out"]))
    return parts


def fetched(services: Services, one: DataSet) -> str:
    """Where its pictures were fetched, and how many of its list are not here."""
    origin, published = one.described["fetched"], one.described.get("published") or {}
    remote = origin in str(published.get("address"))
    words = f"Fetched from {origin if remote else came_from(services, origin)}."
    if n := one.described.get("absent"):
        words += f" {quantity(n, 'picture')} of its list {are(n)} not here; {services.store.library.way_to(one.name)}"
        return f"{words} looks for them again."
    return words


def came_from(services: Services, path: str) -> str:
    """What was imported, as people know it: where it lies on this machine is told to the person at it alone."""
    brought = next((one for one in services.staging.listing() if str(one.place) == path), None)
    if brought is not None and not brought.is_path:
        return brought.name
    return path if paths_allowed() else path.replace("\\", "/").rpartition("/")[2]


def alike(services: Services, one: DataSet) -> list[str]:
    """How many pictures have a near-duplicate, and across which splits."""
    try:
        pairs: pd.DataFrame = services.store.about(one.name, "duplicates")
    except (Missing, Broken):
        return ["Near-duplicates were not looked for yet."]
    if pairs.empty:
        return ["No near-duplicates were found."]
    told = []
    for split in ("test", "validation"):
        leaks = pairs[(pairs["split"] == split) & (pairs["other_split"] == "train")]["example_id"].nunique()
        if leaks:
            told.append(
                f"{quantity(leaks, 'picture')} of {split} {'has' if leaks == 1 else 'have'} a near-duplicate in train: "
                f"accuracy on {split} is more than what was learned."
            )
    within = int(pairs["example_id"].nunique())
    return told or [f"{within:,} pictures have a near-duplicate, none of test or validation in train."]


def classes(services: Services, one: DataSet, counts: dict[str, list[int]], selection: Selection) -> html.Div:
    """Each class: its share of each split as bars, and its first pictures; so many at a time."""
    most = max((sum(values) for values in zip(*counts.values(), strict=True)), default=1) if counts else 1
    pages = max(1, math.ceil(len(one.classes) / CLASSES))
    page = min(selection.page, pages)
    here = range((page - 1) * CLASSES, min(page * CLASSES, len(one.classes)))
    pictures = first_pictures(services, one, here)
    rows = [_class_row(one, i, counts, most, pictures.get(i)) for i in here]
    totals = [sum(values) for values in zip(*counts.values(), strict=True)] if counts else []
    words = balance(totals)
    legend = html.Span(
        [part for split in counts for part in (html.I(className=f"key {split}"), split)], className="quiet small legend"
    )
    head = html.Div([html.H3("Classes"), html.P([words, " ", legend], className="quiet small")])
    steps = None
    if pages > 1:
        words = f"Classes {here[0] + 1:,} – {here[-1] + 1:,} of {len(one.classes):,}"
        ways = [("Previous", page - 1), ("Next", page + 1)]
        turns = [
            button(name, small=True, disabled=not 1 <= to <= pages, search=_page(selection, to, pages))
            for name, to in ways
        ]
        steps = html.Div(
            [html.Span(words, className="quiet small"), html.Div(turns, className="row-ff")], className="pager"
        )
    return html.Div([head, html.Ul(rows, className="set-classes"), steps])


def _page(selection: Selection, page: int, pages: int) -> str | None:
    return selection.with_(page=page).query() if 1 <= page <= pages else None


def balance(totals: list[int]) -> str:
    """How uneven the classes are, in words."""
    if not totals or max(totals) == 0:
        return ""
    least, most = min(totals), max(totals)
    if least == most:
        return f"{quantity(most, 'picture')} each."
    ratio = f", 1 : {most / least:.1f}" if least else ""
    return f"From {least:,} to {most:,} pictures a class{ratio}."


def _class_row(one: DataSet, i: int, counts: dict[str, list[int]], most: int, sheet: Any) -> html.Li:
    name, total = one.classes[i], sum(values[i] for values in counts.values())
    bars = [
        html.I(className=f"bar {split}", style={"width": f"{100 * values[i] / most:.2f}%"},
               title=f"{split}: {values[i]:,}")
        for split, values in counts.items()
    ]  # fmt: skip
    said = ", ".join(f"{split} {values[i]:,}" for split, values in counts.items())
    lacks = [split for split, values in counts.items() if not values[i]]
    return html.Li(
        [
            html.Span([html.B(name, title=name), *(badge(f"none in {split}", "warn") for split in lacks)],
                      className="named"),
            html.Span(f"{total:,}", className="n"),
            html.Span(bars, className="bars", role="img", **{"aria-label": said}),
            html.Span(sheet, className="firsts"),
        ]
    )  # fmt: skip


def first_pictures(services: Services, one: DataSet, wanted: range) -> dict[int, list]:
    """Class → its first pictures, cut from sheets of many."""
    split = "train" if "train" in one.counts else "reference"
    try:
        pictures = services.store.pictures(one.name, split)
    except (Missing, Broken):
        return {}
    labels, ids = np.asarray(pictures.labels), np.asarray(pictures.ids)
    chosen = [(i, int(ids[row])) for i in wanted for row in np.flatnonzero(labels == i)[:EACH]]
    if not chosen:
        return {}
    height, width, _ = one.shape
    found: dict[int, list] = {}
    for start in range(0, len(chosen), MAX_TILES):
        some = chosen[start : start + MAX_TILES]
        url = sprite_url(services.store.picture_set(one.name), split, [example for _, example in some])
        for place, (i, _) in enumerate(some):
            style = tile_style(url, place, len(some), height, width)
            found.setdefault(i, []).append(html.Span(className="px", style=style))
    return found
